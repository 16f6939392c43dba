"""As many requests in flight as files may be open for."""

from __future__ import annotations

import subprocess
import sys

import pytest

from janitor.engine.descriptors import BESIDES, FOR_EACH, in_flight

CHILD = """
import resource, sys
from janitor.engine.descriptors import open_files
soft, hard, concurrency = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
print(open_files(concurrency), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("concurrency", "files", "expected"),
    [
        (256, None, 256),
        (256, 8192, 256),
        (1024, 8192, 1024),
        (256, 1024, (1024 - BESIDES) // FOR_EACH),
        (256, 64, 1),
        (1, 0, 1),
    ],
)
def test_no_more_are_in_flight_than_there_are_files_for(
    concurrency: int, files: int | None, expected: int
) -> None:
    """Running out of files would look like a broken network; one request is always possible."""
    assert expected == in_flight(concurrency, files)


@pytest.mark.parametrize(
    ("soft", "hard", "concurrency", "expected"),
    [
        (1024, 4096, 256, BESIDES + 12 * 256),
        (1024, 2000, 256, 2000),
        (1024, 4096, 16, 1024),
        (1024, 1024, 256, 1024),
    ],
)
def test_a_limit_is_raised_as_far_as_is_needed_and_allowed(
    soft: int, hard: int, concurrency: int, expected: int
) -> None:
    """What a login shell begins with is not the last word; nothing is ever lowered."""
    told = subprocess.run(  # noqa: S603  # our own program
        [sys.executable, "-c", CHILD, str(soft), str(hard), str(concurrency)],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout

    assert f"{expected} {expected}\n" == told
