"""A ledger that cannot be used: no abort follows, the operator reads why, the file stays."""

from __future__ import annotations

import json
import os
import random
import resource
import shutil
import signal
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.child_handle import Child
from support.child_scene import Scene, scene

MakeScene = Callable[..., Scene]
FAILED, INCOMPLETE, LOCKED = 1, 3, 75
NOBODY = 65534
IMPATIENT = timedelta(seconds=0.2)
ANEW = "restore it from a backup, or move it away to begin anew"


@pytest.fixture
def ripe(make_scene: MakeScene) -> Scene:
    """Give a scene in which four uploads are to be aborted, one after the other."""
    return ripen(make_scene("qingstor"))


def ripen(made: Scene) -> Scene:
    """Let four uploads become ripe."""
    made.configure(execution="{concurrency: 1}")
    made.add_stale("qingstor", 4)
    made.add_slow("qingstor")
    made.mark()
    return made


def overwrite(file: Path) -> None:
    """Put random bytes in the place of everything."""
    file.write_bytes(random.Random(1).randbytes(file.stat().st_size))  # noqa: S311  # no secret


def scratch(file: Path) -> None:
    """Put random bytes in the place of all but the first page."""
    whole = file.read_bytes()
    file.write_bytes(whole[:4096] + random.Random(2).randbytes(len(whole) - 4096))  # noqa: S311  # no secret


def cut_in_half(file: Path) -> None:
    """Lose the second half."""
    os.truncate(file, file.stat().st_size // 2)


def empty(file: Path) -> None:
    """Lose every byte."""
    os.truncate(file, 0)


def become_a_directory(file: Path) -> None:
    """Put a directory in its place."""
    file.unlink()
    file.mkdir()


def lose_the_directory(file: Path) -> None:
    """Put a file in the place of the directory that it was in."""
    shutil.rmtree(file.parent)
    file.parent.write_bytes(b"a file")


def be_of_another_program(file: Path) -> None:
    """Put the database of another program in its place."""
    file.unlink()
    with closing(sqlite3.connect(file)) as other, other:
        other.execute("CREATE TABLE things (name TEXT)")


def tree_of(folder: Path) -> dict[str, bytes | None]:
    """Read all files of a folder; None stands for a folder."""
    if folder.is_file():
        return {".": folder.read_bytes()}
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def left_by_sqlite(tree: dict[str, bytes | None]) -> dict[str, bytes | None]:
    """Leave out what reading a database creates beside it, if that is empty of data."""
    assert tree.pop("janitor.db-wal", b"") == b""
    tree.pop("janitor.db-shm", None)
    return tree


def logged(child: Child, event: str) -> list[dict[str, Any]]:
    """Give the log lines of one event."""
    lines = [json.loads(line) for line in child.errors().splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == event]


def report_of(child: Child) -> dict[str, Any]:
    """Read the report that a child wrote."""
    document: dict[str, Any] = json.loads(child.output())
    return document


def outcome_of(child: Child) -> tuple[str, int]:
    """Give the outcome of the one container, and how many aborts were withheld."""
    (target,) = report_of(child)["targets"]
    return target["outcome"], target["withheld"]


def requests_to_abort(made: Scene) -> int:
    """Count the aborts that were asked for, whatever came of them."""
    return len(made.journal.entries("qingstor.abort"))


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (overwrite, "is no ledger: check the path, or move the file away"),
        (scratch, ANEW),
        (cut_in_half, ANEW),
        (empty, f"is empty, so its records are lost: {ANEW}"),
        (become_a_directory, "is a directory: give the path of a file in it"),
        (lose_the_directory, "cannot be used: check the file, its directory and their permissions"),
        (be_of_another_program, "is another program's database: check the path"),
    ],
)
def test_a_ledger_that_is_unusable_at_the_start(
    ripe: Scene, damage: Callable[[Path], None], sentence: str
) -> None:
    """Exit code 1, a sentence with the remedy, no request at all, and nothing is touched."""
    damage(ripe.file)
    before, requests = tree_of(ripe.file.parent), len(ripe.journal)
    with Child(ripe.orders()) as child:
        ended = child.end()
        errors = child.errors()

    assert FAILED == ended
    assert f"janitor: the ledger {ripe.file} " in errors
    assert sentence in errors
    assert "Traceback" not in errors
    assert before == left_by_sqlite(tree_of(ripe.file.parent))
    assert requests == len(ripe.journal)


@pytest.fixture
def public() -> Iterator[Scene]:
    """Give a ripe scene in a folder that everybody may enter."""
    with tempfile.TemporaryDirectory(prefix="janitor-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        with scene(folder, "qingstor") as made:
            yield ripen(made)
        made.file.parent.chmod(0o755)


@pytest.mark.parametrize("directory", [0o555, 0o777])
def test_a_ledger_that_is_read_only(public: Scene, directory: int) -> None:
    """Somebody without the right to write is told so, whether the directory is his or not."""
    remove_the_lock(public.file)
    public.file.chmod(0o444)
    public.file.parent.chmod(directory)
    before, requests = tree_of(public.file.parent), len(public.journal)
    # To root, all files can be written.
    user = NOBODY if os.geteuid() == 0 else None
    with Child(public.orders(user=user)) as child:
        ended = child.end()
        errors = child.errors()

    assert FAILED == ended, errors
    assert "cannot be written: make the file and its directory writable" in errors
    assert before == left_by_sqlite(tree_of(public.file.parent))
    assert requests == len(public.journal)


def test_another_program_writes_at_the_start(ripe: Scene) -> None:
    """A database that stays locked is not waited for in vain: exit code 1, and why."""
    with closing(sqlite3.connect(ripe.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with Child(ripe.orders(patience=IMPATIENT)) as child:
            ended = child.end()
            errors = child.errors()
        other.execute("ROLLBACK")

    assert FAILED == ended
    assert "is locked by another program: end that program, or try again later" in errors
    assert 0 == requests_to_abort(ripe)


def delete(file: Path) -> None:
    """Delete the ledger."""
    file.unlink()


def replace_by_copy(file: Path) -> None:
    """Put an exact copy in its place, as restoring a backup would."""
    copy = file.with_suffix(".copy")
    shutil.copy2(file, copy)
    copy.replace(file)


def delete_what_was_written_last(file: Path) -> None:
    """Delete the file that SQLite writes to first."""
    file.with_name(f"{file.name}-wal").unlink()


def remove_the_lock(file: Path) -> None:
    """Delete the file that says that a janitor is at work."""
    file.with_name(f"{file.name}.lock").unlink()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (delete, "was deleted or replaced while in use"),
        (replace_by_copy, "was deleted or replaced while in use"),
        (delete_what_was_written_last, "was deleted or replaced while in use"),
        (remove_the_lock, "is no longer locked by us"),
        (empty, "is damaged"),
        (cut_in_half, "is damaged"),
        (scratch, "is damaged"),
        (overwrite, "is damaged"),
    ],
)
def test_a_ledger_that_is_lost_between_plan_and_abort(
    ripe: Scene, damage: Callable[[Path], None], sentence: str
) -> None:
    """What cannot be written down is not done: all is withheld, exit code 3, and why."""
    with Child(ripe.orders(hold_at="plan")) as child:
        child.wait_until_held()
        damage(ripe.file)
        child.let_go()
        ended = child.end()
        (target,) = report_of(child)["targets"]

    assert 0 == requests_to_abort(ripe)
    assert (INCOMPLETE, ("incomplete", 4)) == (ended, outcome_of(child))
    assert sentence in target["error"]


def test_another_program_writes_in_the_middle(ripe: Scene) -> None:
    """Locked between plan and abort: withheld, and the next run finishes."""
    with Child(ripe.orders(hold_at="plan", patience=IMPATIENT)) as child:
        child.wait_until_held()
        with closing(sqlite3.connect(ripe.file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            child.let_go()
            ended = child.end()
            other.execute("ROLLBACK")

    assert 0 == requests_to_abort(ripe)
    assert (INCOMPLETE, ("incomplete", 4)) == (ended, outcome_of(child))
    assert "is locked by another program" in report_of(child)["targets"][0]["error"]
    assert 0 == ripe.sweep().exit_code
    ripe.assert_convergence()


def allow_no_more(child: Child, ripe: Scene) -> None:
    """Let no file of a child grow beyond what the ledger has written so far."""
    written = ripe.file.with_name(f"{ripe.file.name}-wal").stat().st_size
    resource.prlimit(child.pid, resource.RLIMIT_FSIZE, (written, resource.RLIM_INFINITY))


@pytest.mark.parametrize(("marker", "sent"), [("plan", 0), ("result", 1)])
def test_a_disk_that_is_full(ripe: Scene, marker: str, sent: int) -> None:
    """Full before the first abort or after it: no more aborts, and what was done is on record."""
    with Child(ripe.orders(hold_at=marker)) as child:
        child.wait_until_held()
        allow_no_more(child, ripe)
        child.let_go()
        ended = child.end()
        error = report_of(child)["targets"][0]["error"]
    ripe.assert_nothing_is_lost()

    assert sent == requests_to_abort(ripe)
    assert (INCOMPLETE, ("incomplete", 4 - sent)) == (ended, outcome_of(child))
    assert "check disk, quota and file size limit" in error
    assert [] == ripe.open_intents()
    assert 0 == ripe.sweep().exit_code
    ripe.assert_convergence()


def test_a_disk_that_is_full_when_the_reply_comes(ripe: Scene) -> None:
    """Done, but no room to write that down: told, nothing more is sent, the next run looks."""
    with Child(ripe.orders(hold_at="reply")) as child:
        done = child.wait_until_held()
        allow_no_more(child, ripe)
        child.let_go()
        ended = child.end()
        error = report_of(child)["targets"][0]["error"]
    ripe.assert_nothing_is_lost()

    assert {done} == ripe.gone()
    assert (INCOMPLETE, ("incomplete", 3)) == (ended, outcome_of(child))
    assert "check disk, quota and file size limit" in error
    assert [done] == [intent.upload_id for intent in ripe.open_intents()]
    assert 0 == ripe.sweep().exit_code
    ripe.assert_convergence()


def test_a_disk_that_is_full_at_the_end(ripe: Scene) -> None:
    """All aborts are on record, but the run's own end is not: that is no success."""
    with Child(ripe.orders(hold_at="finish")) as child:
        child.wait_until_held()
        allow_no_more(child, ripe)
        child.let_go()
        ended = child.end()
        noticed = [line["detail"] for line in logged(child, "ledger.noticed")]
    ripe.assert_convergence()

    assert INCOMPLETE == ended
    assert "check disk, quota and file size limit" in "\n".join(noticed)


def test_one_janitor_at_a_time(ripe: Scene) -> None:
    """The second says who holds the ledger and exits with 75; a killed holder holds nothing."""
    with Child(ripe.orders(hold_at="lock")) as holder:
        holder.wait_until_held()
        name, requests = f"process {holder.pid} on ", len(ripe.journal)
        second = ripe.folder / "second"
        second.mkdir()
        with Child(ripe.orders(folder=second)) as other:
            locked = other.end()
            (target,) = report_of(other)["targets"]
        holder.send(signal.SIGKILL)
        holder.end()
        with Child(ripe.orders(folder=second)) as third:
            after = third.end()

    assert LOCKED == locked
    assert "locked" == target["outcome"]
    assert name in target["error"]
    assert requests <= len(ripe.journal)
    assert 0 == after
    ripe.assert_convergence()


def test_without_a_ledger_everything_is_new(ripe: Scene) -> None:
    """A ledger that was lost between two runs: the next aborts nothing and says why."""
    ripe.file.unlink()
    with Child(ripe.orders()) as child:
        ended = child.end()
        noticed = [line["detail"] for line in logged(child, "ledger.noticed")]
        kept = {each["reason"] for each in report_of(child)["uploads"]}

    assert 0 == ended
    assert 0 == requests_to_abort(ripe)
    assert "the ledger is new: nothing is aborted" in "\n".join(noticed)
    assert {"first_sighting", "active"} == kept
