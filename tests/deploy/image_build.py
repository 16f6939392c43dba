"""Builds the image without a registry, on a base made from Debian's packages, and runs it.

Not part of `make test`: it takes minutes, root, and Debian's buildah and debootstrap. Run it by
`make test-image`. The base is Debian 13 with Python 3.13, which is what the real base is, too.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.debian import REQUIRED
from support.image import ROOT, TOOLS, Image, built
from support.lines import wait_for_line

from janitor import __version__

MOUNTED = "/etc/upload-janitor/janitor.yaml"
# Nobody listens there: a sweep finds out at once.
CONFIG = """
version: 1
ledger: sqlite:////var/lib/upload-janitor/janitor.db
http: {listen: "0.0.0.0:10079"}
targets:
  - name: nowhere
    provider: s3
    endpoint_url: http://127.0.0.1:9
    region: us-east-1
    buckets: [bucket]
    access_key_id: nobody
    secret_access_key: ${NOTHING:-nothing}
"""
ASK_THE_KERNEL = """
import json, os, pathlib
lines = pathlib.Path("/proc/self/status").read_text().splitlines()
status = dict(line.split(":", 1) for line in lines)
def writable(path):
    try:
        pathlib.Path(path).write_text("")
    except OSError:
        return False
    return True
print(json.dumps({
    "pid": os.getpid(),
    "ids": [*os.getresuid(), *os.getresgid(), *os.getgroups()],
    "capabilities": [int(status[name], 16) for name in ("CapPrm", "CapEff", "CapBnd")],
    "writable": [path for path in ("/x", "/opt/janitor/x", "/etc/x", "x") if writable(path)],
    "shell": os.access("/bin/sh", os.X_OK) and os.path.getsize("/bin/sh") > 0,
}))
"""


@pytest.fixture(scope="session")
def tools() -> None:
    """Skip where the tools are not there, and say so."""
    missing = [name for name in TOOLS if shutil.which(name) is None]
    missing += [] if os.geteuid() == 0 else ["root"]
    if missing:
        told = f"THE IMAGE IS NOT BUILT: there is no {', no '.join(missing)} here"
        if os.environ.get(REQUIRED):
            pytest.fail(told)
        pytest.skip(told)


@pytest.fixture(scope="session")
def image(tools: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:  # noqa: ARG001  # wants them
    """Build the image, and show its files while the tests run."""
    with built(tmp_path_factory.mktemp("image")) as found:
        yield found


def test_the_image_says_how_to_run_it(image: Image) -> None:
    """The configuration that a cluster reads, whole but for the environment."""
    config = dict(image.config)
    environment = dict(one.split("=", 1) for one in config.pop("Env"))
    labels = config.pop("Labels")

    assert {
        "User": "65532:65532",
        "ExposedPorts": {"10079/tcp": {}},
        "Entrypoint": ["/opt/janitor/bin/janitor"],
        "Cmd": ["--help"],
        "Volumes": {"/var/lib/upload-janitor": {}},
        "WorkingDir": "/var/lib/upload-janitor",
        "StopSignal": "SIGTERM",
    } == config
    assert {"PATH", "HOME", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED"} == set(environment)
    assert __version__ == labels["org.opencontainers.image.version"]


def test_the_room_is_as_bare_as_it_is_meant_to_be(image: Image) -> None:
    """What the other tests run in has no rights, no shell, and one place to write."""
    done = image.run("/opt/janitor/bin/python", "-c", ASK_THE_KERNEL)

    assert {
        "pid": 1,
        "ids": [65532] * 6,
        "capabilities": [0, 0, 0],
        "writable": ["x"],
        "shell": False,
    } == json.loads(done.stdout), done.stderr


def test_it_tells_its_version(image: Image) -> None:
    """The program starts at all."""
    assert f"janitor, version {__version__}\n" == image.janitor("--version").stdout


def test_the_demo_runs(image: Image) -> None:
    """The whole job, over HTTP, with a ledger in memory and on the disk."""
    done = image.janitor("demo")

    assert 0 == done.returncode, done.stderr
    assert "Next: janitor config init" in done.stdout


def test_it_checks_a_config(image: Image) -> None:
    """A good one is fine, and a bad one ends with 78 and its sentence."""
    good = image.janitor("config", "check", "--config", "-", stdin=CONFIG)
    bad = image.janitor("config", "check", "--config", "-", stdin=CONFIG + "mode: perhaps\n")

    assert (0, 78) == (good.returncode, bad.returncode), good.stderr + bad.stderr
    assert "mode" in bad.stderr + bad.stdout


def test_it_has_the_extras(image: Image) -> None:
    """PostgreSQL and Kubernetes need no second image, and time zones are there."""
    code = "import kubernetes, psycopg, zoneinfo; zoneinfo.ZoneInfo('Europe/Berlin')"
    done = image.run("/opt/janitor/bin/python", "-W", "error", "-c", code)

    assert (0, "") == (done.returncode, done.stderr)


def test_what_builds_it_is_not_in_it(image: Image) -> None:
    """Neither the sources, nor the index that it was built from, nor pip in the environment."""
    left = ["src", "wheel", "state", "opt/build", "etc/pip.conf", "root/.cache"]
    packages = next((image.files / "opt" / "janitor" / "lib").glob("*/site-packages"))

    assert [] == [name for name in left if (image.files / name).exists()]
    assert [] == [*packages.glob("pip*"), *packages.glob("setuptools*"), *packages.glob("hatch*")]
    assert [] == [path for path in packages.rglob("*.py") if not _is_compiled(path)]


def _is_compiled(path: Path) -> bool:
    """Tell whether Python finds it compiled; what lies beside no package it never imports."""
    return any((path.parent / "__pycache__").glob(f"{path.stem}.*.pyc"))


def test_without_a_place_for_its_ledger_it_says_so(image: Image) -> None:
    """A read-only directory is an error with a sentence, and not a traceback."""
    _mount_config(image, CONFIG)
    done = image.janitor("sweep", "--config", MOUNTED, state="none")

    assert done.returncode not in {0, 3}
    assert "Traceback" not in done.stderr


def test_the_daemon_is_process_one_and_stops_when_told(image: Image) -> None:
    """The kernel gives process 1 only the signals that it handles."""
    _mount_config(image, CONFIG)
    with subprocess.Popen(  # noqa: S603  # our own program
        image.command(*image.config["Entrypoint"], "serve", "--config", MOUNTED),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for_line(process, "daemon.started")
        os.kill(_child(process.pid), signal.SIGTERM)
        wait_for_line(process, "daemon.stopped")

    assert process.returncode in {0, 143}


def _mount_config(image: Image, text: str) -> None:
    """Put a config where a cluster would mount it."""
    place = image.files / MOUNTED.removeprefix("/")
    place.parent.mkdir(exist_ok=True)
    place.write_text(text, encoding="utf-8")


def _child(parent: int) -> int:
    """Give the only child of a process."""
    children = Path(f"/proc/{parent}/task/{parent}/children").read_text(encoding="ascii")
    (child,) = children.split()
    return int(child)


def test_the_lock_installs_here_too(tmp_path: Path) -> None:
    """With the Python of the tests, which may be another one than the image's."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / "bin" / "python"
    lock = ROOT / "deploy" / "requirements.lock"
    options = ["--quiet", "--require-hashes", "--only-binary", ":all:"]
    for arguments in (["install", *options, "-r", lock], ["check"]):
        done = subprocess.run(  # noqa: S603  # our own program
            [python, "-m", "pip", *arguments],
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )

        assert 0 == done.returncode, done.stdout + done.stderr
