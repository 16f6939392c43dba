"""A share of a container is listed as a share, whatever is found out of the container meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime

import pytest
from support.s3_model import NOW, WHERE, Bucket

from janitor.engine import looks
from janitor.engine.calls import Caller, Deadline
from janitor.engine.paging import PAGE_CAP
from janitor.engine.splitting import Ranges
from janitor.engine.stretches import Share, Stretch
from janitor.model import Upload
from janitor.providers.base import Marker, Page, PartsPage


class Reader:
    """Reads a bucket in memory."""

    where = WHERE
    can_list_one_key = True
    markers_are_exact = True
    can_split = True
    keeps_uploads_apart = True

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def list_page(
        self, marker: Marker | None, *, key: str | None = None, limit: int | None = None
    ) -> Page:
        """List one page."""
        return self._bucket.page(marker, key, limit or self._bucket.size)

    def list_parts(self, _upload: Upload, _marker: Marker | None) -> PartsPage:
        """Give nothing: no upload has parts."""
        return PartsPage((), None)

    def object_written(self, _upload: Upload, /) -> datetime | None:
        """Say that there is no object."""


@pytest.fixture(autouse=True)
def _distrusted() -> Iterator[None]:
    """Let somebody have found, in another share or run, that the container is out of order."""
    looks.DISTRUSTED.add(WHERE)
    yield
    looks.DISTRUSTED.discard(WHERE)


def test_who_has_a_share_never_lists_the_whole() -> None:
    """It would be told again what others list, and its share would be left to do all the same."""
    bucket = Bucket("abcdefgh", 2)
    ranges = Ranges(PAGE_CAP, Share((Stretch("c", "f"),)))
    caller = Caller(lambda _: None, threading.Event())
    found = [
        upload.key
        for batch in looks.listed(
            Reader(bucket), caller, Deadline(60), lambda: NOW, None, ranges=ranges
        )
        for upload in batch
    ]

    assert ["d", "e", "f"] == found
    assert (("c", "f"),) == ranges.account().done
