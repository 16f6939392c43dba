"""An upload is known since its first sighting, on both databases."""

from __future__ import annotations

import random
import sqlite3
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.ledger_samples import (
    DAY,
    HOUR,
    LAKE,
    NOW,
    OTHER,
    header_of,
    seen_of,
    upload_of,
)
from support.strategies import law

from janitor.ledger import Ledger, LedgerError, check, open_ledger
from janitor.ledger.sightings import BATCH, identity_hash
from janitor.ledger.types import Seen, Sighting

IDENTITY = ("a/b", "id-1")
FIRST = Sighting(NOW, "run-1", NOW)


@pytest.fixture
def begun(ledger: Ledger) -> Ledger:
    """Give a ledger with two runs."""
    ledger.begin(header_of("run-1"))
    ledger.begin(header_of("run-2"))
    return ledger


def _sight(ledger: Ledger, run: str, at: datetime, seen: Seen) -> Sighting:
    return ledger.sight(LAKE, run, at, [seen])[seen.upload.identity]


def test_the_first_sighting_stays(begun: Ledger) -> None:
    """However often it is seen again, it is known since the first time, in that run."""
    first = _sight(begun, "run-1", NOW, seen_of())
    second = _sight(begun, "run-2", NOW + DAY, seen_of())

    assert FIRST == first == second
    assert {IDENTITY: FIRST} == begun.sightings(LAKE, [IDENTITY], NOW + DAY)


def test_it_outlives_the_process(url: str) -> None:
    """What was seen yesterday is known today."""
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        ledger.sight(LAKE, "run-1", NOW, [seen_of()])
    with open_ledger(url, read_only=True) as ledger:
        known = ledger.sightings(LAKE, [IDENTITY, ("a/b", "other")], NOW)

    assert {IDENTITY: FIRST} == known


def test_other_parts_start_only_the_idle_time_again(begun: Ledger) -> None:
    """A part that arrived is a sign of life, but no new upload."""
    _sight(begun, "run-1", NOW, seen_of(fingerprint="f1"))
    changed = _sight(begun, "run-2", NOW + DAY, seen_of(fingerprint="f2"))
    still = _sight(begun, "run-2", NOW + 2 * DAY, seen_of(fingerprint="f2"))

    assert Sighting(NOW, "run-1", NOW + DAY) == changed == still


def test_parts_that_cannot_be_read_are_never_unchanged(begun: Ledger) -> None:
    """Not knowing twice is not knowing the same."""
    _sight(begun, "run-1", NOW, seen_of(fingerprint=""))
    again = _sight(begun, "run-2", NOW + DAY, seen_of(fingerprint=""))
    known = _sight(begun, "run-2", NOW + 2 * DAY, seen_of(fingerprint="f1"))

    assert NOW + DAY == again.unchanged_since
    assert NOW + 2 * DAY == known.unchanged_since


@pytest.mark.parametrize("initiated", [NOW - 29 * DAY, None])
def test_another_initiation_is_another_upload(begun: Ledger, initiated: datetime | None) -> None:
    """A store that gives an id twice cannot inherit the first one's grace."""
    _sight(begun, "run-1", NOW, seen_of())
    again = _sight(begun, "run-2", NOW + DAY, seen_of(initiated=initiated))

    assert Sighting(NOW + DAY, "run-2", NOW + DAY) == again


def test_vanishing_is_forgiven_within_the_retention(begun: Ledger) -> None:
    """Stores forget uploads in one listing and show them in the next."""
    _sight(begun, "run-1", NOW, seen_of())
    begun.prune(NOW + 30 * DAY)
    back = _sight(begun, "run-2", NOW + 30 * DAY, seen_of())

    assert FIRST == back


def test_pruning_forgets_what_vanished_long_ago(begun: Ledger) -> None:
    """After 30 d nothing is known of it any more."""
    _sight(begun, "run-1", NOW, seen_of())
    begun.prune(NOW + 31 * DAY)

    assert {} == begun.sightings(LAKE, [IDENTITY], NOW + DAY)


def test_containers_do_not_mix(begun: Ledger) -> None:
    """The same key and id in two buckets are two uploads."""
    _sight(begun, "run-1", NOW, seen_of())

    assert {} == begun.sightings(OTHER, [IDENTITY], NOW)


def test_a_clock_that_was_behind_starts_again_when_it_is_put_right(begun: Ledger) -> None:
    """What was "first seen in 1970" has not been known for decades."""
    _sight(begun, "run-1", NOW, seen_of("other"))
    lost = datetime.fromisoformat("1970-01-02T00:00:00Z")
    low = _sight(begun, "run-1", lost, seen_of())
    still_low = _sight(begun, "run-2", lost + DAY, seen_of())
    read = begun.sightings(LAKE, [IDENTITY], NOW + HOUR)
    right = _sight(begun, "run-2", NOW + HOUR, seen_of())

    assert Sighting(lost, "run-1", lost) == low == still_low
    assert Sighting(NOW + HOUR, "run-1", NOW + HOUR) == read[IDENTITY]
    assert Sighting(NOW + HOUR, "run-2", NOW + HOUR) == right


def test_a_clock_that_was_ahead_does_not_stop_the_count_for_years(begun: Ledger) -> None:
    """Once it is right, the count starts at the next sighting."""
    _sight(begun, "run-1", NOW + 9999 * DAY, seen_of())
    right = _sight(begun, "run-2", NOW, seen_of())
    later = _sight(begun, "run-2", NOW + DAY, seen_of())

    assert Sighting(NOW, "run-2", NOW) == right == later


def test_a_small_step_back_takes_nothing_away(begun: Ledger) -> None:
    """What is known since before stays known."""
    _sight(begun, "run-1", NOW, seen_of())
    _sight(begun, "run-2", NOW + 3 * HOUR, seen_of())
    stepped = _sight(begun, "run-2", NOW + 2 * HOUR, seen_of())

    assert FIRST == stepped


def test_a_listing_may_be_longer_than_a_batch(begun: Ledger) -> None:
    """Every candidate comes back once, whatever the size of a batch."""
    count = 2 * BATCH + 1
    candidates = (seen_of(f"id-{number}") for number in range(count))
    sighted = begun.sight(LAKE, "run-1", NOW, candidates)
    known = begun.sightings(LAKE, iter(sighted), NOW)

    assert count == len(sighted)
    assert sighted == known


def test_one_upload_twice_in_a_listing_counts_once(begun: Ledger) -> None:
    """Two different part sets of one upload are a change."""
    twice = [seen_of(fingerprint="f1"), seen_of(fingerprint="f2"), seen_of(fingerprint="f1")]
    begun.sight(LAKE, "run-1", NOW, twice)
    after = begun.sight(LAKE, "run-2", NOW + DAY, twice)

    assert {IDENTITY: Sighting(NOW, "run-1", NOW + DAY)} == after


def test_an_empty_listing_is_nothing(begun: Ledger) -> None:
    """Nothing seen, nothing stored, nothing returned."""
    assert {} == begun.sight(LAKE, "run-1", NOW, [])
    assert {} == begun.sightings(LAKE, [], NOW)


@law
@given(st.tuples(st.text(), st.text()), st.tuples(st.text(), st.text()))
def test_two_uploads_never_share_a_name(one: tuple[str, str], other: tuple[str, str]) -> None:
    """Where the key ends and the id begins matters."""
    assert (one == other) == (identity_hash(one) == identity_hash(other))


def test_no_key_of_the_stores_is_too_strange(begun: Ledger) -> None:
    """NUL, lone surrogates and 1023 bytes are keys like any other."""
    keys = ["\0", "\ud800", "\udfff\ud800", "é" * 511 + "x", "'; DROP TABLE x; --", "\\u0000"]
    candidates = [Seen(upload_of(key=key), "f1") for key in keys]
    sighted = begun.sight(LAKE, "run-1", NOW, candidates)

    assert dict.fromkeys(((key, "id-1") for key in keys), FIRST) == sighted


def test_a_damaged_sighting_is_an_error(tmp_path: Path) -> None:
    """A flipped bit must not pass for an older sighting."""
    path = tmp_path / "janitor.db"
    url = f"sqlite:///{path}"
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        ledger.sight(LAKE, "run-1", NOW, [seen_of()])
    with sqlite3.connect(path) as raw:
        raw.execute("UPDATE janitor_sightings SET first_seen = first_seen - 1024")
    raw.close()
    with open_ledger(url) as ledger:
        with pytest.raises(LedgerError, match="is damaged: restore it"):
            ledger.sight(LAKE, "run-1", NOW, [seen_of()])
        with pytest.raises(LedgerError, match="is damaged: restore it"):
            ledger.sightings(LAKE, [IDENTITY], NOW)

    assert ["sightings: some of lake/raw are damaged"] == check(url)


def test_a_size_beyond_all_stores_is_stored(begun: Ledger) -> None:
    """No store has an upload of 8 EiB, but many have one above 2 GiB."""
    big = replace(seen_of(), size=2**62)

    assert {IDENTITY: FIRST} == begun.sight(LAKE, "run-1", NOW, [big])


def _listing(dice: random.Random) -> list[Seen]:
    """Give a part of thirty uploads, in some order, some with other parts than before."""
    names = dice.sample(range(30), dice.randint(0, 30))
    if dice.random() < 0.5:
        names.sort()
    return [
        replace(
            seen_of(f"id-{name}", dice.choice(["f1", "f1", "f1", "f2", ""])),
            size=dice.choice([None, 5]),
        )
        for name in names
    ]


@pytest.mark.parametrize("seed", range(3))
def test_many_at_once_are_what_they_are_one_by_one(begun: Ledger, seed: int) -> None:
    """However rows are found and written, what is told and kept is the same."""
    dice = random.Random(seed)  # noqa: S311  # a test, no secret
    ever: set[tuple[str, str]] = set()
    for number in range(12):
        at = NOW + number * dice.choice([-1, 1, 1, 8]) * DAY
        listing = _listing(dice)
        ever.update(seen.upload.identity for seen in listing)
        together = begun.sight(LAKE, "run-1", at, listing)
        single: dict[tuple[str, str], Sighting] = {}
        for seen in listing:
            single.update(begun.sight(OTHER, "run-1", at, [seen]))

        assert single == together
        assert begun.sightings(OTHER, ever, at) == begun.sightings(LAKE, ever, at)


def test_a_sighting_of_a_run_that_is_gone_is_damage(tmp_path: Path) -> None:
    """Since when it is known cannot be told."""
    path = tmp_path / "janitor.db"
    url = f"sqlite:///{path}"
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        ledger.sight(LAKE, "run-1", NOW, [seen_of()])
    with sqlite3.connect(path) as raw:
        raw.execute("DELETE FROM janitor_runs")
    raw.close()

    assert ["sightings: some of lake/raw are damaged"] == check(url)
