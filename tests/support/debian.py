"""Programs from Debian's packages: from the path, or unpacked beside the repository's caches."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterable
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".tools"
# Set where a missing program must be a failure and not a skip.
REQUIRED = "JANITOR_TEST_REQUIRE_TOOLS"


class CannotInstall(Exception):  # noqa: N818  # it is the reason of a skip
    """The program is not here and cannot be had."""


def program(package: str, name: str) -> Path:
    """Give the path of a package's program; skip the test where there is none to be had."""
    try:
        return find(package, name)
    except CannotInstall as reason:
        told = f"{name} IS NOT USED: {reason}"
        if os.environ.get(REQUIRED):
            pytest.fail(told)
        with warnings.catch_warnings():
            # A warning must be an error nowhere but in what is tested.
            warnings.simplefilter("always")
            warnings.warn(told, RuntimeWarning, stacklevel=2)
        pytest.skip(told)


def find(package: str, name: str) -> Path:
    """Give the path of a package's program, unpacking the package if need be."""
    on_path = shutil.which(name)
    if on_path is not None:
        return Path(on_path)
    found = unpacked(package, package) / "usr" / "bin" / name
    if not found.exists():
        msg = f"the package {package} brought no {name}"
        raise CannotInstall(msg)
    return found


def unpacked(folder: str, *packages: str) -> Path:
    """Give the folder that packages are unpacked into, one over the other, now if need be."""
    place = CACHE / folder
    if not place.is_dir():
        _unpack(place, packages)
    return place


def _unpack(place: Path, packages: Iterable[str]) -> None:
    """Unpack, but do not install: installing starts services, and wants to be root."""
    CACHE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        try:
            _run(["apt-get", "download", *packages], folder)
        except CannotInstall:
            _run(["apt-get", "-qq", "update"], folder)  # a new machine knows no packages
            _run(["apt-get", "download", *packages], folder)
        root = Path(folder) / "unpacked"
        for archive in sorted(Path(folder).glob("*.deb")):
            _run(["dpkg", "-x", str(archive), str(root)], folder)
        try:
            root.rename(place)
        except OSError:
            # Another worker was faster.
            if not place.is_dir():
                raise


def _run(command: list[str], folder: str) -> None:
    if shutil.which(command[0]) is None:
        msg = f"there is no {command[0]} here"
        raise CannotInstall(msg)
    done = subprocess.run(  # noqa: S603  # our own command
        command, cwd=folder, capture_output=True, check=False
    )
    if done.returncode:
        msg = f"{' '.join(command)} failed: {done.stderr.decode(errors='replace')[-300:]}"
        raise CannotInstall(msg)
