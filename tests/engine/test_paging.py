"""The one paging loop: every page once, every upload once, and an end that is proven."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from janitor.engine.paging import pages, uploads
from janitor.engine.unseen import Unseen
from janitor.errors import Incomplete, Transient
from janitor.model import ContainerRef, Upload
from janitor.providers.base import Marker, Page

WHERE = ContainerRef("lake", "s3", "bucket")
NOW = datetime(2026, 11, 20, tzinfo=UTC)
Lister = Callable[[Marker | None, str | None], Page]


def upload(key: str, number: int) -> Upload:
    """Make an upload."""
    return Upload(WHERE, key, f"id-{number}", NOW)


def lister(listing: Sequence[Upload], size: int, *, forgets: bool = False) -> Lister:
    """Page through a listing by position.

    One that `forgets` goes on behind the whole key where a page was cut
    inside one, as stores do that page by the key alone.
    """

    def list_page(marker: Marker | None, key: str | None) -> Page:
        found = [u for u in listing if (u.key or "").startswith(key or "")]
        start = int(marker.upload_id) if marker is not None else 0
        page = found[start : start + size]
        after = start + len(page)
        if forgets and key is None and page:
            while after < len(found) and found[after].key == page[-1].key:
                after += 1
        following = Marker(page[-1].key or "", str(after)) if after < len(found) else None
        return Page(page, following)

    return list_page


KEYS = st.lists(st.sampled_from(["a", "a/b", "ab", "b"]), max_size=30)


@settings(deadline=None)
@given(keys=KEYS, size=st.integers(1, 7), one_key=st.booleans())
@example(keys=["a"] * 9, size=2, one_key=True)
@example(keys=[], size=1, one_key=False)
def test_every_upload_is_listed_once(keys: list[str], size: int, *, one_key: bool) -> None:
    """Whatever the pages, every upload comes, and none comes twice."""
    listing = [upload(key, number) for number, key in enumerate(sorted(keys))]
    walked = uploads(lister(listing, size), can_list_one_key=one_key)
    found = [entry for batch in walked for entry in batch]

    assert sorted(u.upload_id for u in listing) == sorted(u.upload_id for u in found)


@settings(deadline=None)
@given(keys=KEYS, size=st.integers(1, 7))
@example(keys=["a"] * 5 + ["b"], size=2)
def test_a_store_that_drops_the_rest_of_a_key_is_asked_for_it(keys: list[str], size: int) -> None:
    """Pages cut inside a key lose nothing, if the store can list one key."""
    listing = [upload(key, number) for number, key in enumerate(sorted(keys))]
    walked = uploads(lister(listing, size, forgets=True), can_list_one_key=True)
    found = [entry for batch in walked for entry in batch]

    # A last page that swallows the rest of its key says that it is the last.
    lost = {u.upload_id for u in listing} - {u.upload_id for u in found}
    assert all(u.key == listing[-1].key for u in listing if u.upload_id in lost)


def test_only_what_has_exactly_the_key_is_merged() -> None:
    """Asking for key "a" also gives "a/b": that is left to the pages of its own."""
    asked: list[tuple[Marker | None, str | None]] = []
    listing = [upload("a", 1), upload("a", 2), upload("a/b", 3), upload("c", 4)]
    inner = lister(listing, 1)

    def list_page(marker: Marker | None, key: str | None) -> Page:
        asked.append((marker, key))
        return inner(marker, key)

    batches = list(uploads(list_page, can_list_one_key=True))

    assert [["id-1"], [], ["id-2"], [], [], ["id-3"], [], ["id-4"]] == [
        [u.upload_id for u in batch] for batch in batches
    ]
    assert {None, "a", "a/b"} == {key for _, key in asked}


def test_many_uploads_of_one_key_come_once_and_are_asked_for_once() -> None:
    """More uploads of one key than are remembered: none twice, and twice the pages at most."""
    listing = [upload("k", number) for number in range(120_000)]
    asked: list[str | None] = []
    inner = lister(listing, 1000)

    def list_page(marker: Marker | None, key: str | None) -> Page:
        asked.append(key)
        return inner(marker, key)

    found = sum(len(batch) for batch in uploads(list_page, can_list_one_key=True))

    assert (120_000, 240) == (found, len(asked))


def test_a_store_that_cannot_list_one_key_loses_nothing() -> None:
    """Asked for a key it says "none": then its ordinary pages are all there is."""
    listing = [upload("a", number) for number in range(7)]
    inner = lister(listing, 2)

    def list_page(marker: Marker | None, key: str | None) -> Page:
        return Page([], None) if key is not None else inner(marker, key)

    found = [entry for batch in uploads(list_page, can_list_one_key=True) for entry in batch]

    assert listing == found


@pytest.mark.parametrize("circle", [1, 2, 5])
def test_a_circle_of_markers_is_incomplete(circle: int) -> None:
    """A marker that comes back ends the walk with an error, however long the circle."""
    turns = iter(range(10_000))

    def fetch(_: Marker | None) -> Page:
        return Page([], Marker("key", str(next(turns) % circle)))

    with pytest.raises(Incomplete, match="circle"):
        list(pages(fetch))


def test_too_many_pages_are_incomplete() -> None:
    """A listing without end is given up."""
    turns = iter(range(10_000))

    def fetch(_: Marker | None) -> Page:
        return Page([], Marker("key", str(next(turns))))

    with pytest.raises(Incomplete, match="within 7 pages"):
        list(pages(fetch, cap=7))


def test_an_empty_page_is_not_the_end() -> None:
    """Only the provider's word ends a listing."""
    served = [
        Page([], Marker("a", "1")),
        Page([upload("a", 1)], Marker("a", "2")),
        Page([], None),
    ]
    found = [entry for page in pages(lambda _: served.pop(0)) for entry in page.uploads]

    assert ["id-1"] == [entry.upload_id for entry in found]


def test_an_error_on_the_way_is_raised() -> None:
    """Nothing turns a failed page into a short listing."""

    def fetch(marker: Marker | None) -> Page:
        if marker is None:
            return Page([upload("a", 1)], Marker("a", "1"))
        msg = "gone away"
        raise Transient(msg)

    walk = pages(fetch)
    next(walk)
    with pytest.raises(Transient):
        next(walk)


def test_memory_of_what_was_seen_is_bounded() -> None:
    """The last generation is always known, and no more than two are kept."""
    unseen = Unseen(generation=3)
    first = [upload("a", number) for number in range(3)]
    second = [upload("a", number) for number in range(3, 6)]

    assert first == unseen.of(first)
    assert second == unseen.of([*first, *second])
    assert [] == unseen.of([*first, *second])
    assert [upload("b", 9)] == unseen.of([upload("b", 9)])
    assert first[:1] == unseen.of(first[:1])
