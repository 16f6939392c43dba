"""One page of any list, and how a faulty server spoils it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from janitor.sandbox.faults import FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from janitor.sandbox.faults import Fault

T = TypeVar("T")
Marker = tuple[str, str]
"""Where the next page begins: (key, upload id), or (text, '') where one text is enough."""

NO_MARKER: Final[Marker] = ("", "")
STRANGER: Final = "somebody-elses-container"
"""What a reply for the wrong container calls it."""


@dataclass(slots=True)
class Page(Generic[T]):
    """One page; `next` is `NO_MARKER` unless the list goes on."""

    entries: list[T] = field(default_factory=list)
    prefixes: list[str] = field(default_factory=list)
    truncated: bool = False
    next: Marker = NO_MARKER


def cut(
    entries: Sequence[T],
    start: int,
    limit: int,
    mark: Callable[[T], Marker],
    *,
    inclusive: bool = False,
) -> Page[T]:
    """Cut `limit` entries out of a sorted list.

    The next marker is that of the last entry on the page, or with `inclusive` that of the
    first entry after it.
    """
    end = start + limit
    page = Page(list(entries[start:end]), truncated=limit > 0 and end < len(entries))
    if page.truncated:
        page.next = mark(entries[end if inclusive else end - 1])
    return page


def spoil(
    page: Page[T],
    fault: Fault | None,
    sent: Marker,
    every: Callable[[], list[T]],
    mark: Callable[[T], Marker],
) -> None:
    """Change a page as a paging fault says; `every` gives the whole list."""
    if fault is None:
        return
    if fault.kind is FaultKind.NO_MARKER:
        page.truncated, page.next = True, NO_MARKER
    elif fault.kind is FaultKind.DUPLICATES:
        page.entries[:0] = _previous(page, every())
    elif fault.kind is FaultKind.REPEAT_MARKER:
        page.truncated, page.next = True, _repeated(page, sent, mark)
    elif fault.kind is FaultKind.CYCLE_MARKERS:
        first, second = _two(every(), mark)
        page.truncated, page.next = True, second if sent == first else first


def _previous(page: Page[T], every: list[T]) -> list[T]:
    if not page.entries:
        return every[-1:]
    count, place = len(page.entries), every.index(page.entries[0])
    return every[max(0, place - count) : place] or list(page.entries)


def _two(every: list[T], mark: Callable[[T], Marker]) -> tuple[Marker, Marker]:
    if len(every) <= 1:
        msg = "a cycle of markers needs a list of two entries or more"
        raise ValueError(msg)
    return mark(every[0]), mark(every[1])


def _repeated(page: Page[T], sent: Marker, mark: Callable[[T], Marker]) -> Marker:
    if sent != NO_MARKER:
        return sent
    # The first page was asked for without a marker; whatever it gives is repeated later.
    if page.truncated:
        return page.next
    if not page.entries:
        msg = "a repeated marker needs a list that is not empty"
        raise ValueError(msg)
    return mark(page.entries[-1])


def shown_name(name: str, fault: Fault | None) -> str:
    """Name the container as the reply shall call it."""
    wrong = fault is not None and fault.kind is FaultKind.WRONG_CONTAINER
    return STRANGER if wrong else name
