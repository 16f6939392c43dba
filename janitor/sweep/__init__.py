"""One pass over all targets: find, list, judge, plan, act, tell."""

from __future__ import annotations

from janitor.sweep.planning import DAY
from janitor.sweep.run import OUTLIVED, Job, Run, UploadName
from janitor.sweep.sweep import sweep

__all__ = ["DAY", "OUTLIVED", "Job", "Run", "UploadName", "sweep"]
