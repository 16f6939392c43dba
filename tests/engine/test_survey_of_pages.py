"""A page is judged as its uploads are, one by one; the young are only counted."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of
from support.strategies import LAKE, NOW, law

from janitor.engine.calls import Caller, Deadline
from janitor.engine.packing import Candidate
from janitor.engine.survey import Survey, Surveyor
from janitor.model import Upload
from janitor.observe.events import Event, UploadFinished
from janitor.policy import Policy
from janitor.providers.base import Marker, Page, PartsPage

DAYS = st.sampled_from([-1, 0, 1, 6, 7, 8, 400, 20_000])
UPLOADS = st.lists(
    st.builds(
        lambda days, number: Upload(
            LAKE, f"key-{number}", f"id-{number}", _date(days), None if days else "today", ""
        ),
        DAYS,
        st.integers(0, 10**6),
    ),
    max_size=12,
    unique_by=lambda upload: upload.upload_id,
)


def _date(days: int) -> datetime | None:
    return NOW - timedelta(days=days) if days else None


class Bucket:
    """A reader of one bucket, which is one page."""

    where = LAKE
    can_list_one_key = True
    markers_are_exact = True
    can_split = False
    keeps_uploads_apart = True

    def __init__(self, uploads: Sequence[Upload]) -> None:
        self._uploads = uploads

    def list_page(
        self, _marker: Marker | None, *, key: str | None = None, limit: int | None = None
    ) -> Page:
        """Give all."""
        assert (None, None) == (key, limit)
        return Page(self._uploads, None)

    def list_parts(self, _upload: Upload, _marker: Marker | None) -> PartsPage:
        """Give nothing: no upload has parts."""
        return PartsPage((), None)

    def object_written(self, _upload: Upload, /) -> datetime | None:
        """Say that there is no object."""


def surveyed(
    uploads: Sequence[Upload], *, every: bool
) -> tuple[Survey, list[Candidate], list[Event]]:
    """Survey a bucket, and give what came of it and what was told."""
    stale: list[Candidate] = []
    told: list[Event] = []
    with ThreadPoolExecutor(1) as requests:
        caller = Caller(lambda _: None, threading.Event())
        surveyor = Surveyor(
            caller, told.append, requests, 1, lambda: NOW, NOW, stale.extend, every_upload=every
        )
        survey = surveyor.survey(Bucket(uploads), Policy(grace=timedelta()), Deadline(60))
    return survey, stale, [event for event in told if isinstance(event, UploadFinished)]


@law
@given(UPLOADS, st.booleans())
def test_columns_are_judged_as_uploads_are(uploads: list[Upload], every: bool) -> None:  # noqa: FBT001  # drawn
    """The same counts, the same oldest one, the same candidates and events."""
    one, stale, told = surveyed(uploads, every=every)
    other, stale_too, told_too = surveyed(batch_of(uploads), every=every)

    assert (one.listed, one.oldest, one.kept) == (other.listed, other.oldest, other.kept)
    assert (stale, told) == (stale_too, told_too)
    assert len(uploads) == one.listed == one.kept.total() + len(stale)


@law
@given(UPLOADS)
def test_young_uploads_are_counted_as_if_they_were_judged(uploads: list[Upload]) -> None:
    """Whoever wants to hear of each of them gets the same counts."""
    counted, _, _ = surveyed(batch_of(uploads), every=False)
    judged, _, told = surveyed(batch_of(uploads), every=True)

    assert (counted.listed, counted.oldest, counted.kept) == (
        judged.listed,
        judged.oldest,
        judged.kept,
    )
    assert judged.kept.total() == len(told)
