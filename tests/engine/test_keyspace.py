"""Texts between two keys: always between them, and where many keys are on both sides."""

from __future__ import annotations

from math import inf

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from janitor.engine.keyspace import LONGEST, Alphabets, Span, common, is_plain

KEYS = st.one_of(
    st.text(min_size=1, max_size=20),
    st.text("ab01/-", min_size=1, max_size=8),
    st.tuples(
        st.sampled_from(["k" * 1000, "é" * 500, "\U0001f600" * 250]), st.text(max_size=9)
    ).map("".join),
)


def learned(*keys: str) -> Alphabets:
    """Make alphabets that have seen some keys."""
    alphabets = Alphabets()
    for key in keys:
        alphabets.learn(key)
    return alphabets


@settings(deadline=None, max_examples=500)
@given(keys=st.sets(KEYS, min_size=3, max_size=3), alone=st.booleans(), open_end=st.booleans())
@example(keys={"a", "a ", "a!"}, alone=False, open_end=False)
def test_a_border_is_always_between_and_can_always_be_sent(
    keys: set[str], *, alone: bool, open_end: bool
) -> None:
    """Whatever the keys: behind the page, before the end, no longer than a key, and plain."""
    first, last, end = sorted(keys)
    span = Span(learned(*keys), None if alone else first, last, None if open_end else end)
    border = span.border() or last + "\x7f"
    found = span.border() is not None

    assert last < border
    assert not found or open_end or border < end
    assert not found or (len(border.encode()) <= LONGEST and all(map(is_plain, border)))


@pytest.mark.parametrize(
    ("first", "last", "end", "least", "most"),
    [
        ("k/000000", "k/000999", "k/010000", 8.0, 12.0),
        ("00000000", "0fffffff", "ffffffff", 8.0, 12.0),
        ("2026/01/01", "2026/01/05", "2026/01/09", 0.9, 1.1),
        ("a0", "a5", "a51", 0.0, 0.5),
    ],
)
def test_the_distance_is_counted_in_pages(
    first: str, last: str, end: str, least: float, most: float
) -> None:
    """About how many more there are, if all are as dense and look like what was seen."""
    span = Span(learned(first, last, "0123456789"), first, last, end)

    assert least <= span.pages <= most


@pytest.mark.parametrize(
    ("first", "last", "end", "border"),
    [
        # Half way where the distance is known.
        ("k/000000", "k/000999", "k/010000", "k/006"),
        ("00000000", "0fffffff", "ffffffff", "57"),
        # Right behind a key that fills a page by itself.
        ("hot", "hot", "z", "hot "),
        ("hot", "hot", "hot!", None),
        ("hot", "hot", "hot ", None),
        # Nothing is known of what is not as long.
        ("a", "b", "b0", None),
        # A page that cannot be told from one key, of characters that cannot be sent.
        ("\U0001f600a", "\U0001f600b", None, None),
    ],
)
def test_borders_are_short_texts(
    first: str, last: str, end: str | None, border: str | None
) -> None:
    """They say as much of a key as matters."""
    assert border == Span(learned(first, last), first, last, end).border()


def test_an_unknown_distance_is_approached_from_the_page() -> None:
    """Of seventeen digits that did not change yet the upper half is left alone."""
    first, last = "part-000000000000", "part-000000000999"
    span = Span(learned(first, last), first, last, None)
    border = span.border()

    assert inf == span.pages
    assert border is not None
    assert 7 <= common(border, last) <= 9


def test_beyond_ascii_the_middle_is_one_of_code_points() -> None:
    """Between two ideographs lies an ideograph."""
    first, last, end = "\u4e00", "\u4e10", "\u8e00"

    assert "\u6e08" == Span(learned(first, last), first, last, end).border()


@pytest.mark.parametrize(
    ("one", "other", "count"), [("", "a", 0), ("ab", "ab", 2), ("ab", "abc", 2), ("abc", "abd", 2)]
)
def test_what_two_keys_have_in_common_is_counted(one: str, other: str, count: int) -> None:
    """From the beginning, in characters."""
    assert count == common(one, other)
