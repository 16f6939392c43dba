"""The README is true: its commands run, its configs load, its example is today's output."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from janitor import providers, settings
from janitor.model import Reason
from janitor.plan import Limits

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
VARIABLES = {"QINGSTOR_ACCESS_KEY_ID": "id", "QINGSTOR_SECRET_ACCESS_KEY": "secret"}


def blocks(kind: str) -> list[str]:
    """Give the fenced blocks of one kind."""
    return re.findall(rf"^```{kind}\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)


def commands(kind: str) -> list[str]:
    """Give the command lines of the blocks of one kind, without their comments."""
    lines = [
        line.partition("   #")[0].strip() for text in blocks(kind) for line in text.splitlines()
    ]
    return [line for line in lines if line]


@pytest.mark.parametrize("text", blocks("yaml"))
def test_every_config_in_the_readme_loads(tmp_path: Path, text: str) -> None:
    """Each block is a whole config without a problem."""
    file = tmp_path / "janitor.yaml"
    file.write_text(text, encoding="utf-8")

    assert settings.load(file, VARIABLES).targets


def test_there_is_a_config_for_each_provider() -> None:
    """Nobody has to guess how to begin."""
    found = {name for text in blocks("yaml") for name in re.findall(r"provider: (\w+)", text)}

    assert providers.names() == found


@contextmanager
def sandbox(folder: Path) -> Iterator[None]:
    """Run the README's sandbox command until its config is there, and end it afterwards."""
    (command,) = commands("sh sandbox")
    process = subprocess.Popen(  # noqa: S603  # the README's own words
        [str(BIN / "janitor"), *command.split()[1:], "--ports", "0,0,0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert any("Ctrl-C" in line for line in process.stdout)
        yield
        process.terminate()
        process.communicate(timeout=20)

        assert 0 == process.returncode
    finally:
        process.kill()
        process.wait()


def test_every_command_in_the_readme_runs(tmp_path: Path) -> None:
    """In an empty folder beside a running sandbox, each line ends with 0."""
    with sandbox(tmp_path):
        for command in commands("sh"):
            if command.startswith("make "):
                continue
            done = subprocess.run(  # noqa: S602  # the README's own words are shell
                command,
                shell=True,
                cwd=tmp_path,
                env={"PATH": f"{BIN}:{os.environ['PATH']}"},
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )

            assert (command, 0) == (command, done.returncode), done.stderr


def test_every_target_of_make_exists() -> None:
    """What the README calls with make, make knows (the CI runs the first two for real)."""
    targets = [line.split()[1] for line in commands("sh") if line.startswith("make ")]
    done = subprocess.run(  # noqa: S603  # our own arguments
        ["make", "-n", *targets, "lint", "types", "layers", "format"],  # noqa: S607  # whichever make
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ["demo", "test", "serve", "prometheus"] == targets
    assert 0 == done.returncode, done.stderr


def test_the_example_output_is_what_the_demo_prints() -> None:
    """Only the time of the sweep may differ."""
    done = subprocess.run(  # noqa: S603  # our own program
        [BIN / "janitor", "demo"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"PATH": os.environ["PATH"], "COLUMNS": "80"},
    )
    shown = README.partition("<!-- demo: begin -->\n")[2].partition("<!-- demo: end -->")[0]

    assert f"```text\n{without_time(done.stdout)}```\n" == without_time(shown)


def without_time(text: str) -> str:
    """Replace what changes with the hour, and the age of what is dated in the year 1."""
    text = re.sub(r"\b7\d\d,\d\d\d d\b", "739,940 d", text)
    return re.sub(r"Sweep of [\d-]+ [\d:]+ UTC", "Sweep of 2026-11-20 05:00:00 UTC", text)


def test_every_reason_is_explained() -> None:
    """The table of reasons has all that there are."""
    missing = [reason for reason in set(Reason) - {Reason.STALE} if f"`{reason}`" not in README]

    assert [] == missing


def test_every_link_leads_somewhere() -> None:
    """The promises name their tests, and the tests are there."""
    links = re.findall(r"\]\(((?!https?:)[^)]+)\)", README)

    assert [] == [link for link in links if not (ROOT / link).exists()]
    assert len(links) > 20


def test_every_permission_is_named() -> None:
    """The table of rights names exactly what the providers declare."""
    for name in providers.names():
        for verb, rights in providers.load(name).PERMISSIONS.items():
            for right in rights:
                assert f"`{right}`" in README, (name, verb)


def test_every_limit_is_shown_somewhere() -> None:
    """No limit is a secret."""
    for limit in Limits.__slots__:
        assert limit in README
