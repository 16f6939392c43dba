"""Every container is exactly one shard's, and stays there as far as it can."""

from __future__ import annotations

import re
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from janitor.sharding import MOST, Shard, of_job, parsed, shard_of

NAMES = st.text(max_size=20)
COUNTS = st.integers(1, 40)


@given(target=NAMES, container=NAMES, count=COUNTS)
@example(target="\ud800", container="\udfff", count=3)
@example(target="", container="", count=1)
def test_a_container_is_exactly_one_shards(target: str, container: str, count: int) -> None:
    """Whatever it is called: nothing is swept twice, and nothing is forgotten."""
    owners = [i for i in range(count) if Shard(i, count).owns(target, container)]

    assert [shard_of(target, container, count)] == owners


@given(target=NAMES, container=NAMES, count=COUNTS)
def test_a_new_shard_only_takes(target: str, container: str, count: int) -> None:
    """With one shard more, a container stays where it is or goes to the new one."""
    before = shard_of(target, container, count)
    after = shard_of(target, container, count + 1)

    assert after in {before, count}


@given(a=NAMES, b=NAMES, c=NAMES)
@example(a="a", b="b", c="")
def test_where_a_name_ends_counts(a: str, b: str, c: str) -> None:
    """`ab` + `c` and `a` + `bc` are two containers, which five draws do not confuse."""
    drawn = [shard_of(a + b, c + more, MOST) for more in "12345"]
    others = [shard_of(a, b + c + more, MOST) for more in "12345"]

    assert (b == "") == (drawn == others)


@pytest.mark.parametrize("count", [2, 3, 8, 64])
def test_shards_have_about_the_same_number_of_containers(count: int) -> None:
    """No shard has half as many again as another, of 300 for each."""
    found = Counter(shard_of("lake", f"bucket-{number}", count) for number in range(300 * count))

    assert count == len(found)
    assert max(found.values()) < 1.5 * min(found.values())


def test_one_more_of_ten_moves_about_a_tenth() -> None:
    """Marks and limits of all others stay with the janitor that has them."""
    names = [f"bucket-{number}" for number in range(5000)]
    moved = sum(shard_of("lake", name, 9) != shard_of("lake", name, 10) for name in names)

    assert 400 < moved < 600


def test_the_same_everywhere_and_for_ever() -> None:
    """Shards of one run can be of different versions: these numbers must not change."""
    found = [shard_of("lake", f"b{number}", 5) for number in range(12)]
    many = [shard_of("archive", name, MOST) for name in ("a", "\u00fc", "\ud800")]

    assert [1, 0, 1, 0, 0, 3, 2, 3, 4, 1, 3, 4] == found
    assert [836, 28, 990] == many


@pytest.mark.parametrize(
    ("text", "expected"), [("0/1", Shard(0, 1)), ("3/4", Shard(3, 4)), ("0/1024", Shard(0, 1024))]
)
def test_a_shard_is_read_and_written(text: str, expected: Shard) -> None:
    """As on the command line."""
    assert expected == parsed(text)
    assert text == str(expected)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("4/4", "there is no shard 4 of 4: they are numbered 0 to 3"),
        ("1/1", "there is no shard 1 of 1: they are numbered 0 to 0"),
        ("0/0", "0 is no number of shards: say 1 to 1024"),
        ("0/1025", "1025 is no number of shards: say 1 to 1024"),
        ("1", "'1' is no shard: say I/N, for example 0/4, 1/4, 2/4 and 3/4"),
        ("-1/4", "'-1/4' is no shard: say I/N"),
        ("1/4 ", "'1/4 ' is no shard: say I/N"),
        ("٣/4", "'٣/4' is no shard: say I/N"),
        ("1/4/8", "'1/4/8' is no shard: say I/N"),
        ("", "'' is no shard: say I/N"),
    ],
)
def test_nonsense_is_refused(text: str, sentence: str) -> None:
    """A shard that nobody runs would leave its containers to nobody."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        parsed(text)


def test_an_indexed_job_tells_the_index() -> None:
    """Each pod finds its own number in its environment."""
    found = of_job(4, {"JOB_COMPLETION_INDEX": "2"}, "uid-1")

    assert Shard(2, 4, "uid-1") == found


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        ({}, "JOB_COMPLETION_INDEX is not set, as it is in an Indexed Job: elsewhere, say --shard"),
        ({"JOB_COMPLETION_INDEX": ""}, "JOB_COMPLETION_INDEX is not set"),
        ({"JOB_COMPLETION_INDEX": "x"}, "JOB_COMPLETION_INDEX is 'x': it must be the number"),
        ({"JOB_COMPLETION_INDEX": "-1"}, "JOB_COMPLETION_INDEX is '-1': it must be the number"),
        (
            {"JOB_COMPLETION_INDEX": "4"},
            "JOB_COMPLETION_INDEX is 4, but there are 4 shards: set completions of the Job to that",
        ),
    ],
)
def test_a_job_that_does_not_fit_is_refused(environ: dict[str, str], sentence: str) -> None:
    """More pods than shards, or no Indexed Job at all."""
    with pytest.raises(ValueError, match=re.escape(sentence)):
        of_job(4, environ)
