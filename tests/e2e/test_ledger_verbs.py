"""`janitor ledger check`, `upgrade` and `audit`, as an operator meets them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.harness import HARNESSES, days

from janitor import cli
from janitor.commands.sandbox import config_for
from janitor.ledger import open_ledger
from janitor.sandbox import Sandbox

CONTAINER = "container"


class Shelf:
    """A config with a ledger, and the command line."""

    def __init__(self, sandbox: Sandbox, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = folder / "janitor.db"
        self.url = f"sqlite:///{self.file}"
        self.config = folder / "janitor.yaml"
        text = config_for(sandbox).replace("ledger: none", f"ledger: {self.url}")
        self.config.write_text(text, encoding="utf-8")
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run one verb with the config."""
        self._capsys.readouterr()
        code = cli.run([*arguments, "-c", str(self.config)])
        return (code, *self._capsys.readouterr())

    def head(self) -> str:
        """Give the hash that the journal ends with."""
        with open_ledger(self.url, read_only=True) as ledger:
            return ledger.head().hash


@pytest.fixture
def shelf(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Shelf]:
    """Serve one stale upload."""
    with Sandbox.start() as sandbox:
        for harness in HARNESSES.values():
            harness.add_container(sandbox, CONTAINER)
        HARNESSES["s3"].add(sandbox, CONTAINER, age=days(9), parts=[days(8)])
        yield Shelf(sandbox, tmp_path, capsys)


def test_check_tells_what_is_there(shelf: Shelf) -> None:
    """The latest runs, the open intents, the end of the journal, and that all is well."""
    shelf.run("sweep")
    shelf.run("sweep")
    code, output, errors = shelf.run("ledger", "check")
    lines = output.splitlines()

    assert (0, "") == (code, errors)
    assert (shelf.url, "the ledger is sound") == (lines[0], lines[-1])
    assert 2 == sum("enforce" in line and "exit code 0" in line for line in lines)
    assert "  0 open intents" in lines
    assert f"  journal of 2 rows, head {shelf.head()}" in lines


def test_check_changes_nothing(shelf: Shelf) -> None:
    """It opens for reading only, and makes no ledger."""
    code, _, errors = shelf.run("ledger", "check")

    assert 1 == code
    assert "problem: there is no ledger" in errors
    assert not shelf.file.exists()


def test_upgrade_makes_a_ledger_and_says_so(shelf: Shelf) -> None:
    """A second time there is nothing to do."""
    made = shelf.run("ledger", "upgrade")
    again = shelf.run("ledger", "upgrade")

    assert (0, 0) == (made[0], again[0])
    assert made[1].startswith("made, at version ")
    assert again[1].startswith("already at version ")


def test_upgrade_waits_for_no_other_janitor(shelf: Shelf) -> None:
    """While one is at work, the exit code says so."""
    shelf.run("ledger", "upgrade")
    with open_ledger(shelf.url) as ledger, ledger.lock():
        code, output, _ = shelf.run("ledger", "upgrade")

    assert (75, "") == (code, output)


def test_audit_follows_the_journal(shelf: Shelf) -> None:
    """Its end can be noted, and compared later."""
    shelf.run("sweep")
    shelf.run("sweep")
    head = shelf.head()
    plain = shelf.run("ledger", "audit")
    same = shelf.run("ledger", "audit", "--expect", head)
    other = shelf.run("ledger", "audit", "--expect", "0" * 64)

    assert (0, f"journal of 2 rows, head {head}\nthe ledger is sound\n", "") == plain == same
    assert (1, f"problem: the head is not the expected {'0' * 64}\n") == (other[0], other[2])


def test_audit_sees_a_changed_row(shelf: Shelf) -> None:
    """Who changes the past is found out."""
    shelf.run("sweep")
    shelf.run("sweep")
    with sqlite3.connect(shelf.file) as connection:
        for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'"):
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute("UPDATE janitor_journal SET upload_id = 'other' WHERE seq = 1")
    connection.close()
    code, _, errors = shelf.run("ledger", "audit")

    assert 1 == code
    assert errors.startswith("problem: ")


@pytest.mark.parametrize("verb", ["check", "audit"])
def test_what_is_no_ledger_is_told(shelf: Shelf, verb: str) -> None:
    """Garbage is neither read nor mended."""
    shelf.file.write_bytes(b"no database" * 1000)
    code, _, errors = shelf.run("ledger", verb)

    assert 1 == code
    assert errors.startswith("problem: ")
    assert b"no database" * 1000 == shelf.file.read_bytes()


@pytest.mark.parametrize("verb", ["check", "upgrade", "audit"])
def test_without_a_ledger_there_is_nothing_to_look_after(shelf: Shelf, verb: str) -> None:
    """`ledger: none` is said, not passed over."""
    text = shelf.config.read_text(encoding="utf-8")
    shelf.config.write_text(text.replace(f"ledger: {shelf.url}", "ledger: none"), encoding="utf-8")
    expected = f"janitor: {shelf.config} says ledger: none, so there is no ledger to look after\n"

    assert (1, "", expected) == shelf.run("ledger", verb)
