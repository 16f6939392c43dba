"""Many threads intend and conclude by few commits, and what that must not change."""

from __future__ import annotations

import shutil
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from sqlalchemy import event
from support.ledger_child import THREADS, child, lines, rest
from support.ledger_samples import HOUR, NOW, decision_of, header_of
from support.postgres import Server

from janitor.ledger import Ledger, check, open_ledger
from janitor.ledger.appending import LARGEST
from janitor.ledger.types import Spent

PATIENCE = 60  # seconds: only a guard against hanging
MANY = 64


@pytest.fixture
def begun(ledger: Ledger) -> Ledger:
    """Give a ledger with a run."""
    ledger.begin(header_of())
    return ledger


def count_commits(ledger: Ledger) -> Callable[[], int]:
    """Give what tells how often was committed from now on."""
    count = 0

    def note(_: object) -> None:
        nonlocal count
        count += 1

    event.listen(ledger._session.engine, "commit", note)  # noqa: SLF001  # it is what is tested
    return lambda: count


def waiting(ledger: Ledger) -> int:
    """Say how many wait to be written down."""
    return len(ledger._journal._end._together._waiting)  # noqa: SLF001  # nobody else can tell


def until(condition: Callable[[], bool]) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@contextmanager
def all_at_once(ledger: Ledger, *calls: Callable[[], int | None]) -> Iterator[list[Future[int]]]:
    """Make calls in threads of their own, all of which wait until the block is left."""
    with (
        ThreadPoolExecutor(len(calls)) as threads,
        ledger._session.reading(),  # noqa: SLF001  # it keeps all others waiting
    ):
        made = []
        for number, call in enumerate(calls, start=1):
            made.append(threads.submit(call))
            until(lambda number=number: waiting(ledger) == number)  # type: ignore[misc]
        yield made  # type: ignore[misc]  # a conclusion gives None


def intending(ledger: Ledger, count: int, run: str = "run-1") -> list[Callable[[], int]]:
    """Give calls that intend to abort different uploads."""
    return [
        lambda number=number: ledger.intend(run, NOW, decision_of(f"id-{number}"))  # type: ignore[misc]
        for number in range(count)
    ]


def told(made: list[Future[int]]) -> list[str]:
    """Give what each call was told."""
    return [str(future.exception(PATIENCE)) for future in made]


def test_all_who_wait_are_written_by_one_commit(begun: Ledger) -> None:
    """One fsync for all; their numbers are those of the order in which they came."""
    with all_at_once(begun, *intending(begun, MANY)) as made:
        commits = count_commits(begun)
        # Ours, which only kept them waiting, is one, too.
    numbers = [future.result(PATIENCE) for future in made]
    written = [record.intent.upload_id for record in begun.uploads_of_run("run-1")]

    assert list(range(1, MANY + 1)) == numbers
    assert [f"id-{number}" for number in range(MANY)] == written
    assert commits() <= 3  # ours, theirs, and that of reading just now
    assert [] == begun.audit()


def test_a_commit_serves_only_so_many(begun: Ledger) -> None:
    """Whoever comes after the bound is in the next one."""
    count = LARGEST + 1
    with all_at_once(begun, *intending(begun, count)) as made:
        commits = count_commits(begun)
    numbers = [future.result(PATIENCE) for future in made]

    assert list(range(1, count + 1)) == numbers
    assert 3 == commits()  # ours and two of theirs
    assert [] == begun.audit()


def test_intents_and_conclusions_share_a_commit(begun: Ledger) -> None:
    """What one thread begins is written together with what another one ends."""
    first, second = (begun.intend("run-1", NOW, decision_of(name)) for name in ("id-1", "id-2"))
    calls = [
        lambda: begun.conclude(first, NOW, "aborted", size_freed=5),
        *intending(begun, 2),
        lambda: begun.conclude(second, NOW, "failed", error="denied"),
    ]
    with all_at_once(begun, *calls) as made:
        commits = count_commits(begun)
    results = [future.result(PATIENCE) for future in made]

    assert [None, 4, 5, None] == results
    assert 2 == commits()  # ours and theirs
    assert [4, 5] == [intent.intent for intent in begun.open_intents()]
    assert [] == begun.audit()


def test_who_is_refused_is_refused_alone(begun: Ledger) -> None:
    """Of two conclusions of one intent the first counts; the others' intents are safe."""
    done = begun.intend("run-1", NOW, decision_of())
    calls = [
        *intending(begun, 1),
        *intending(begun, 1, run="nobody"),
        lambda: begun.conclude(done, NOW, "aborted"),
        lambda: begun.conclude(done, NOW, "failed"),
        lambda: begun.conclude(99, NOW, "failed"),
        *intending(begun, 1),
    ]
    with all_at_once(begun, *calls) as made:
        pass
    errors = told(made)

    assert ["None", "None", "None"] == [errors[0], errors[2], errors[5]]
    assert "knows no run 'nobody': begin it first" in errors[1]
    assert f"has concluded intent {done} before" in errors[3]
    assert "has no intent 99 that could be concluded" in errors[4]
    assert 4 == begun.head().count
    assert [] == begun.audit()


def test_many_threads_write_one_chain(begun: Ledger) -> None:
    """However many come in whatever order, each intent has one number and one conclusion."""
    numbers: list[int] = []

    def work(thread: int) -> None:
        for number in range(5):
            intent = begun.intend("run-1", NOW, decision_of(f"{thread}-{number}"))
            begun.conclude(intent, NOW + HOUR, "aborted", size_freed=5)
            numbers.append(intent)

    with ThreadPoolExecutor(MANY) as threads:
        list(threads.map(work, range(MANY)))

    assert 5 * MANY == len(set(numbers))
    assert 10 * MANY == begun.head().count
    assert [] == begun.open_intents()
    assert [] == begun.audit()


def test_what_was_confirmed_is_on_the_disk(tmp_path: Path) -> None:
    """A copy that is made when an intent is confirmed has it, whoever else is writing."""
    file = tmp_path / "janitor.db"
    speaking = threading.Lock()
    copies: dict[int, Path] = {}

    def copy(intent: int) -> None:
        """Take what is in the files now; the log last, into which all is written first."""
        folder = tmp_path / str(intent)
        folder.mkdir()
        for name in ("janitor.db", "janitor.db-wal"):
            shutil.copyfile(tmp_path / name, folder / name)
        copies[intent] = folder / "janitor.db"

    with open_ledger(f"sqlite:///{file}") as ledger, ThreadPoolExecutor(16) as threads:
        ledger.begin(header_of())

        def work(thread: int) -> None:
            for number in range(4):
                intent = ledger.intend("run-1", NOW, decision_of(f"{thread}-{number}"))
                with speaking:
                    copy(intent)

        list(threads.map(work, range(16)))
    missing = []
    for intent, copied in copies.items():
        with closing(sqlite3.connect(copied)) as raw:
            row = raw.execute("SELECT kind FROM janitor_journal WHERE seq = ?", (intent,))
            if row.fetchall() != [("intent",)]:
                missing.append(intent)

    assert 64 == len(copies)
    assert [] == missing


def test_a_lock_that_was_lost_stops_all_who_wait(tmp_path: Path) -> None:
    """None of them may abort; what was done before is concluded all the same."""
    url = f"sqlite:///{tmp_path}/janitor.db"
    with open_ledger(url) as ledger, ledger.lock():
        ledger.begin(header_of())
        done = ledger.intend("run-1", NOW, decision_of())
        conclude = [lambda: ledger.conclude(done, NOW, "aborted", size_freed=5)]
        with all_at_once(ledger, *intending(ledger, 8), *conclude) as made:
            (tmp_path / "janitor.db.lock").unlink()
        *errors, last = told(made)

    assert [True] * 8 == ["is no longer locked by us" in error for error in errors]
    assert "None" == last
    assert [] == check(url)


def test_a_lost_connection_stops_all_who_wait(postgres: Server) -> None:
    """Each is told the same, nothing of it is written, and the next ones go on."""
    url = postgres.new_url()
    drop = (
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid != pg_backend_pid()"
    )
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        with (
            postgres.connect(url) as raw,
            # The block that keeps them waiting is used up here.
            all_at_once(ledger, *intending(ledger, 8)) as made,
        ):
            raw.execute(drop)
        errors = told(made)
        after = ledger.intend("run-1", NOW, decision_of())

    assert 1 == len(set(errors))
    assert "ended our connection" in errors[0]
    assert 1 == after
    assert [] == check(url)


@pytest.mark.parametrize(
    "statement", ["INSERT INTO janitor_journal ", "DELETE", "UPDATE janitor_journal_head"]
)
def test_a_connection_that_ends_within_a_batch_leaves_nothing_of_it(
    postgres: Server, statement: str
) -> None:
    """Whatever of it was sent: each caller is told the same, and the next ones go on."""
    url = postgres.new_url()
    with open_ledger(url) as ledger, postgres.connect(url) as raw:
        ledger.begin(header_of())
        done = ledger.intend("run-1", NOW, decision_of())
        with ledger._session.reading() as connection:  # noqa: SLF001  # whose server process it is
            ours = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar()

        def end_it(*told: object) -> None:
            if str(told[2]).startswith(statement):
                raw.execute("SELECT pg_terminate_backend(%s, 10000)", [ours])

        event.listen(ledger._session.engine, "before_cursor_execute", end_it)  # noqa: SLF001
        conclude = [lambda: ledger.conclude(done, NOW, "aborted")]
        with all_at_once(ledger, *intending(ledger, 8), *conclude) as made:
            pass
        errors = told(made)
        left = [intent.intent for intent in ledger.open_intents()]
        after = ledger.intend("run-1", NOW, decision_of())

    assert 1 == len(set(errors))
    assert "ended our connection" in errors[0]
    assert ([done], 2) == (left, after)
    assert [] == check(url)


def test_a_full_disk_loses_no_confirmed_intent(tmp_path: Path) -> None:
    """The batch that finds no room is told to all of its threads, and no part of it is kept."""
    url = f"sqlite:///{tmp_path}/janitor.db"
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
    with child("full-in-threads", url) as process:
        heard = rest(process)
    said = {line for line in heard if line.isdigit()}
    errors = [line for line in heard if not line.isdigit()]
    with open_ledger(url) as ledger:
        kept = {str(intent.intent) for intent in ledger.open_intents()}

    assert said
    assert said == kept
    assert THREADS == len(errors)
    assert {True} == {"could not be read or written" in error for error in errors}
    assert [] == check(url)


@pytest.mark.parametrize("count", [1, 50, 500])
def test_a_kill_in_the_middle_loses_no_confirmed_intent(url: str, count: int) -> None:
    """At most one more for each thread is there: what was on its way, all of it or nothing."""
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
    with child("intend-in-threads", url) as process:
        said = lines(process, count)
        process.kill()
        said += rest(process)
    with open_ledger(url) as ledger:
        kept = {str(intent.intent) for intent in ledger.open_intents()}
        head = ledger.head()

    assert set(said) <= kept
    assert len(kept) - len(said) <= THREADS
    assert len(kept) == head.count
    assert [] == check(url)


@pytest.mark.parametrize("verb", ["abort-in-threads", "abort-in-fibers"])
@pytest.mark.parametrize("count", [1, 100, 1000])
def test_a_kill_loses_no_confirmed_conclusion(url: str, verb: str, count: int) -> None:
    """What was concluded is, what was intended is there, and each worker is at one thing more."""
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
    with child(verb, url) as process:
        said = lines(process, count)
        process.kill()
        said += rest(process)
    with open_ledger(url) as ledger:
        kept = ledger.uploads_of_run("run-1")
        rows = ledger.head().count
    intended = {f"intended {record.intent.intent}" for record in kept}
    concluded = {f"concluded {record.intent.intent}" for record in kept if record.outcome}

    assert set(said) <= intended | concluded
    assert len(intended | concluded) - len(set(said)) <= THREADS
    assert rows == len(intended) + len(concluded)
    assert [] == check(url)


def test_everybody_waits_for_a_turn_and_gets_it(begun: Ledger) -> None:
    """First come, first served: an intent does not wait until the others want nothing more."""
    with ThreadPoolExecutor(5) as threads:
        made: list[Future[object]] = []
        with begun._session.reading():  # noqa: SLF001  # it keeps all others waiting
            calls: list[Callable[[], object]] = [
                lambda: begun.begin(header_of("run-2")),
                lambda: begun.intend("run-2", NOW, decision_of()),
                lambda: begun.finish("run-2", NOW, 0),
                begun.spent_by_unfinished_runs,
            ]
            for number, call in enumerate(calls, start=1):
                made.append(threads.submit(call))
                until(lambda number=number: len(begun._session._turns._waiting) == number)  # type: ignore[misc]  # noqa: SLF001
        results = [future.result(PATIENCE) for future in made]

    assert [1, None, Spent(0, 0)] == results[1:]
