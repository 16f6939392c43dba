"""Intents and conclusions are never lost, and budgets are counted from them."""

from __future__ import annotations

import itertools
import threading
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.ledger_samples import (
    ARCHIVE,
    DAY,
    HOUR,
    LAKE,
    NOW,
    decision_of,
    header_of,
)

from janitor.ledger import Ledger, LedgerError, open_ledger
from janitor.ledger.chain import EMPTY
from janitor.ledger.journal import CONCLUSIONS
from janitor.ledger.types import IntentRecord, OpenIntent, Spent
from janitor.model import Outcome

any_text = st.text(st.characters(codec=None, exclude_categories=()), min_size=1)
INITIATED = NOW - 30 * DAY


@pytest.fixture
def begun(ledger: Ledger) -> Ledger:
    """Give a ledger with a run."""
    ledger.begin(header_of())
    return ledger


def test_an_intent_is_open_until_it_is_concluded(begun: Ledger) -> None:
    """What nobody knows the end of is asked for at the next start, oldest first."""
    first = begun.intend("run-1", NOW, decision_of("id-1"))
    second = begun.intend("run-1", NOW + HOUR, decision_of("id-2", size=None))
    third = begun.intend("run-1", NOW, decision_of("id-3", where=ARCHIVE, key=None))
    begun.conclude(first, NOW, "aborted", size_freed=5)

    assert [
        OpenIntent(second, "run-1", NOW + HOUR, LAKE, "a/b", "id-2", INITIATED, None),
        OpenIntent(third, "run-1", NOW, ARCHIVE, None, "id-3", INITIATED, 5),
    ] == begun.open_intents()


def test_an_intent_outlives_the_process(url: str) -> None:
    """It is there after the ledger is opened again, and can be concluded then."""
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        intent = ledger.intend("run-1", NOW, decision_of())
        head = ledger.head()
    with open_ledger(url) as ledger:
        found = [open_intent.intent for open_intent in ledger.open_intents()]
        reopened = ledger.head()
        ledger.conclude(intent, NOW + DAY, "unknown", error="no reply")
        left = ledger.open_intents()

    assert [intent] == found
    assert head == reopened
    assert [] == left


def test_an_intent_is_concluded_once(begun: Ledger) -> None:
    """History is not rewritten, not even by ourselves."""
    intent = begun.intend("run-1", NOW, decision_of())
    begun.conclude(intent, NOW, "aborted")

    with pytest.raises(LedgerError, match=f"has concluded intent {intent} before"):
        begun.conclude(intent, NOW, "failed")


def test_only_an_intent_is_concluded(begun: Ledger) -> None:
    """Neither a number that nobody gave nor a conclusion can be concluded."""
    intent = begun.intend("run-1", NOW, decision_of())
    begun.conclude(intent, NOW, "aborted")

    with pytest.raises(LedgerError, match="has no intent 99 that could be concluded"):
        begun.conclude(99, NOW, "aborted")
    with pytest.raises(LedgerError, match=f"has no intent {intent + 1} that could be concluded"):
        begun.conclude(intent + 1, NOW, "aborted")


def test_a_conclusion_is_one_of_a_closed_list(begun: Ledger) -> None:
    """Every outcome of the model and two of our own; a typing error is a bug."""
    for outcome in (*Outcome, "not_sent", "unknown"):
        begun.conclude(begun.intend("run-1", NOW, decision_of()), NOW, outcome)
    recorded = {record.outcome for record in begun.uploads_of_run("run-1")}

    assert CONCLUSIONS == recorded
    with pytest.raises(ValueError, match="cannot end as 'deleted'"):
        begun.conclude(1, NOW, "deleted")


def test_a_run_shows_what_it_did_and_why(begun: Ledger) -> None:
    """Each intent comes with its reason, its rule and its end."""
    begun.begin(header_of("run-2"))
    begun.intend("run-2", NOW, decision_of())
    intent = begun.intend("run-1", NOW, decision_of())
    begun.conclude(intent, NOW, "failed", error="\0 AccessDenied \ud800")
    opened = OpenIntent(intent, "run-1", NOW, LAKE, "a/b", "id-1", INITIATED, 5)

    assert [
        IntentRecord(opened, "stale", "default", "failed", 0, "\0 AccessDenied \ud800")
    ] == begun.uploads_of_run("run-1")


def test_only_what_surely_took_nothing_is_not_spent(begun: Ledger) -> None:
    """Doubt counts as spent: an open intent, too."""
    for outcome in sorted(CONCLUSIONS):
        begun.conclude(begun.intend("run-1", NOW, decision_of()), NOW, outcome)
    begun.intend("run-1", NOW, decision_of())
    free = 2  # already_gone and not_sent
    spent = len(CONCLUSIONS) + 1 - free

    assert Spent(spent, 5 * spent) == begun.spent_since(NOW, NOW)
    assert Spent(spent, 5 * spent) == begun.spent_by_unfinished_runs()


def test_the_larger_of_planned_and_freed_bytes_is_spent(begun: Ledger) -> None:
    """An unknown size is counted by what was freed."""
    begun.conclude(begun.intend("run-1", NOW, decision_of(size=5)), NOW, "aborted", size_freed=3)
    begun.conclude(begun.intend("run-1", NOW, decision_of(size=5)), NOW, "aborted", size_freed=9)
    begun.conclude(begun.intend("run-1", NOW, decision_of(size=None)), NOW, "aborted", size_freed=7)
    begun.intend("run-1", NOW, decision_of(size=None))

    assert Spent(4, 21) == begun.spent_since(NOW, NOW)


def test_what_was_spent_before_the_moment_does_not_count(begun: Ledger) -> None:
    """The window is closed at its old end: exactly 24 h ago still counts."""
    begun.intend("run-1", NOW, decision_of())
    begun.intend("run-1", NOW + HOUR, decision_of())

    assert Spent(1, 5) == begun.spent_since(NOW + HOUR, NOW + DAY)
    assert Spent(0, 0) == begun.spent_since(NOW + HOUR + timedelta(microseconds=1), NOW + DAY)


def test_what_was_spent_while_the_clock_was_behind_counts_when_it_is_right(begun: Ledger) -> None:
    """A clock that fell back to 1970 for an hour does not give a second budget."""
    begun.intend("run-1", NOW, decision_of())
    begun.intend("run-1", NOW - 20000 * DAY, decision_of())
    soon = NOW + HOUR

    assert Spent(2, 10) == begun.spent_since(soon - DAY, soon)


def test_a_clock_that_was_ahead_does_not_use_up_the_budget_for_years(begun: Ledger) -> None:
    """What is spent after it was put right counts for a day, as always."""
    begun.finish("run-1", NOW + 3000 * DAY, 0)
    begun.intend("run-1", NOW, decision_of())

    assert Spent(1, 5) == begun.spent_since(NOW - DAY, NOW)
    assert Spent(0, 0) == begun.spent_since(NOW + DAY, NOW + 2 * DAY)


def test_everything_can_be_read_from_a_ledger_for_reading(url: str) -> None:
    """`report`, `explain` and `ledger audit` need no right to write."""
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        intent = ledger.intend("run-1", NOW, decision_of())
        head = ledger.head()
    with open_ledger(url, read_only=True) as reader:
        found = (reader.head(), reader.audit(), reader.spent_since(NOW, NOW))
        intents = [opened.intent for opened in reader.open_intents()]
        with pytest.raises(LedgerError, match="was opened for reading only"):
            reader.intend("run-1", NOW, decision_of())

    assert (head, [], Spent(1, 5)) == found
    assert [intent] == intents


def test_a_crash_loop_has_one_budget(ledger: Ledger) -> None:
    """Runs that never finish add up; the first that finishes ends the sum."""
    ledger.begin(header_of("run-1"))
    ledger.intend("run-1", NOW, decision_of())
    ledger.finish("run-1", NOW, 0)
    for name in ("run-2", "run-3"):
        ledger.begin(header_of(name))
        ledger.intend(name, NOW, decision_of())
    crashing = ledger.spent_by_unfinished_runs()
    ledger.finish("run-3", NOW, 0)

    assert Spent(2, 10) == crashing
    assert Spent(0, 0) == ledger.spent_by_unfinished_runs()


def test_a_new_ledger_has_spent_nothing(ledger: Ledger) -> None:
    """Sums of nothing are zero, not unknown."""
    assert Spent(0, 0) == ledger.spent_since(NOW, NOW)
    assert Spent(0, 0) == ledger.spent_by_unfinished_runs()
    assert EMPTY == ledger.head()
    assert [] == ledger.audit()


_numbers = itertools.count()


@settings(
    max_examples=60,
    deadline=None,
    # One ledger for all examples: a new database for each would take minutes.
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(key=any_text, upload_id=any_text, rule=st.text(), error=any_text)
@example(key="\0", upload_id="\ud800", rule="\\", error="\\u0000")
@example(key="\ud800\udc00", upload_id="%s", rule=":x", error="%(x)s")
@example(key="x" * 1023, upload_id="é" * 500, rule="'", error='"')
def test_any_text_comes_back(
    ledger: Ledger, key: str, upload_id: str, rule: str, error: str
) -> None:
    """Whatever bytes a key has, the journal gives them back, and its chain holds."""
    run = f"run {next(_numbers)} {key}"
    ledger.begin(header_of(run))
    decision = replace(decision_of(upload_id, key=key), rule=rule)
    intent = ledger.intend(run, NOW, decision)
    ledger.conclude(intent, NOW, "failed", error=error)
    record = ledger.uploads_of_run(run)[0]

    assert (key, upload_id, run, rule, error) == (
        record.intent.key,
        record.intent.upload_id,
        record.intent.run_id,
        record.rule,
        record.error,
    )
    assert [] == ledger.audit()


def test_many_threads_write_one_chain(begun: Ledger) -> None:
    """Aborts run side by side; their intents line up."""
    numbers: list[int] = []

    def work(thread: int) -> None:
        for number in range(20):
            intent = begun.intend("run-1", NOW, decision_of(f"{thread}-{number}"))
            begun.conclude(intent, NOW, "aborted")
            numbers.append(intent)

    threads = [threading.Thread(target=work, args=(thread,)) for thread in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert 80 == len(set(numbers))
    assert 160 == begun.head().count
    assert [] == begun.audit()
    assert [] == begun.open_intents()


def test_a_number_that_no_column_holds_is_refused(begun: Ledger) -> None:
    """Before it is among others, whom it would take with it."""
    with pytest.raises(LedgerError, match="too large a number"):
        begun.intend("run-1", NOW, decision_of(size=2**63))
    begun.intend("run-1", NOW, decision_of(size=2**63 - 1))

    assert 1 == begun.head().count
