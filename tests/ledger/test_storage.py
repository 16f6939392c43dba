"""Storage that cannot be trusted is told in one sentence and left as it was."""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from support.ledger_child import child, rest
from support.ledger_samples import DAY, HOUR, LAKE, NOW, decision_of, header_of, seen_of

from janitor.ledger import Ledger, LedgerError, check, open_ledger
from janitor.ledger import sqlite as sqlite_ledger
from janitor.ledger.types import Beginning

NO_PATIENCE = timedelta(0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give where a ledger would be."""
    return tmp_path / "janitor.db"


@pytest.fixture
def filled(path: Path) -> Path:
    """Give a ledger of several pages in each of its tables."""
    with open_ledger(_url(path)) as ledger:
        ledger.begin(header_of())
        ledger.sight(LAKE, "run-1", NOW, [seen_of(f"id-{number}") for number in range(300)])
        for number in range(60):
            intent = ledger.intend("run-1", NOW, decision_of(f"id-{number}"))
            if number % 2:
                ledger.conclude(intent, NOW, "aborted", size_freed=5)
        ledger.finish("run-1", NOW, 0)
    return path


@pytest.fixture
def shared() -> Iterator[Path]:
    """Give a directory that another user can reach."""
    with tempfile.TemporaryDirectory(prefix="janitor-ledger-") as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def _damage(path: Path, table: str) -> None:
    """Write nonsense over the first page of a table."""
    with closing(sqlite3.connect(path)) as raw:
        query = "SELECT rootpage FROM sqlite_master WHERE name = ?"
        (page,) = raw.execute(query, [table]).fetchone()
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 4096)


def _refusal(path: Path) -> str:
    """Give what is told when the ledger is opened, which must change nothing."""
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(LedgerError) as caught:
        open_ledger(_url(path), patience=NO_PATIENCE)
    after = path.read_bytes() if path.is_file() else None

    assert before == after
    return str(caught.value)


def test_a_new_ledger_is_private_and_leaves_nothing_beside_it(path: Path) -> None:
    """It names buckets and keys: nobody else may read it."""
    with open_ledger(_url(path)) as ledger:
        began = ledger.begin(header_of())

    assert Beginning(fresh=True, changed_targets=frozenset(), runs_before=0) == began
    assert 0o600 == path.stat().st_mode & 0o777
    assert [path] == list(path.parent.iterdir())


def test_an_empty_file_is_no_new_ledger(path: Path) -> None:
    """SQLite would take it for one, and forget every sighting."""
    path.touch()

    assert (
        f"the ledger {path} is empty, so its records are lost:"
        " restore it from a backup, or move it away to begin anew"
    ) == _refusal(path)


def test_a_file_that_is_no_database_is_refused(path: Path) -> None:
    """A path that was mistyped must not cost somebody a file."""
    path.write_bytes(b"precious" * 1000)

    assert (
        f"the ledger {path} is no ledger: check the path, or move the file away"
        " (file is not a database)"
    ) == _refusal(path)


def test_the_database_of_another_program_is_refused(path: Path) -> None:
    """We add no tables to what is not ours."""
    with closing(sqlite3.connect(path)) as raw:
        raw.execute("CREATE TABLE theirs (x)")

    assert f"the ledger {path} is another program's database: check the path" == _refusal(path)


def test_a_directory_is_refused(path: Path) -> None:
    """A volume that was mounted one level too deep looks like this."""
    path.mkdir()

    assert f"the ledger {path} is a directory: give the path of a file in it" == _refusal(path)


def test_a_pipe_is_refused_without_waiting_for_it(path: Path) -> None:
    """Opening a FIFO would wait for ever."""
    os.mkfifo(path)

    assert f"the ledger {path} is not a file: give another path" == _refusal(path)


def test_a_missing_directory_is_not_made(path: Path) -> None:
    """A volume that was not mounted must not be replaced by a directory that is forgotten."""
    missing = path.parent / "volume" / "janitor.db"

    assert (
        f"the ledger {missing} cannot be created: create the directory {missing.parent}"
    ) == _refusal(missing)
    assert [] == list(path.parent.iterdir())


@pytest.mark.parametrize("suffix", ["-wal", "-journal"])
def test_the_remains_of_a_lost_ledger_are_not_overwritten(path: Path, suffix: str) -> None:
    """SQLite would mix the old ledger's last pages into the new one."""
    orphan = path.with_name(path.name + suffix)
    orphan.write_bytes(b"the last commits")

    assert (
        f"the ledger {path} is gone, but not {orphan}: restore it, or move that away"
    ) == _refusal(path)
    assert b"the last commits" == orphan.read_bytes()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_a_truncated_ledger_is_refused(filled: Path, share: float) -> None:
    """A disk that was full when it was copied leaves one like this."""
    os.truncate(filled, int(filled.stat().st_size * share))

    assert "is damaged: restore it from a backup, or move it away to begin anew" in _refusal(filled)


@pytest.mark.parametrize("size", [1, 99, 511])
def test_a_ledger_without_its_first_page_is_refused(filled: Path, size: int) -> None:
    """Not even the header is whole."""
    os.truncate(filled, size)

    assert f"the ledger {filled} is " in _refusal(filled)


def _state(ledger: Ledger) -> object:
    """Give all that decides about an abort."""
    names = [seen_of(f"id-{number}").upload.identity for number in range(300)]
    return (
        ledger.sightings(LAKE, names, NOW + DAY),
        ledger.open_intents(),
        ledger.spent_since(NOW - DAY, NOW),
        ledger.uploads_of_run("run-1"),
        ledger.head(),
    )


def _state_or_trouble(path: Path) -> object:
    """Give all that decides, or None where something is found to be wrong."""
    if check(_url(path)):
        return None
    try:
        with open_ledger(_url(path)) as ledger:
            return _state(ledger)
    except LedgerError:
        return None


def test_random_damage_is_found_or_harmless(filled: Path, tmp_path: Path) -> None:
    """Wherever bytes change, no sighting gets older, no intent and no budget gets lost."""
    with open_ledger(_url(filled), read_only=True) as ledger:
        whole = _state(ledger)
    content = filled.read_bytes()
    dice = random.Random(20261120)  # noqa: S311  # damage, not secrets
    hurt = tmp_path / "hurt.db"
    found = 0
    for _ in range(80):
        position = dice.randrange(len(content))
        length = dice.choice([1, 2, 16, 600])
        damage = dice.randbytes(min(length, len(content) - position))
        hurt.write_bytes(content[:position] + damage + content[position + len(damage) :])
        state = _state_or_trouble(hurt)
        found += state is None

        assert state in (None, whole)
    assert found > 15


def test_a_large_ledger_is_not_read_to_its_end_when_it_is_opened(
    filled: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who uses what is damaged there is told, and so is who checks; it never passes for nothing."""
    _damage(filled, "janitor_sightings")
    refused = _refusal(filled)
    monkeypatch.setattr(sqlite_ledger, "_LARGE", 0)
    with (
        open_ledger(_url(filled)) as ledger,
        pytest.raises(LedgerError, match="is damaged: restore it from a backup"),
    ):
        ledger.sight(LAKE, "run-1", NOW, [seen_of(f"id-{n}") for n in range(300)])

    assert "is damaged: restore it from a backup" in refused
    assert ["is damaged" in problem for problem in check(_url(filled))] == [True]


@pytest.mark.parametrize("table", ["janitor_runs", "janitor_targets", "janitor_clock"])
def test_a_large_ledger_with_damage_in_a_small_table_is_refused(
    filled: Path, monkeypatch: pytest.MonkeyPatch, table: str
) -> None:
    """Those are read in any case."""
    _damage(filled, table)
    monkeypatch.setattr(sqlite_ledger, "_LARGE", 0)

    assert "is damaged: restore it from a backup" in _refusal(filled)


def test_damage_in_mid_run_is_an_error(filled: Path) -> None:
    """What was whole at the start may not be whole at the end."""
    with open_ledger(_url(filled)) as ledger:
        size = filled.stat().st_size
        with filled.open("r+b") as file:
            for page in range(4096, size, 4096):
                file.seek(page)
                file.write(b"\xff" * 4096)

        with pytest.raises(LedgerError, match="is damaged: restore it from a backup"):
            ledger.sight(LAKE, "run-1", NOW, [seen_of(f"id-{n}") for n in range(300)])


def test_a_ledger_that_somebody_else_locks_is_told(filled: Path) -> None:
    """We wait a while, and then say so instead of hanging."""
    with closing(sqlite3.connect(filled, isolation_level=None)) as other:
        with open_ledger(_url(filled), patience=timedelta(milliseconds=1)) as ledger:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LedgerError, match="is locked by another program"):
                ledger.intend("run-1", NOW, decision_of())
            other.execute("ROLLBACK")
            intent = ledger.intend("run-1", NOW, decision_of())
        other.execute("BEGIN IMMEDIATE")
        told = _refusal(filled)

    assert 91 == intent
    assert "is locked by another program: end that program, or try again later" in told


def test_a_full_disk_loses_no_confirmed_intent(filled: Path) -> None:
    """The first intent that finds no room is told, and all before it are kept."""
    with child("full", _url(filled)) as process:
        *said, told = rest(process)
    with open_ledger(_url(filled)) as ledger:
        kept = [str(i.intent) for i in ledger.open_intents() if i.at == NOW + HOUR]

    assert said
    assert f"the ledger {filled} could not be read or written" in told
    assert said == kept
    assert [] == check(_url(filled))


def test_no_room_for_a_new_ledger_leaves_nothing(path: Path) -> None:
    """Half a ledger would be taken for a damaged one."""
    with child("no-room", _url(path)) as process:
        told = rest(process)

    assert 1 == len(told)
    assert f"the ledger {path} could not be" in told[0]
    assert [] == list(path.parent.iterdir())


@pytest.mark.parametrize("deed", ["deleted", "replaced", "without its log"])
def test_a_ledger_that_is_taken_away_in_mid_run_stops_the_intents(filled: Path, deed: str) -> None:
    """Writing on would write into a file that nobody will ever find again."""
    copy = filled.with_name("copy.db")
    shutil.copyfile(filled, copy)
    with open_ledger(_url(filled)) as ledger:
        if deed == "deleted":
            filled.unlink()
        elif deed == "replaced":
            copy.replace(filled)
        else:
            filled.with_name(filled.name + "-wal").unlink()

        with pytest.raises(LedgerError, match="was deleted or replaced while in use"):
            ledger.intend("run-1", NOW, decision_of())


def _as_nobody() -> str:
    """Say whom to be: for root, no file is read-only."""
    return "nobody" if os.geteuid() == 0 else ""


@pytest.mark.parametrize("what", ["file", "directory"])
def test_a_ledger_that_cannot_be_written_is_told_at_once(shared: Path, what: str) -> None:
    """Not at the first abort, but before anything is listed."""
    path = shared / "janitor.db"
    open_ledger(_url(path)).close()
    path.chmod(0o444 if what == "file" else 0o666)
    shared.chmod(0o777 if what == "file" else 0o555)
    before = path.read_bytes()
    with child("open", _url(path), user=_as_nobody()) as process:
        told = rest(process)

    assert before == path.read_bytes()
    assert 1 == len(told)
    assert f"the ledger {path} cannot be" in told[0]
    assert "make the file and its directory" in told[0]


def test_a_directory_that_cannot_be_written_gets_no_ledger(shared: Path) -> None:
    """The sentence names the ledger and what to look at."""
    path = shared / "janitor.db"
    shared.chmod(0o555)
    with child("open", _url(path), user=_as_nobody()) as process:
        told = rest(process)

    assert [] == list(shared.iterdir())
    assert 1 == len(told)
    assert f"the ledger {path} cannot be used: check the file, its directory" in told[0]


def test_a_ledger_can_be_read_where_nothing_can_be_written(shared: Path) -> None:
    """`explain` and `report` work on a copy on read-only media."""
    path = shared / "janitor.db"
    with open_ledger(_url(path)) as ledger:
        ledger.begin(header_of())
    path.chmod(0o444)
    shared.chmod(0o555)
    with child("read", _url(path), user=_as_nobody()) as process:
        said = rest(process)

    assert ["['run-1']"] == said


def test_reading_a_missing_ledger_makes_none(path: Path) -> None:
    """It acts as an empty one."""
    with open_ledger(_url(path), read_only=True) as ledger:
        history = ledger.history(1)
        with pytest.raises(LedgerError, match="was opened for reading only"):
            ledger.begin(header_of())

    assert [] == history
    assert [] == list(path.parent.iterdir())
    assert [f"there is no ledger {path}: the next sweep makes one"] == check(_url(path))


def test_reading_changes_nothing_even_after_a_crash(filled: Path) -> None:
    """The log that a killed janitor left is read, and left for the next one to take over."""
    with child("intend", _url(filled)) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.kill()
    log = filled.with_name(filled.name + "-wal")
    before = (filled.read_bytes(), log.read_bytes())
    with open_ledger(_url(filled), read_only=True) as ledger:
        found = any(intent.intent == 91 for intent in ledger.open_intents())

    assert found
    assert before == (filled.read_bytes(), log.read_bytes())


def test_a_closed_ledger_says_so(path: Path) -> None:
    """Nothing is opened again by accident."""
    ledger = open_ledger(_url(path))
    ledger.close()
    ledger.close()

    with pytest.raises(LedgerError, match="was closed"):
        ledger.head()


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite://", "names no file, all would be forgotten"),
        ("sqlite:///:memory:", "names no file, all would be forgotten"),
        ("sqlite:///file:x?mode=memory", "names no file, all would be forgotten"),
        ("sqlite:///x.db?mode=ro", "holds more than a path"),
        ("sqlite://host/x.db", "holds more than a path"),
        ("mysql://u:hunter2@host/x", "cannot be kept in mysql: write sqlite:///janitor.db"),
        ("postgresql://u:hunter2@host/x", "cannot be kept in postgresql: write"),
        ("hunter2", "cannot be read: write sqlite:///janitor.db"),
    ],
)
def test_a_url_that_cannot_be_a_ledger_is_told_without_its_password(url: str, told: str) -> None:
    """Each mistake has its remedy, and no secret is repeated."""
    with pytest.raises(LedgerError) as caught:
        open_ledger(url)

    assert told in str(caught.value)
    assert "hunter2" not in str(caught.value)
