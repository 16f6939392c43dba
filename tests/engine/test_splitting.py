"""Many listers of one bucket: what they find together is what one finds alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from random import Random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.s3_model import NOW, WHERE, Bucket, by_letter, by_utf16

from janitor.engine.paging import PAGE_CAP
from janitor.engine.seams import Unsorted
from janitor.engine.splitting import Ranges, Turn
from janitor.engine.unseen import Unseen
from janitor.errors import Incomplete
from janitor.model import Upload
from janitor.providers.base import Marker, Page

Change = Callable[[], None]


def nothing() -> None:
    """Change nothing."""


class Listing:
    """Lists a bucket with `hands` requests at once, which end in an order of chance."""

    def __init__(self, bucket: Bucket, hands: int, chance: Random) -> None:
        self.bucket = bucket
        self.ranges = Ranges(PAGE_CAP)
        self.most_ranges = 0
        self._hands = hands
        self._chance = chance
        self._under_way: list[tuple[Turn, Page | None]] = []

    def run(self, change: Change = nothing) -> Iterator[Upload]:
        """Give every upload that is found; between two answers comes a `change`."""
        unseen = Unseen()
        while not self.ranges.finished:
            self._begin()
            self.most_ranges = max(self.most_ranges, len(self.ranges._ranges))  # noqa: SLF001  # how far it went
            change()
            place = self._chance.randrange(len(self._under_way))
            turn, page = self._under_way.pop(place)
            # The store looks when the request arrives, or when it answers.
            yield from unseen.of(self.ranges.take(turn, page or self.bucket.answer(turn)))

    def _begin(self) -> None:
        while len(self._under_way) < self._hands:
            turn = self.ranges.page() or self.ranges.probe()
            if turn is None:
                return
            page = self.bucket.answer(turn) if self._chance.random() < 0.5 else None
            self._under_way.append((turn, page))


def bound(uploads: int, size: int) -> int:
    """Give how many requests are allowed, for so many uploads in pages of this size."""
    return 4 * -(-uploads // size) + 120


def numbered(prefix: str, count: int) -> list[str]:
    """Give keys as programs make them."""
    return [f"{prefix}{number:06}.bin" for number in range(count)]


HEX = [f"{number * 0x9E3779B1 % (1 << 32):08x}/object" for number in range(500)]
SKEWED = [*numbered("a/", 5), *numbered("b/2026/11/", 400), *numbered("b/2026/12/", 3), "z"]
DEEP = numbered("one/very/long/way/down/to/where/the/keys/differ/" * 4, 300)
POPULATIONS: dict[str, list[str]] = {
    "dates": [f"{y}/{m:02}/{d:02}/x" for y in (2025, 2026) for m in range(1, 13) for d in range(9)],
    "deep": DEEP,
    "empty": [],
    "hexadecimal": HEX,
    "hot key": [*numbered("a", 20), *["hot"] * 300, *numbered("z", 60)],
    "numbered": numbered("backup/part-", 500),
    "one key": ["the/only/key"] * 200,
    "skewed": SKEWED,
    "unicode": [chr(0x4E00 + 7 * number) + "é\U0001f600" for number in range(400)],
    "beyond the plane": [f"\U0001f600{number:04}" for number in range(200)],
    "unprintable": [f"\x01{number:04}" for number in range(200)],
}
MANY_CUTS = {"dates", "deep", "hexadecimal", "numbered", "skewed"}
FEW_CUTS = {"hot key", "unicode"}


@pytest.mark.parametrize("size", [1, 3, 10])
@pytest.mark.parametrize("name", sorted(POPULATIONS))
def test_every_population_is_listed_once(name: str, size: int) -> None:
    """Nothing is lost or listed twice, it is cut where it can be, and requests stay few."""
    keys = POPULATIONS[name]
    bucket = Bucket(keys, size)
    listing = Listing(bucket, 8, Random(name))  # noqa: S311  # the same each time
    found = list(listing.run())
    least = 4 if name in MANY_CUTS else 2 if name in FEW_CUTS else 1

    assert sorted(u.upload_id for u in bucket.uploads()) == sorted(u.upload_id for u in found)
    assert bucket.requests <= bound(len(keys), size)
    assert listing.most_ranges >= least


def test_who_is_alone_asks_for_every_page_once() -> None:
    """With one request at a time, and keys of one upload each, it is one request a page."""
    bucket = Bucket(HEX, 10)
    found = list(Listing(bucket, 1, Random(1)).run())  # noqa: S311  # the same each time

    assert bucket.uploads() == found
    assert 50 == bucket.requests


NAMES = st.text(min_size=1, max_size=12)
PLAIN = st.text("ab/019", min_size=1, max_size=6)
RUNS = st.tuples(st.sampled_from(["", "a/", "a/b/2026-", "k" * 40]), st.integers(1, 150)).map(
    lambda run: numbered(*run)
)
HOT = st.tuples(st.one_of(PLAIN, NAMES), st.integers(2, 40)).map(lambda hot: [hot[0]] * hot[1])
KEYS = st.lists(
    st.one_of(RUNS, HOT, st.lists(PLAIN, max_size=60), st.lists(NAMES, max_size=20)), max_size=5
).map(lambda groups: [key for group in groups for key in group])
CHANCE = st.randoms(use_true_random=False)


@settings(deadline=None, max_examples=300)
@given(keys=KEYS, size=st.integers(1, 9), hands=st.integers(1, 12), chance=CHANCE)
@example(keys=HEX, size=4, hands=12, chance=Random(7))  # noqa: S311  # the same each time
@example(keys=SKEWED, size=3, hands=5, chance=Random(8))  # noqa: S311  # the same each time
def test_many_find_what_one_finds(keys: list[str], size: int, hands: int, chance: Random) -> None:
    """Whatever the keys, the pages and the order of the answers: each upload once."""
    bucket = Bucket(keys, size)
    found = list(Listing(bucket, hands, chance).run())

    assert sorted(u.upload_id for u in bucket.uploads()) == sorted(u.upload_id for u in found)
    assert bucket.requests <= bound(len(keys), size)


@settings(deadline=None, max_examples=200)
@given(keys=KEYS, more=KEYS, size=st.integers(1, 9), hands=st.integers(1, 12), chance=CHANCE)
@example(keys=HEX, more=HEX, size=4, hands=12, chance=Random(9))  # noqa: S311  # the same each time
def test_what_stays_is_listed_once_whatever_comes_and_goes(
    keys: list[str], more: list[str], size: int, hands: int, chance: Random
) -> None:
    """Uploads that begin or end meanwhile may be missed; all others are there, none twice."""
    bucket = Bucket(keys, size)
    fleeting = [upload for upload in bucket.uploads() if chance.random() < 0.3]
    staying = {upload.upload_id for upload in bucket.uploads()} - {u.upload_id for u in fleeting}
    coming = list(more)

    def change() -> None:
        if coming and chance.random() < 0.5:
            bucket.begin(coming.pop())
        if fleeting and chance.random() < 0.5:
            bucket.end(fleeting.pop(chance.randrange(len(fleeting))))

    found = [upload.upload_id for upload in Listing(bucket, hands, chance).run(change)]

    assert len(set(found)) == len(found)
    assert staying <= set(found)


@settings(deadline=None)
@given(keys=KEYS, size=st.integers(2, 9), hands=st.integers(1, 8), chance=CHANCE)
@example(keys=["a", *["b"] * 8, "c"], size=9, hands=1, chance=Random(1))  # noqa: S311  # the same each time
def test_markers_that_go_by_id_lose_nothing_of_a_key_that_fits_a_page(
    keys: list[str], size: int, hands: int, chance: Random
) -> None:
    """Where a key's uploads are seen on two pages, they are asked for alone."""
    few = [key for place, key in enumerate(keys) if keys[:place].count(key) < size]
    bucket = Bucket(few, size, by_id=True)
    found = {upload.upload_id for upload in Listing(bucket, hands, chance).run()}
    lost = [upload for upload in bucket.uploads() if upload.upload_id not in found]
    seen = [upload.key for upload in bucket.uploads() if upload.upload_id in found]

    # Of a key with just one upload before the border nobody can know that there are more.
    assert [] == [upload.key for upload in lost if seen.count(upload.key) > 1]


def ids_or_disorder(bucket: Bucket, hands: int, chance: Random) -> list[str] | None:
    """List a bucket; None where that proves to be impossible."""
    with suppress(Unsorted):
        return sorted(upload.upload_id for upload in Listing(bucket, hands, chance).run())
    return None


LETTERS = st.lists(st.text("abBcGhI", min_size=1, max_size=4), max_size=200)


@settings(deadline=None, max_examples=300)
@given(keys=LETTERS, size=st.integers(1, 9), hands=st.integers(2, 12), chance=CHANCE)
def test_another_order_loses_nothing_unsaid(
    keys: list[str], size: int, hands: int, chance: Random
) -> None:
    """A store that sorts "B" between "a" and "c" is listed whole, or the listing is Incomplete."""
    bucket = Bucket(keys, size, by_letter)
    expected = sorted(upload.upload_id for upload in bucket.uploads())

    assert ids_or_disorder(bucket, hands, chance) in (expected, None)


BEYOND = st.lists(st.text("a\u00e9\ufb01\U0001f600", min_size=1, max_size=4), max_size=200)


@settings(deadline=None)
@given(keys=BEYOND, size=st.integers(1, 9), hands=st.integers(2, 12), chance=CHANCE)
def test_the_order_of_utf16_loses_nothing_unsaid(
    keys: list[str], size: int, hands: int, chance: Random
) -> None:
    """Beyond U+FFFF some stores sort differently: that is seen, or does not matter."""
    bucket = Bucket(keys, size, by_utf16)
    expected = sorted(upload.upload_id for upload in bucket.uploads())

    assert ids_or_disorder(bucket, hands, chance) in (expected, None)


def test_keys_that_hide_between_two_ranges_are_missed_and_told() -> None:
    """Each page is in order, but what is behind a border does not begin where it should."""
    keys = [*numbered("A", 40), *numbered("b", 40), *numbered("G", 40)]
    listing = Listing(Bucket(keys, 4, by_letter), 6, Random(3))  # noqa: S311  # the same each time

    with pytest.raises(Unsorted, match="say listing: sequential"):
        list(listing.run())


def test_disorder_before_the_first_cut_is_listed_page_by_page() -> None:
    """The first page shows it: then nothing is cut, and nothing is lost."""
    keys = [f"{number:02}{letter}" for number in range(40) for letter in "aBcD"]
    bucket = Bucket(keys, 7, by_letter)
    listing = Listing(bucket, 6, Random(4))  # noqa: S311  # the same each time

    assert bucket.uploads() == list(listing.run())
    assert (1, 0) == (listing.most_ranges, listing.ranges.probes)


def turn_of(ranges: Ranges) -> Turn:
    """Take the next request that there must be."""
    turn = ranges.page()
    assert turn is not None
    return turn


def one(key: str, number: int = 0) -> Upload:
    """Make an upload."""
    return Upload(WHERE, key, f"id-{number}", NOW)


def test_a_marker_that_comes_back_is_incomplete() -> None:
    """Pages that go in circles end the listing with an error."""
    ranges = Ranges(PAGE_CAP)
    ranges.take(turn_of(ranges), Page([one("a")], Marker("a", "1")))
    ranges.take(turn_of(ranges), Page([one("a", 2)], Marker("a", "2")))
    turn_of(ranges)  # the uploads of "a" alone

    with pytest.raises(Incomplete, match="circle"):
        ranges.take(turn_of(ranges), Page([one("a", 3)], Marker("a", "1")))


def test_more_pages_than_there_can_be_are_incomplete() -> None:
    """A listing without end is given up."""
    ranges = Ranges(2)
    ranges.take(turn_of(ranges), Page([one("a")], Marker("a", "1")))
    ranges.take(turn_of(ranges), Page([one("b")], Marker("b", "1")))

    with pytest.raises(Incomplete, match="within 2 pages"):
        ranges.take(turn_of(ranges), Page([one("c")], Marker("c", "1")))


def test_an_empty_page_is_not_the_end() -> None:
    """Only the store's word ends a listing."""
    ranges = Ranges(PAGE_CAP)
    ranges.take(turn_of(ranges), Page([], Marker("a", "1")))

    assert not ranges.finished

    ranges.take(turn_of(ranges), Page([], None))

    assert ranges.finished


def test_a_stretch_that_nobody_listed_is_incomplete() -> None:
    """If the pieces did not add up by a mistake of ours, nothing would be believed."""
    ranges = Ranges(PAGE_CAP)
    turn = turn_of(ranges)
    assert turn.of is not None
    turn.of.end = "m"
    ranges.take(turn, Page([one("a")], None))

    with pytest.raises(Incomplete, match="behind 'm'"):
        _ = ranges.finished
