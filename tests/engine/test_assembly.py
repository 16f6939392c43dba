"""One bucket listed by several processes: what they find together is what one finds alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest
from engine.test_splitting import (
    BEYOND,
    CHANCE,
    HEX,
    KEYS,
    LETTERS,
    POPULATIONS,
    SKEWED,
    numbered,
)
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.many_processes import Fleet
from support.s3_model import NOW, WHERE, Bucket, by_letter, by_utf16

from janitor.engine import assembly
from janitor.engine.assembly import Assembly
from janitor.engine.seams import Unsorted
from janitor.engine.stretches import ALL_DONE, WHOLE, Account, Share, Stretch
from janitor.errors import Incomplete
from janitor.model import Upload
from janitor.providers.base import Marker, Page

WORKERS, HANDS = st.integers(1, 5), st.integers(1, 6)


@pytest.fixture(autouse=True, scope="module")
def _small_shares() -> Iterator[None]:
    """Let two pages be much, so that a few hundred uploads are many shares."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(assembly, "FEWEST", 2)
        yield


def ids(uploads: list[Upload]) -> list[str]:
    """Give the ids, sorted."""
    return sorted(upload.upload_id for upload in uploads)


@pytest.mark.parametrize("size", [1, 3, 10])
@pytest.mark.parametrize("name", sorted(POPULATIONS))
def test_every_population_is_listed_once(name: str, size: int) -> None:
    """Nothing is lost or listed twice, and requests stay few."""
    bucket = Bucket(POPULATIONS[name], size)
    fleet = Fleet(bucket, 3, 4, Random(name))  # noqa: S311  # the same each time
    found = list(fleet.run())

    assert ids(bucket.uploads()) == ids(found)
    # Each share may begin with a page of its own, and look for places to cut at.
    assert bucket.requests <= 6 * -(-len(found) // size) + 120


@pytest.mark.parametrize("name", ["dates", "deep", "hexadecimal", "numbered", "skewed"])
def test_all_processes_have_something_to_do(name: str) -> None:
    """Keys of which there are enough are listed by as many as there are."""
    bucket = Bucket(POPULATIONS[name], 4)
    fleet = Fleet(bucket, 3, 1, Random(name))  # noqa: S311  # the same each time
    found = list(fleet.run())

    assert ids(bucket.uploads()) == ids(found)
    assert (6, True) == (fleet.most_at_once, fleet.shares > 12)


@settings(deadline=None, max_examples=300)
@given(keys=KEYS, size=st.integers(1, 9), workers=WORKERS, hands=HANDS, chance=CHANCE)
@example(keys=HEX, size=4, workers=4, hands=3, chance=Random(7))  # noqa: S311  # the same each time
@example(keys=SKEWED, size=3, workers=2, hands=1, chance=Random(8))  # noqa: S311  # the same each time
def test_many_find_what_one_finds(
    keys: list[str], size: int, workers: int, hands: int, chance: Random
) -> None:
    """Whatever the keys, the pages and the order of the answers: each upload once."""
    bucket = Bucket(keys, size)
    found = list(Fleet(bucket, workers, hands, chance).run())

    assert ids(bucket.uploads()) == ids(found)


@settings(deadline=None, max_examples=200)
@given(keys=KEYS, more=KEYS, size=st.integers(1, 9), workers=WORKERS, hands=HANDS, chance=CHANCE)
@example(keys=HEX, more=HEX, size=4, workers=3, hands=3, chance=Random(9))  # noqa: S311  # the same each time
def test_what_stays_is_listed_once_whatever_comes_and_goes(  # noqa: PLR0913, PLR0917  # all of it is drawn
    keys: list[str], more: list[str], size: int, workers: int, hands: int, chance: Random
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

    found = [upload.upload_id for upload in Fleet(bucket, workers, hands, chance).run(change)]

    assert len(set(found)) == len(found)
    assert staying <= set(found)


@settings(deadline=None)
@given(keys=KEYS, size=st.integers(2, 9), workers=WORKERS, hands=HANDS, chance=CHANCE)
def test_markers_that_go_by_id_lose_nothing_of_a_key_that_fits_a_page(
    keys: list[str], size: int, workers: int, hands: int, chance: Random
) -> None:
    """No share ends in the middle of a key."""
    few = [key for place, key in enumerate(keys) if keys[:place].count(key) < size]
    bucket = Bucket(few, size, by_id=True)
    found = {upload.upload_id for upload in Fleet(bucket, workers, hands, chance).run()}
    lost = [upload for upload in bucket.uploads() if upload.upload_id not in found]
    seen = [upload.key for upload in bucket.uploads() if upload.upload_id in found]

    assert [] == [upload.key for upload in lost if seen.count(upload.key) > 1]


def ids_or_disorder(fleet: Fleet) -> list[str] | None:
    """List a bucket; None where that proves to be impossible."""
    with suppress(Unsorted):
        return ids(list(fleet.run()))
    return None


@settings(deadline=None, max_examples=300)
@given(keys=LETTERS, size=st.integers(1, 9), workers=WORKERS, hands=HANDS, chance=CHANCE)
def test_another_order_loses_nothing_unsaid(
    keys: list[str], size: int, workers: int, hands: int, chance: Random
) -> None:
    """A store that sorts "B" between "a" and "c" is listed whole, or the listing is Incomplete."""
    bucket = Bucket(keys, size, by_letter)
    expected = ids(bucket.uploads())

    assert ids_or_disorder(Fleet(bucket, workers, hands, chance)) in (expected, None)


@settings(deadline=None)
@given(keys=BEYOND, size=st.integers(1, 9), workers=WORKERS, hands=HANDS, chance=CHANCE)
def test_the_order_of_utf16_loses_nothing_unsaid(
    keys: list[str], size: int, workers: int, hands: int, chance: Random
) -> None:
    """Beyond U+FFFF some stores sort differently: that is seen, or does not matter."""
    bucket = Bucket(keys, size, by_utf16)
    expected = ids(bucket.uploads())

    assert ids_or_disorder(Fleet(bucket, workers, hands, chance)) in (expected, None)


def test_keys_that_hide_between_two_shares_are_missed_and_told() -> None:
    """Each page is in order, but what is behind a border does not begin where it should."""
    keys = [*numbered("A", 40), *numbered("b", 40), *numbered("G", 40)]
    fleet = Fleet(Bucket(keys, 4, by_letter), 3, 2, Random(3))  # noqa: S311  # the same each time

    with pytest.raises(Unsorted, match="say listing: sequential"):
        list(fleet.run())


def test_shares_grow_with_the_listing() -> None:
    """A container that is small is one share; of a huge one there are many, and not too many."""
    made = Assembly(2)
    first = made.share()
    made.take(
        Account(
            (("", "a"),),
            (Stretch("a", "m"), *(Stretch(each, each + "m") for each in "mnopq")),
            pages=4000,
        )
    )
    shares = []
    while share := made.share():
        shares.append(share)

    assert Share((WHOLE,), assembly.FEWEST, 8) == first
    # As many as two workers can have, with two stretches in the first ones.
    assert [2, 1, 1, 1, 1] == [len(share.stretches) for share in shares]
    assert {assembly.MOST} == {share.pages for share in shares}


def test_who_has_enough_to_do_cuts_nothing_for_others() -> None:
    """Where all workers list other containers, a container is one large share after the other."""
    assert Share((WHOLE,), assembly.MOST, 1) == Assembly(2).share(idle=False)


def test_what_was_listed_twice_or_by_nobody_is_incomplete() -> None:
    """If the shares did not add up by a mistake of ours, nothing would be believed."""
    twice, nobody, whole = Assembly(1), Assembly(1), Assembly(1)
    twice.take(ALL_DONE)
    nobody.take(Account((("", "b"), ("c", None))))
    whole.take(ALL_DONE)
    whole.prove()

    with pytest.raises(Incomplete, match="listed twice"):
        twice.take(ALL_DONE)
    with pytest.raises(Incomplete, match="behind 'b'"):
        nobody.prove()


def test_a_doubt_that_was_not_ended_is_none_that_is_believed() -> None:
    """What one saw behind a border must be what the next one began with, or be asked for."""
    upload = Upload(WHERE, "n", "id", NOW)
    made = Assembly(1)
    made.take(Account((("", "m"), ("m", None)), firsts=(("m", ("o",)),), claims=(("m", upload),)))

    with pytest.raises(Incomplete):
        made.prove()
    check = made.check()
    assert check is not None
    with pytest.raises(Unsorted):
        made.checked(check, Page([Upload(WHERE, "o", "2", NOW), upload], None))
    made.checked(check, Page([Upload(WHERE, "o", "2", NOW)], None))
    check = made.check()
    assert check is not None
    assert check.marker is None
    made.checked(check, Page([], None))
    made.prove()


def test_a_listing_without_end_is_given_up() -> None:
    """However many processes share it."""
    made = Assembly(2, cap=10)
    for _ in range(2):
        made.take(Account((), (Stretch("a"),), pages=5))

    with pytest.raises(Incomplete, match="within 10 pages"):
        made.take(Account((), (Stretch("a"),), pages=1))


def test_a_doubt_without_end_is_given_up() -> None:
    """A store may answer with empty pages for ever: they count as all pages do."""
    made = Assembly(1, cap=10)
    upload = Upload(WHERE, "n", "id", NOW)
    made.take(Account((("", "m"), ("m", None)), firsts=(("m", ()),), claims=(("m", upload),)))

    def look_for_ever() -> None:
        for _ in range(20):
            check = made.check()
            assert check is not None
            made.checked(check, Page([], Marker("m", "id")))

    with pytest.raises(Incomplete, match="within 10 pages"):
        look_for_ever()
