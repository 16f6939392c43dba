"""The dashboard has the shape that Grafana's own types demand, also the options of its panels."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest
from support.dashboard import DASHBOARD
from support.debian import CACHE, REQUIRED

SOURCES = Path(__file__).with_name("dashboard-types")
PLACE = CACHE / "dashboard-types"
HEAD = "import type { OurDashboard } from './shape';\nexport const dashboard: OurDashboard = "

Check = Callable[[str], str]


@pytest.fixture(scope="module")
def check() -> Check:
    """Install the compiler and the types once, and give what compiles a dashboard."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    trouble = f"there is no {missing[0]} here" if missing else _installed()
    if trouble:
        _skip(f"GRAFANA'S TYPES ARE NOT USED: {trouble}")
    return _compile


def _installed() -> str | None:
    """Install what the lock file names, unless it is there; tell what went wrong."""
    lock = (SOURCES / "package-lock.json").read_bytes()
    done = PLACE / "installed-lock.json"
    PLACE.mkdir(parents=True, exist_ok=True)
    with (PLACE / "busy").open("w") as busy:
        fcntl.flock(busy, fcntl.LOCK_EX)  # another worker may want the same
        if done.exists() and done.read_bytes() == lock:
            return None
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(SOURCES / name, PLACE)
        told = _run("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        if told.returncode:
            return f"npm ci failed: {told.stdout[-300:]}"
        done.write_bytes(lock)
    return None


def _compile(dashboard: str) -> str:
    """Check a dashboard as if it were written in TypeScript; give the compiler's complaints."""
    with tempfile.TemporaryDirectory(dir=PLACE) as folder:
        for name in ("tsconfig.json", "shape.ts"):
            shutil.copy(SOURCES / name, folder)
        (Path(folder) / "dashboard.ts").write_text(f"{HEAD}{dashboard};\n", encoding="utf-8")
        return _run("node", "node_modules/typescript/bin/tsc", "--project", folder).stdout


def _run(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(  # noqa: S603  # our own command
        [str(shutil.which(name)), *arguments],
        cwd=PLACE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=100,
    )


def _skip(why: str) -> None:
    if os.environ.get(REQUIRED):
        pytest.fail(why)
    warnings.warn(why, RuntimeWarning, stacklevel=2)
    pytest.skip(why)


def test_the_dashboard_has_grafanas_types(check: Check) -> None:
    """The compiler has nothing to say."""
    assert "" == check(DASHBOARD.read_text("utf-8"))


@pytest.mark.parametrize(
    ("right", "wrong", "complaint"),
    [
        ('"graphMode": "none"', '"graphMode": "nine"', "Type '\"nine\"' is not assignable"),
        ('"textMode": ', '"textMood": ', "'\"textMood\"' does not exist"),
        ('"graphTooltip": 1', '"graphTooltip": 7', "Type '7' is not assignable"),
        ('"expr": ', '"expression": ', "'\"expression\"' does not exist"),
    ],
)
def test_a_wrong_dashboard_is_noticed(check: Check, right: str, wrong: str, complaint: str) -> None:
    """An option's value, an option's name, a number and a query's field are looked at."""
    text = DASHBOARD.read_text("utf-8")

    assert right in text
    assert complaint in check(text.replace(right, wrong, 1))
