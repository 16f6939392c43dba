"""What the package promises about itself."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from support.ledger_samples import NOW, decision_of, header_of

from janitor.errors import JanitorError
from janitor.ledger import LedgerError, Locked, errors, open_ledger
from janitor.ledger.errors import __doc__ as drawn


def test_every_error_is_a_janitors_error() -> None:
    """Whoever catches the root catches these, and the tree is drawn where it lives."""
    own = {name for name, thing in vars(errors).items() if isinstance(thing, type)}

    assert JanitorError is LedgerError.__base__
    assert LedgerError is Locked.__base__
    assert {"JanitorError", "LedgerError", "Locked"} == own
    assert all(name in (drawn or "") for name in own)


def test_sqlite_is_told_to_lose_nothing(tmp_path: Path) -> None:
    """The settings that durability hangs on are the ones in force."""
    expected = {
        "journal_mode": "wal",
        "synchronous": 2,  # FULL
        "foreign_keys": 1,
        "recursive_triggers": 1,
        "busy_timeout": 10_000,
    }
    with (
        open_ledger(f"sqlite:///{tmp_path}/janitor.db") as ledger,
        ledger._session.reading() as connection,  # noqa: SLF001  # there is no other way to ask
    ):
        found = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in expected
        }

    assert expected == found


def test_a_ledger_for_reading_cannot_write(tmp_path: Path) -> None:
    """SQLite itself would refuse."""
    url = f"sqlite:///{tmp_path}/janitor.db"
    open_ledger(url).close()
    with (
        open_ledger(url, read_only=True) as ledger,
        pytest.raises(LedgerError, match="cannot be written"),
        ledger._session.reading() as connection,  # noqa: SLF001  # past all our own guards
    ):
        connection.exec_driver_sql("DELETE FROM janitor_plans")


@pytest.mark.parametrize("name", ["a b.db", "a%20b.db", "a?b.db", "a#b.db", "é\U0001f5d1.db", "'"])
def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    """What has a meaning in an address has none in a path."""
    (tmp_path / "own").mkdir()
    path = tmp_path / "own" / name
    quoted = str(path).replace("%", "%25").replace("?", "%3F").replace("#", "%23")
    with open_ledger(f"sqlite:///{quoted}") as ledger:
        ledger.begin(header_of())

    assert path.name in {found.name for found in path.parent.iterdir()}


def test_a_relative_path_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A process that changes its directory does not lose its ledger."""
    monkeypatch.chdir(tmp_path)
    with open_ledger("sqlite:///janitor.db") as ledger:
        ledger.begin(header_of())
        os.chdir("/")
        intent = ledger.intend("run-1", NOW, decision_of())

    assert 1 == intent
    assert [tmp_path / "janitor.db"] == list(tmp_path.iterdir())


def test_a_link_leads_to_one_ledger(tmp_path: Path) -> None:
    """By either name it is the same ledger, and the same lock."""
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "janitor.db")
    with open_ledger(f"sqlite:///{link}") as ledger:
        ledger.begin(header_of())
        with ledger.lock(), open_ledger(f"sqlite:///{tmp_path}/janitor.db") as other:
            with pytest.raises(Locked), other.lock():
                pass
            history = other.history(1)

    assert ["run-1"] == [run.run_id for run in history]


def test_a_backup_in_another_mode_is_used_as_a_ledger(tmp_path: Path) -> None:
    """`VACUUM INTO` makes a copy without a log; opening it brings the log back."""
    url = f"sqlite:///{tmp_path}/janitor.db"
    copy = tmp_path / "copy.db"
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
    with closing(sqlite3.connect(tmp_path / "janitor.db")) as raw:
        raw.execute("VACUUM INTO ?", (str(copy),))
    with open_ledger(f"sqlite:///{copy}") as ledger:
        ledger.intend("run-1", NOW, decision_of())
        log = copy.with_name("copy.db-wal").exists()

    assert log
