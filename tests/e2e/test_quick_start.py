"""A start imports what it needs: what takes long and is for others is not there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.job import Job, job_in

# For tables and progress, daemons, other ledgers and other providers.
FOR_OTHERS = {
    "alembic",
    "apscheduler",
    "boto3",
    "kubernetes",
    "prometheus_client",
    "psycopg",
    "pygments",
    "qingstor.sdk",
    "requests",
    "rich",
    "s3transfer",
    "starlette",
    "uvicorn",
}
FOR_LEDGERS = {"sqlalchemy"}
FOR_SWEEPS = {"botocore", "pycurl", "pydantic", "ruamel", "structlog", "urllib3"}
# Says at its end what it has imported.
COMMAND = """
import atexit, sys
atexit.register(lambda: print("IMPORTED", *sys.modules, file=sys.stderr))
from janitor.cli import main
main()
"""


def imported_by(*arguments: str) -> tuple[set[str], str]:
    """Run the command; give the modules that it imported, and what it printed."""
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", COMMAND, *arguments],
        capture_output=True,
        check=True,
        text=True,
        timeout=120,
    )
    told = done.stderr.splitlines()[-1].split()
    assert "IMPORTED" == told[0]
    return set(told[1:]), done.stdout


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """Give a sandbox, with a config for it that has no ledger."""
    with job_in(tmp_path) as made:
        yield made


@pytest.mark.parametrize("arguments", ["--help", "scan --help", "sweep --help", "serve --help"])
def test_help_needs_nothing_but_the_command_line(arguments: str) -> None:
    """Whoever asks for it has nothing else in mind."""
    modules, told = imported_by(*arguments.split())

    assert "Usage: janitor" in told
    assert set() == modules & (FOR_OTHERS | FOR_LEDGERS | FOR_SWEEPS)


def test_a_scan_without_a_ledger_needs_no_database(job: Job) -> None:
    """Nor what its report does not need."""
    arguments = ["-c", str(job.config), "--target", "lake", "-o", "json"]
    modules, told = imported_by("scan", *arguments)

    assert 3 == json.loads(told)["targets"][0]["listed"]
    assert FOR_SWEEPS <= modules
    assert set() == modules & (FOR_OTHERS | FOR_LEDGERS)
    assert [] == [name for name in modules if name.startswith("janitor.backends")]


def test_a_sweep_with_a_ledger_needs_no_other_database(job: Job) -> None:
    """What makes its tables is for the first run, and drivers for whoever has a server."""
    job.with_ledger()
    arguments = ["sweep", "-c", str(job.config), "--target", "lake", "-o", "json"]
    imported_by(*arguments)
    modules, _ = imported_by(*arguments)

    assert FOR_LEDGERS <= modules
    assert set() == modules & {*FOR_OTHERS, "sqlalchemy.dialects.postgresql"}


def test_tables_can_be_printed_all_the_same(job: Job) -> None:
    """What was left out for the logs is there for whoever wants it."""
    modules, told = imported_by("scan", "-c", str(job.config), "--target", "lake")

    assert "rich" in modules
    assert "older" in told


def test_a_crash_is_logged_without_rich() -> None:
    """As always: no values of variables, which may be secrets."""
    script = (
        "import janitor.commands, structlog.dev, sys\n"
        "from janitor.observe import logs\n"
        "logs.configure('console', 'info')\n"
        "try:\n    secret = 'hidden'; raise ValueError('told')\n"
        "except ValueError: logs.crashed(*sys.exc_info())\n"
        "import rich\n"
    )
    done = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", script], capture_output=True, check=True, text=True, timeout=120
    )

    assert "ValueError: told" in done.stderr
    assert "hidden" not in done.stderr.replace("secret = 'hidden'", "")
