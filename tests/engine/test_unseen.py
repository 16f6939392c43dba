"""Every upload of a listing passes once, whatever the order, as far back as is remembered."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import example, given
from hypothesis import strategies as st
from support.batches import batch_of
from support.strategies import LAKE, NOW, law

from janitor.engine.unseen import SMALL, TOGETHER, Unseen
from janitor.model import Upload

Names = list[tuple[str, str]]
NAMES = st.tuples(st.text("ab\0", min_size=1, max_size=3), st.sampled_from(["1", "2", "\0"]))
PAGES = st.lists(
    st.one_of(st.lists(NAMES, max_size=9), st.lists(NAMES, max_size=9, unique=True).map(sorted)),
    max_size=12,
)


def uploads_of(names: Names, *, columns: bool) -> Sequence[Upload]:
    """Make uploads, as columns or one by one."""
    made = [Upload(LAKE, key, upload_id, NOW) for key, upload_id in names]
    return batch_of(made) if columns else made


@law
@given(pages=PAGES, generation=st.integers(1, 12), columns=st.booleans())
@example(
    pages=[[("a", "1"), ("b", "1")], [("b", "1"), ("c", "1")], [("a", "1")]],
    generation=9,
    columns=True,
)
@example(
    pages=[[("b", "1")], [("a", "1")], [("c", "1")], [("b", "1"), ("b", "2")]],
    generation=2,
    columns=False,
)
def test_what_is_new_passes_and_what_was_seen_lately_does_not(
    *, pages: list[Names], generation: int, columns: bool
) -> None:
    """Nothing is ever lost; nothing of the last generation comes twice."""
    unseen, passed = Unseen(generation), list[tuple[str, str]]()
    for names in pages:
        found = [upload.identity for upload in unseen.of(uploads_of(names, columns=columns))]
        left = iter(names)

        assert all(name in left for name in found), "in their order"
        assert set(names) - set(passed) <= set(found), "all that are new"
        for name in found:
            assert name not in passed[-generation:]
            passed.append(name)


def test_a_sorted_listing_is_not_looked_through() -> None:
    """Its pages are kept as they came: only a page that overlaps costs more."""
    unseen, size = Unseen(), SMALL
    for number in range(10):
        names = [(f"{number}-{each:04}", "1") for each in range(size)]
        unseen.of(uploads_of(names, columns=True))

    assert 0 == len(unseen._known)  # noqa: SLF001  # nothing else tells
    assert [] == unseen.of(uploads_of(names, columns=True))
    assert 0 < len(unseen._known)  # noqa: SLF001  # the same


def test_what_is_kept_is_bounded() -> None:
    """By twice a generation; and tiny pages do not make many stretches."""
    unseen = Unseen(2 * TOGETHER)
    for number in range(9 * TOGETHER):
        unseen.of(uploads_of([(f"{number:06}", "1")], columns=False))
        assert unseen._size <= 4 * TOGETHER  # noqa: SLF001  # nothing else tells

    assert 4 >= len(unseen._stretches)  # noqa: SLF001  # the same
