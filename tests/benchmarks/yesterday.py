"""The janitor of 25 hours ago: a program with the arguments of `janitor`."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta

import time_machine

if __name__ == "__main__":
    with time_machine.travel(datetime.now(UTC) - timedelta(hours=25)):
        from janitor.cli import run

        sys.exit(run(sys.argv[1:]))
