"""What a listing may lose and still be believed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janitor.suspicion import is_suspicious


@pytest.mark.parametrize(
    ("listed", "before", "ended", "doubts", "expected"),
    [
        (0, 20, 0, 0, True),  # many, then none
        (1, 20, 0, 0, False),
        (0, 19, 0, 0, False),  # few turn none in the ordinary course of things
        (0, 30, 10, 0, True),
        (0, 30, 11, 0, False),  # we ended them ourselves
        (9, 100, 0, 0, True),  # nine tenths and more are gone
        (10, 100, 0, 0, False),
        (10, 101, 0, 0, True),
        (9, 99, 0, 0, False),  # not large enough for that
        (9, 110, 10, 0, True),
        (0, 1000, 0, 2, True),
        (0, 1000, 0, 3, False),  # seen three times: that is how it is
        (5, 0, 0, 0, False),
    ],
)
def test_the_edges_of_belief(
    listed: int, before: int, ended: int, doubts: int, *, expected: bool
) -> None:
    """Each edge is pinned on both sides."""
    assert expected is is_suspicious(listed, before, ended, doubts)


COUNTS = st.integers(0, 10_000)


@given(listed=COUNTS, more=COUNTS, before=COUNTS, ended=COUNTS, doubts=st.integers(0, 5))
def test_more_listed_is_never_more_suspicious(
    listed: int, more: int, before: int, ended: int, doubts: int
) -> None:
    """What is believed stays believed when more is listed."""
    believed = not is_suspicious(listed, before, ended, doubts)

    assert not (believed and is_suspicious(listed + more, before, ended, doubts))


@given(before=COUNTS, ended=COUNTS, doubts=st.integers(0, 5))
def test_as_many_as_before_is_never_suspicious(before: int, ended: int, doubts: int) -> None:
    """Nothing shrank, nothing is doubted."""
    assert not is_suspicious(before, before, ended, doubts) or before == 0
