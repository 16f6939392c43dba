"""The recipe of the image, without building it: `make test-image` does that."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "deploy" / "Dockerfile"
PAGE = ROOT / "docs" / "image.md"
PROJECT: Mapping[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = ("dask", "k8s", "postgres")
LOCKS: Mapping[str, list[str]] = {
    "requirements.lock": [
        *PROJECT["project"]["dependencies"],
        *(one for extra in EXTRAS for one in PROJECT["project"]["optional-dependencies"][extra]),
    ],
    "build.lock": PROJECT["build-system"]["requires"],
}
PIN = re.compile(
    r"^([a-z0-9-]+)==(\S+)(?: ; ([^\\]+))? \\\n((?:    --hash=\S+(?: \\)?\n)+)", re.MULTILINE
)


def instructions(word: str) -> list[str]:
    """Give what the Dockerfile says after each such word, with continued lines joined."""
    text = re.sub(r"^#.*\n", "", DOCKERFILE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    lines = text.replace("\\\n", " ").splitlines()
    return [line.partition(" ")[2].strip() for line in lines if line.startswith(f"{word} ")]


def pins(name: str) -> dict[str, str]:
    """Give the packages of a lock and their versions."""
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    return {package: version for package, version, _, _ in PIN.findall(text)}


def test_hadolint_finds_nothing() -> None:
    """Not even advice."""
    done = subprocess.run(  # noqa: S603  # our own program
        [Path(sys.executable).with_name("hadolint"), "--format", "json", DOCKERFILE],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert (0, []) == (done.returncode, json.loads(done.stdout))


def test_the_base_is_pinned_by_its_digest() -> None:
    """A tag can be moved; both stages stand on the same base, so that the environment fits."""
    (base,) = [value for value in instructions("ARG") if value.startswith("PYTHON_IMAGE=")]

    assert re.fullmatch(r"PYTHON_IMAGE=\S+:3\.13\.\d+-slim-[a-z]+@sha256:[0-9a-f]{64}", base)
    assert ["${PYTHON_IMAGE} AS build", "${PYTHON_IMAGE}"] == instructions("FROM")
    assert base.partition("=")[2] in PAGE.read_text(encoding="utf-8")


def test_the_image_runs_as_a_number_without_a_shell() -> None:
    """Kubernetes' runAsNonRoot knows numbers only, and signals reach only an exec form."""
    assert ["65532:65532"] == instructions("USER")
    assert ['["/opt/janitor/bin/janitor"]'] == instructions("ENTRYPOINT")
    assert ['["--help"]'] == instructions("CMD")
    assert ["SIGTERM"] == instructions("STOPSIGNAL")
    assert ['["/var/lib/upload-janitor"]'] == instructions("VOLUME")
    assert ["10079"] == instructions("EXPOSE")


def test_nothing_is_downloaded_that_is_not_locked() -> None:
    """Every pip that may use a network wants hashes and wheels; the other one may not use it."""
    commands = [one for line in instructions("RUN") for one in line.split("&&") if " pip " in one]

    assert 3 == len(commands)
    for command in commands:
        locked = "--require-hashes" in command and "--only-binary :all:" in command
        assert locked or "--no-index" in command, command
    assert [] == instructions("ADD")


def test_the_final_stage_runs_nothing() -> None:
    """Whatever is in it was copied: no package manager, no compiler, no cache."""
    text = DOCKERFILE.read_text(encoding="utf-8")

    assert "\nRUN" not in text.rpartition("\nFROM")[2]


def test_the_image_tells_what_it_is() -> None:
    """By the labels of the Open Container Initiative."""
    labels = dict(re.findall(r"org\.opencontainers\.image\.(\w+)=\"([^\"]*)\"", _one_label()))

    assert PROJECT["project"]["name"] == labels["title"]
    assert PROJECT["project"]["description"] == labels["description"]
    assert PROJECT["project"]["license"] == labels["licenses"]
    assert {"documentation", "revision", "source", "version"} <= set(labels)


def _one_label() -> str:
    (label,) = instructions("LABEL")
    return label


def test_the_build_sees_only_what_it_copies() -> None:
    """The list of what may go into the context is the list of what the Dockerfile takes."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    copied = {
        source
        for line in instructions("COPY")
        if "--from=" not in line
        for source in line.split()[:-1]
    }

    assert "*" == rules[0]
    assert copied == {rule[1:] for rule in rules if rule.startswith("!")}
    assert "**/__pycache__" == rules[-1]
    assert all((ROOT / source).exists() for source in copied)


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_what_the_project_needs(name: str) -> None:
    """Every dependency is pinned, to a version that the project accepts."""
    pinned = pins(name)
    wanted = [Requirement(text) for text in LOCKS[name]]
    missing = [one.name for one in wanted if canonicalize_name(one.name) not in pinned]
    refused = [
        (str(one), pinned[canonicalize_name(one.name)])
        for one in wanted
        if not one.specifier.contains(pinned[canonicalize_name(one.name)])
    ]

    assert [] == missing
    assert [] == refused


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_is_hashes_and_nothing_else(name: str) -> None:
    """No address, no path, no index: where the packages come from is for the machine to say."""
    text = (ROOT / "deploy" / name).read_text(encoding="utf-8")
    rest = PIN.sub("", text)

    assert len(PIN.findall(text)) == len(pins(name))
    assert (
        "# This file was autogenerated by uv via the following command:\n#    make lock\n" == rest
    )
    assert set() == set(re.findall(r"--hash=(\w+)", text)) - {"sha256"}
    assert [] == re.findall(r"--hash=sha256:(?![0-9a-f]{64}\b)", text)


def test_nothing_of_the_tests_is_in_the_image() -> None:
    """What only checks the janitor does not run beside it."""
    only_tests = {
        canonicalize_name(Requirement(text).name)
        for text in PROJECT["project"]["optional-dependencies"]["test"]
    } - {canonicalize_name(Requirement(text).name) for text in LOCKS["requirements.lock"]}
    only_tests -= {"packaging"}  # Dask needs it, too

    assert "pytest" in only_tests
    assert set() == only_tests & set(pins("requirements.lock"))


def test_the_page_about_the_image_leads_somewhere() -> None:
    """Its links exist, and what it says of files in the image is what the Dockerfile says."""
    text = PAGE.read_text(encoding="utf-8")
    links = re.findall(r"\]\(((?!https?:)[^)#]+)\)", text)

    assert [] == [link for link in links if not (PAGE.parent / link).exists()]
    assert _all_in(["65532", "/opt/janitor", "/var/lib/upload-janitor", "10079"], text)


def _all_in(words: Iterable[str], text: str) -> bool:
    return all(fnmatch(text, f"*{word}*") for word in words)
