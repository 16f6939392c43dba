"""Text and times come back exactly, and times sort as they pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.strategies import law

from janitor.ledger.codec import escaped, instant, microseconds, unescaped

any_text = st.text(st.characters(codec=None, exclude_categories=()))
moments = st.datetimes(timezones=st.just(UTC))


@law
@given(any_text)
@example("\0")
@example("\ud800\udc00")
@example("\\u0000")
@example("\\\\u0000\\")
@example("\\ud800\ud800")
def test_any_text_comes_back(text: str) -> None:
    """NUL, lone surrogates and what looks like an escape, too."""
    assert text == unescaped(escaped(text))


@law
@given(any_text)
def test_what_is_stored_can_be_stored_anywhere(text: str) -> None:
    """The escaped text is UTF-8 without a NUL."""
    assert b"\0" not in escaped(text).encode("utf-8")


@law
@given(any_text, any_text)
def test_different_texts_stay_different(one: str, other: str) -> None:
    """No two keys are ever taken for one."""
    assert (one == other) == (escaped(one) == escaped(other))


@law
@given(moments)
def test_any_time_comes_back(moment: datetime) -> None:
    """To the microsecond, from the year 1 to 9999."""
    assert moment == instant(microseconds(moment))


@law
@given(moments, moments)
def test_times_sort_as_they_pass(one: datetime, other: datetime) -> None:
    """Comparing the counts is comparing the times."""
    assert (one < other) == (microseconds(one) < microseconds(other))


def test_the_zone_does_not_matter() -> None:
    """The same instant is the same count."""
    moment = datetime(2026, 3, 29, 1, 30, tzinfo=UTC)

    assert microseconds(moment) == microseconds(moment.astimezone(timezone(timedelta(hours=14))))


def test_a_time_without_a_zone_is_refused() -> None:
    """Nobody would know what it means."""
    with pytest.raises(ValueError, match="must have a time zone"):
        microseconds(datetime(2026, 1, 1))  # noqa: DTZ001  # that is the point
