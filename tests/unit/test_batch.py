"""A batch is its uploads: nothing in it can be told from them, but what they cost."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.batches import batch_of
from support.strategies import LAKE, NOW, law, upload_of

from janitor.batch import Batch, dates_of, identities_of, keys_of, those
from janitor.model import ContainerRef, Upload, parse_time, parse_times

UPLOADS = st.lists(
    st.builds(
        Upload,
        st.just(LAKE),
        st.sampled_from(["a", "a/b", "b", "ü\ud7ff"]),
        st.sampled_from(["1", "2", "3"]),
        st.none() | st.integers(-9, 9).map(lambda days: NOW - timedelta(days=days)),
        st.sampled_from([None, "yesterday"]),
        st.just(""),
        st.sampled_from([None, "", "who"]),
        st.sampled_from([None, "GLACIER"]),
    ),
    min_size=1,
    max_size=9,
)
DATES = st.one_of(
    st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}.123Z"),
    st.datetimes().map(lambda moment: f"{moment:%Y-%m-%dT%H:%M:%S}Z"),
    st.text("0123456789-:.TZ+ \n\u0661", min_size=18, max_size=25),
    st.from_regex(r"[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\.000)?Z\n?"),
)


@law
@given(UPLOADS, st.data())
def test_a_batch_is_the_sequence_of_its_uploads(uploads: list[Upload], data: st.DataObject) -> None:
    """Each by itself, some of them, and all of them."""
    batch = batch_of(uploads)
    at = data.draw(st.integers(-len(uploads), len(uploads) - 1))
    some = data.draw(st.slices(len(uploads)))

    assert uploads == list(batch)
    assert uploads == batch
    assert uploads[at] == batch[at]
    assert uploads[some] == batch[some]
    assert len(uploads) == len(batch)
    assert [*reversed(uploads)] == [*reversed(batch)]


@law
@given(UPLOADS, st.data())
def test_columns_are_those_of_the_uploads(uploads: list[Upload], data: st.DataObject) -> None:
    """Keys, identities, dates, and which of them are wanted."""
    batch = batch_of(uploads)
    wanted = data.draw(st.lists(st.booleans(), min_size=len(uploads), max_size=len(uploads)))

    assert list(keys_of(uploads)) == list(keys_of(batch))
    assert identities_of(uploads) == identities_of(batch)
    assert list(dates_of(uploads)) == list(dates_of(batch))
    assert those(uploads, wanted) == those(batch, wanted)


def test_uploads_without_a_key_have_an_empty_one() -> None:
    """As their identity says."""
    upload = upload_of(ContainerRef("archive", "glacier", "vault"), key=None)

    assert [""] == keys_of([upload])


def test_a_batch_differs_from_what_it_is_not() -> None:
    """Another order, another upload, or no uploads at all."""
    one, two = upload_of(key="a"), upload_of(key="b")
    batch = batch_of([one, two])

    assert batch != [two, one]
    assert batch != [one]
    assert batch.__eq__(2) is NotImplemented


def _bare(where: ContainerRef, keys: list[str], upload_ids: list[str]) -> Batch:
    unknown = [None] * len(keys)
    return Batch(where, keys, upload_ids, unknown, unknown, unknown, unknown)


@pytest.mark.parametrize("member", ["upload_id", "key", "target", "container"])
def test_a_batch_with_an_impossible_upload_is_refused(member: str) -> None:
    """At once, and in the words of the upload itself."""
    possible = [upload_of(key="a"), upload_of(key="b")]
    where = replace(LAKE, **{member: ""}) if member in {"target", "container"} else LAKE
    columns = {"key": [each.key or "" for each in possible], "upload_id": ["1", "2"]}
    if member in columns:
        columns[member][1] = ""

    with pytest.raises(ValueError, match=f"{member} must not be empty"):
        _bare(where, columns["key"], columns["upload_id"])


def test_a_batch_of_nobody_is_refused() -> None:
    """A provider that we do not know has guards of its own."""
    with pytest.raises(ValueError, match="provider must be one of"):
        _bare(ContainerRef("lake", "tape", "raw"), ["a"], ["1"])


@law
@given(st.lists(DATES, max_size=5))
@example(["2026-11-20T24:00:00Z"])
@example(["2026-11-20T24:00:00.000Z"])
@example(["2026-02-29T00:00:00Z"])
@example(["2026-11-20T05:00:00Z", "2026-11-20T05:00:00.000Z"])
@example(["2026-11-20T05:00:00Z\n2026-11-20T05:00:00Z", "2026-11-20T05:00:00Z"])
@example(["2026-11-20T05:00:00Z", "2026-11-20T05:00:00Z\n"])
@example(["2026-11-20T05:00:00Z", ""])
@example(["\u0662\u066026-11-20T05:00:00Z"])
def test_many_dates_are_read_as_each_of_them(texts: list[str]) -> None:
    """Those that all look the usual way, and those that do not."""
    assert [parse_time(text) for text in texts] == list(parse_times(texts))
