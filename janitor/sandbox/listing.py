"""Pages that S3 and QingStor cut alike, spoiled as the call's fault says."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from janitor.sandbox.paging import cut, spoil
from janitor.sandbox.state import Query

if TYPE_CHECKING:
    from janitor.sandbox.context import Context
    from janitor.sandbox.paging import Marker, Page
    from janitor.sandbox.state import Container, Part, Upload


def upload_query(context: Context, limit: int, key_marker: str, id_marker: str) -> Query:
    """Read which uploads of a bucket to list; the two name the markers differently."""
    params = context.request.params
    return Query(
        limit=context.world.options.capped(limit),
        prefix=params.get("prefix", ""),
        delimiter=params.get("delimiter", ""),
        key_marker=params.get(key_marker),
        id_marker=params.get(id_marker),
    )


def page_of_uploads(context: Context, home: Container, query: Query) -> Page[Upload]:
    """Cut a page out of a bucket's uploads."""
    page = home.page(query)
    spoil(page, context.fault, query.marker, home.snapshot, lambda one: (one.key, one.upload_id))
    return page


def page_of_parts(
    context: Context, found: Upload, after: int, limit: int, marker: str
) -> Page[Part]:
    """Cut the parts behind number `after` out of an upload; `marker` is how that was sent."""
    parts = found.sorted_parts()
    start = bisect_right(parts, after, key=lambda part: part.number)
    page = cut(parts, start, limit, _marker_of_part)
    spoil(page, context.fault, (marker, ""), lambda: parts, _marker_of_part)
    return page


def page_of_names(
    context: Context, names: list[str], start: int, limit: int, marker: str
) -> Page[str]:
    """Cut a page out of the names of buckets; `marker` is the one that was sent."""
    page = cut(names, start, limit, _marker_of_name)
    spoil(page, context.fault, (marker, ""), lambda: names, _marker_of_name)
    return page


def _marker_of_part(part: Part) -> Marker:
    return str(part.number), ""


def _marker_of_name(name: str) -> Marker:
    return name, ""
