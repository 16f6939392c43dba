"""What a sweep asks of the kernel is what the units' sandbox leaves open."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from support.debian import program

from janitor.sandbox import Sandbox

JANITOR = Path(sys.executable).with_name("janitor")
UNIT = Path(__file__).parents[2] / "deploy" / "systemd" / "upload-janitor-sweep.service"
# SQLite gives its files to the owner of the directory, but only as root, which the service is not.
ONLY_AS_ROOT = {"fchown"}
# PR_SET_MDWE, of Linux 6.3: no memory is ever executable that was writable.
WITHOUT_EXECUTABLE_MEMORY = """
import ctypes, os, sys
ctypes.CDLL(None).prctl(65, 1, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""
CONFIG = """
version: 1
mode: enforce
ledger: sqlite:///{folder}/janitor.db
policy: {{grace: 0}}
targets:
  - name: lake
    provider: s3
    endpoint_url: {url}
    region: us-east-1
    addressing: path
    buckets: [lake]
    access_key_id: ${{KEY}}
    secret_access_key: ${{SECRET}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Iterator[Path]:
    """Serve one bucket with stale uploads that a first sweep has seen, so that a second aborts."""
    with Sandbox.start() as sandbox:
        sandbox.s3.add_container("lake", region="us-east-1")
        for number in range(20):
            begun = datetime.now(UTC) - timedelta(days=30)
            sandbox.s3.add_upload("lake", f"key-{number}", initiated=begun, parts=[(9, begun)])
        path = tmp_path / "janitor.yaml"
        path.write_text(CONFIG.format(url=sandbox.s3_url, folder=tmp_path), encoding="utf-8")
        sweep(path)

        assert 20 == len(sandbox.s3.uploads("lake"))

        yield path

        assert [] == sandbox.s3.uploads("lake")
        assert [] == sandbox.accusations


def sweep(config: Path, *before: str | Path) -> int:
    """Sweep under whatever stands before the program, and give its exit code."""
    done = subprocess.run(  # noqa: S603  # our own program
        [*before, JANITOR, "sweep", "--config", config],
        capture_output=True,
        text=True,
        check=False,
        timeout=110,
        env={
            "PATH": os.environ["PATH"],
            "KEY": Sandbox.access_key_id,
            "SECRET": Sandbox.secret_access_key,
        },
        cwd=config.parent,
    )
    return done.returncode


def test_a_sweep_asks_nothing_that_the_filter_refuses(config: Path) -> None:
    """Every system call, of every thread, is one that SystemCallFilter leaves open."""
    trace = config.with_name("trace")
    strace = program("strace", "strace")
    code = sweep(config, strace, "-f", "-qq", "--signal=none", "-o", trace)
    text = trace.read_text(encoding="utf-8", errors="replace")
    asked = set(re.findall(r"^\d+ +(?:<\.\.\. )?([a-z_0-9]+)(?:\(| resumed)", text, re.MULTILINE))

    assert 0 == code
    assert {"execve", "connect", "fdatasync", "futex"} <= asked
    assert set() == asked - allowed() - ONLY_AS_ROOT


def allowed() -> set[str]:
    """Read the unit's filter as systemd does."""
    text = UNIT.read_text(encoding="utf-8")
    first, second = re.findall(r"^SystemCallFilter=(.*)$", text, re.MULTILINE)
    taken = second.removeprefix("~").split()

    assert "@system-service" == first
    return calls(first) - {call for group in taken for call in calls(group)}


def calls(group: str) -> set[str]:
    """Give the system calls in a group, and in the groups that are in it."""
    done = subprocess.run(  # noqa: S603  # Debian's own program
        [program("systemd", "systemd-analyze"), "syscall-filter", group],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = [line.strip() for line in done.stdout.splitlines()[1:]]
    found = {line for line in lines if re.fullmatch(r"[a-z_0-9]+", line)}
    inner = [line for line in lines if line.startswith("@")]
    return found.union(*(calls(name) for name in inner))


def test_a_sweep_needs_no_memory_that_is_writable_and_executable(config: Path) -> None:
    """MemoryDenyWriteExecute breaks some libraries; none of ours. Old kernels cannot show it."""
    code = sweep(config, sys.executable, "-c", WITHOUT_EXECUTABLE_MEMORY)

    assert 0 == code
