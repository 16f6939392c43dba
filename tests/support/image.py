"""Builds the image with buildah on a base made from Debian's packages, and runs what is in it.

Wants root, and Debian's buildah and debootstrap. The base is Debian 13 with Python 3.13, which is
what the real base is, too.
"""

from __future__ import annotations

import configparser
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from janitor import __version__
from support.debian import CACHE

ROOT = Path(__file__).parents[2]
ROOM = ROOT / "tests" / "support" / "image_room.sh"
BASE = CACHE / "image-base"
TOOLS = ("buildah", "chroot", "debootstrap", "mount", "setpriv", "unshare")
# Where the machine trusts more authorities than Python does, as behind a company's proxy.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
STATE = "uid=65532,gid=65532,mode=0700"


@dataclass(frozen=True)
class Image:
    """What was built: its configuration, and its files."""

    config: Mapping[str, Any]
    files: Path

    def command(self, *arguments: str, state: str = STATE) -> list[str | Path]:
        """Give the command that runs arguments in it, the entry point before them."""
        run = ["unshare", "--mount", "--pid", "--net", "--ipc", "--uts", "--fork", "--kill-child"]
        return [*run, "sh", ROOM, self.files, state, *self.config["Env"], *arguments]

    def janitor(self, *arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        """Run the janitor in it."""
        return self.run(*self.config["Entrypoint"], *arguments, **more)

    def run(
        self, *arguments: str, stdin: str = "", state: str = STATE
    ) -> subprocess.CompletedProcess[str]:
        """Run any program in it."""
        return subprocess.run(  # noqa: S603  # our own program
            self.command(*arguments, state=state),
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@contextmanager
def built(folder: Path) -> Iterator[Image]:
    """Build the image in a folder, show its files meanwhile, and remove all of it in the end."""
    with _store(folder) as buildah:
        _build_base(buildah)
        _build(buildah, folder)
        name = buildah("from", "localhost/upload-janitor")
        files = Path(buildah("mount", name))
        inspected = json.loads(buildah("inspect", "--type", "image", "localhost/upload-janitor"))
        yield Image(inspected["OCIv1"]["config"], files)


@contextmanager
def _store(folder: Path) -> Iterator[Any]:
    """Give a buildah with a store of its own, and remove both in the end."""
    places = ["--root", str(folder / "store"), "--runroot", str(folder / "run")]
    options = [*places, "--storage-driver", "vfs"]

    def buildah(*arguments: str | Path) -> str:
        done = subprocess.run(  # noqa: S603  # our own arguments
            ["buildah", *options, *arguments],  # noqa: S607  # wherever Debian put it
            capture_output=True,
            text=True,
            check=False,
            timeout=1500,
        )
        assert done.returncode == 0, (
            f"buildah {arguments[0]}: {(done.stdout + done.stderr)[-3000:]}"
        )
        return str(done.stdout.strip())

    try:
        yield buildah
    finally:
        buildah("umount", "--all")
        buildah("rm", "--all")
        shutil.rmtree(folder)


def _build_base(buildah: Any) -> None:
    """Make what stands for python:3.13-slim: Debian 13 with its own Python."""
    if not BASE.is_dir():
        CACHE.mkdir(exist_ok=True)
        fresh = BASE.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        include = "--include=python3,python3-pip,ca-certificates"
        options = ["--variant=minbase", include, "trixie"]
        subprocess.run(  # noqa: S603  # our own arguments
            ["debootstrap", *options, fresh, "http://deb.debian.org/debian"],  # noqa: S607
            check=True,
            capture_output=True,
            timeout=1200,
        )
        (fresh / "usr" / "local" / "bin" / "python").symlink_to("/usr/bin/python3")
        fresh.rename(BASE)
    name = buildah("from", "scratch")
    buildah("add", "--quiet", name, BASE, "/")
    path = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
    buildah("config", "--env", f"PATH={path}", name)
    buildah("commit", "--quiet", name, "localhost/base")


def _build(buildah: Any, folder: Path) -> None:
    """Build what is committed, as docs/image.md says; the machine's own index comes as a secret."""
    source = folder / "source"
    subprocess.run(  # noqa: S603  # our own arguments
        ["git", "clone", "--quiet", "--no-hardlinks", ROOT, source],  # noqa: S607
        check=True,
        timeout=60,
    )
    secret = folder / "pip.conf"
    secret.write_text(_pip_configuration(), encoding="utf-8")
    options: list[str | Path] = ["--isolation", "chroot", "--build-arg", "VERSION=" + __version__]
    options += ["--build-arg", "PYTHON_IMAGE=localhost/base"]
    options += ["--secret", f"id=pip.conf,src={secret}"]
    if AUTHORITIES.exists():
        options += ["--volume", f"{AUTHORITIES}:{AUTHORITIES}:ro"]
    tag = ["--tag", "localhost/upload-janitor"]
    buildah("build", *options, *tag, "--file", source / "deploy" / "Dockerfile", source)


def _pip_configuration() -> str:
    """Write down where this machine's pip finds packages, as far as it works in another root."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    config = configparser.ConfigParser(interpolation=None)
    config["global"] = {"cert": str(AUTHORITIES)} if AUTHORITIES.exists() else {}
    for line in listed.stdout.splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key in {"index-url", "trusted-host", "proxy"}:
            config["global"][key] = value.strip("'")
    lines = [f"{key} = {value}\n" for key, value in config["global"].items()]
    return "[global]\n" + "".join(lines)
