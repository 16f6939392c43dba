"""Builds a real kube-apiserver from Debian's sources, once, into the git-ignored caches.

Debian 12 ships the sources of Kubernetes with everything that the API server
needs, and a Go that builds them. Nothing is installed, and the lists of the
system's apt stay as they are: sources are asked for with lists of our own.
Run as a program it builds what is missing, which takes a few minutes and 2 GiB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

CACHE = Path(__file__).parents[2] / ".tools" / "kube-apiserver"
APISERVER = CACHE / "kube-apiserver"
# Debian 12: later releases have the sources of kubectl only.
SUITE = "bookworm"
GO_PACKAGES = ("golang-1.19-go", "golang-1.19-src")
REPOSITORY = Path("src/k8s.io/kubernetes")
_OPENAPI = "k8s.io/kubernetes/pkg/generated/openapi"
_MARK = "+k8s:openapi-gen="


class CannotBuild(Exception):  # noqa: N818  # it is the reason of a skip
    """What the build needs is not here and cannot be had."""


def build() -> Path:
    """Give the path of kube-apiserver, building it if it is not in the cache."""
    if APISERVER.exists():
        return APISERVER
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as folder:
        work = Path(folder)
        go = _unpack_packages(work)
        _compile(go, work)
        # Only what is whole gets the name that others look for.
        (work / "kube-apiserver").rename(APISERVER)
    return APISERVER


def _unpack_packages(work: Path) -> Path:
    """Fetch and unpack the sources and the compiler; give the root of the compiler."""
    apt = _private_apt(work)
    _run(["apt-get", *apt, "-qq", "update"], work)
    _run(["apt-get", *apt, "-qq", "--download-only", "source", "kubernetes"], work)
    _run(["apt-get", *apt, "-qq", "download", *(f"{name}/{SUITE}" for name in GO_PACKAGES)], work)
    (description,) = work.glob("*.dsc")
    (work / REPOSITORY.parent).mkdir(parents=True)
    _run(["dpkg-source", "--extract", str(description), str(work / REPOSITORY)], work)
    for package in work.glob("golang-*.deb"):
        _run(["dpkg-deb", "--extract", str(package), str(work / "go")], work)
    (root,) = (work / "go/usr/lib").glob("go-*")
    return root


def _private_apt(work: Path) -> list[str]:
    """Make lists of our own, so that asking for sources changes nothing for anybody else."""
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / "apt" / folder).mkdir(parents=True)
    sources = work / "apt" / "sources.list"
    uri, signed_by = _mirror()
    option = f"[signed-by={signed_by}] " if signed_by else ""
    lines = (f"{kind} {option}{uri} {SUITE} main\n" for kind in ("deb", "deb-src"))
    sources.write_text("".join(lines), encoding="utf-8")
    chosen = {
        "Dir::Etc::sourcelist": sources,
        "Dir::Etc::sourceparts": "/dev/null",
        "Dir::State::lists": work / "apt/lists",
        "Dir::Cache": work / "apt/cache",
        "Acquire::Languages": "none",
        # The unprivileged user of apt's downloads may not write here.
        "APT::Sandbox::User": "root",
    }
    return [word for key, value in chosen.items() for word in ("-o", f"{key}={value}")]


def _mirror() -> tuple[str, str]:
    """Find where this system has its Debian from, and the key that signs it."""
    told = _run(["apt-get", "indextargets", "--format", "$(REPO_URI) $(SIGNED_BY)"], Path.cwd())
    for line in told.splitlines():
        uri, _, signed_by = line.partition(" ")
        if uri.rstrip("/").endswith("/debian"):
            # Sources that name no key leave the placeholder: then apt's own keys hold.
            return uri, signed_by.strip() if signed_by.startswith("/") else ""
    msg = "this system has no Debian mirror among its package sources"
    raise CannotBuild(msg)


def _compile(go: Path, work: Path) -> None:
    """Build as Debian's rules do: without modules, and with the vendored code only."""
    repository = work / REPOSITORY
    environment = {
        "PATH": f"{go / 'bin'}:{os.environ['PATH']}",
        "HOME": str(work),
        "GOROOT": str(go),
        "GOPATH": str(work),
        "GOCACHE": str(work / "go-cache"),
        "GO111MODULE": "off",
        "GOFLAGS": "-buildvcs=false",
        "CGO_ENABLED": "0",
    }
    generator = work / "openapi-gen"
    source = "./vendor/k8s.io/kube-openapi/cmd/openapi-gen"
    _run(["go", "build", "-o", str(generator), source], repository, environment)
    _run(
        [
            str(generator),
            "--input-dirs",
            ",".join(_documented(repository)),
            "--output-package",
            _OPENAPI,
            "--output-file-base",
            "zz_generated.openapi",
            "--output-base",
            str(work / "src"),
            "--go-header-file",
            str(repository / "hack/boilerplate/boilerplate.generatego.txt"),
            "--report-filename",
            str(work / "violations"),
        ],
        repository,
        environment,
    )
    target = ["-o", str(work / "kube-apiserver"), "./cmd/kube-apiserver"]
    _run(["go", "build", "-ldflags=-s -w", *target], repository, environment)


def _documented(repository: Path) -> list[str]:
    """Name the packages that ask to be described in the OpenAPI document."""
    found = set()
    for root, prefix in (
        (repository / "staging/src/k8s.io", "k8s.io/kubernetes/vendor/k8s.io"),
        (repository / "pkg", "k8s.io/kubernetes/pkg"),
        (repository / "cmd", "k8s.io/kubernetes/cmd"),
    ):
        for file in root.rglob("*.go"):
            if not {"testdata", "_examples"} & set(file.parts) and _asks(file):
                found.add(f"{prefix}/{file.parent.relative_to(root)}")
    return sorted(found)


def _asks(file: Path) -> bool:
    lines = file.read_text(encoding="utf-8").splitlines()
    return any(line.lstrip("/ ").startswith(_MARK) and line.startswith("//") for line in lines)


def _run(command: list[str], folder: Path, environment: dict[str, str] | None = None) -> str:
    path = None if environment is None else environment["PATH"]
    program = shutil.which(command[0], path=path)
    if program is None:
        msg = f"there is no {command[0]} here"
        raise CannotBuild(msg)
    done = subprocess.run(  # noqa: S603  # our own command
        [program, *command[1:]],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        msg = f"{' '.join(command)[:200]} failed: {done.stderr[-2000:]}"
        raise CannotBuild(msg)
    return done.stdout


if __name__ == "__main__":  # for the Makefile
    try:
        print(build())  # noqa: T201  # what it is for
    except CannotBuild as reason:
        sys.exit(f"no kube-apiserver: {reason}")
