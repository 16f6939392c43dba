"""All that can go wrong in one sweep, as hypothesis draws it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from hypothesis import strategies as st

from janitor.sandbox import FaultKind
from support.mortal import Death


@dataclass(frozen=True)
class Strike:
    """The sandbox answers wrongly, from the `nth` call on."""

    operation: str
    kind: FaultKind
    nth: int = 1
    times: int | None = 1
    status: int | None = None


@dataclass(frozen=True)
class Race:
    """Something happens right before the `nth` request of a kind is answered."""

    when: str
    what: str
    nth: int = 1


@dataclass(frozen=True)
class Denial:
    """A permission is missing."""

    operation: str


@dataclass(frozen=True)
class WrongClock:
    """The janitor's clock is off."""

    by: timedelta


@dataclass(frozen=True)
class Amnesia:
    """The store has forgotten all uploads of one container, for the time being."""

    container: str = "big"


Trouble = Strike | Race | Denial | WrongClock | Amnesia | Death

OF_LISTS = tuple(kind for kind in FaultKind if kind is not FaultKind.PRETEND)
OF_PARTS = tuple(
    kind
    for kind in OF_LISTS
    # A list of parts that is too short for them makes them mistakes of the test.
    if kind not in {FaultKind.REPEAT_MARKER, FaultKind.CYCLE_MARKERS}
)
OF_ABORTS = (
    FaultKind.STATUS,
    FaultKind.STATUS_AFTER,
    FaultKind.NONE,
    FaultKind.DROP_BEFORE,
    FaultKind.DROP_AFTER,
    FaultKind.HTML_BODY,
    FaultKind.REDIRECT,
    FaultKind.PRETEND,
)
STEPS = (
    "lock",
    "begin",
    "identify",
    "list_page",
    "last_scan",
    "list_parts",
    "sight",
    "intend",
    "intend",
    "abort",
    "abort",
    "conclude",
    "record_scans",
    "finish",
)

OPERATIONS = ("list_uploads", "list_parts", "abort")
WHEN = ("list", "look", "recheck", "abort")
WHAT = ("part", "complete", "abort", "replace", "new", "nap", "sleep", "blind")
OFFSETS = tuple(
    timedelta(minutes=minutes) for minutes in (-4, 4, -6, 6, 60, -60, 7 * 60, 26 * 60, 9 * 24 * 60)
)

_nth = st.sampled_from([1, 1, 1, 2, 3, 5])
_times = st.sampled_from([1, 1, 2, 3, None])
_statuses = st.sampled_from([None, 400, 403, 429, 500, 503])
_server_errors = st.sampled_from([500, 503])


def _status_of(kind: FaultKind) -> st.SearchStrategy[int | None]:
    if kind is FaultKind.STATUS:
        return _statuses
    # A store that did what was asked, and says that it was wrong to ask, would lie.
    return _server_errors if kind is FaultKind.STATUS_AFTER else st.none()


@st.composite
def strikes(draw: st.DrawFn) -> Strike:
    """Draw a fault, and an operation to which it applies."""
    kind = draw(st.sampled_from(FaultKind))
    operations = [
        *(["list_uploads"] if kind in OF_LISTS else []),
        *(["list_parts"] if kind in OF_PARTS else []),
        *(["abort", "abort"] if kind in OF_ABORTS else []),
    ]
    operation = draw(st.sampled_from(operations))
    return Strike(operation, kind, draw(_nth), draw(_times), draw(_status_of(kind)))


races = st.builds(
    Race,
    st.sampled_from([*WHEN, "recheck", "abort"]),
    st.sampled_from([*WHAT, "part"]),
    st.sampled_from([1, 1, 2, 3]),
)
deaths = st.builds(Death, st.sampled_from(STEPS), st.booleans(), st.sampled_from([1, 1, 2, 3, 6]))
denials = st.builds(Denial, st.sampled_from(OPERATIONS))
wrong_clocks = st.builds(WrongClock, st.sampled_from(OFFSETS))
troubles = st.one_of(
    strikes(),
    strikes(),
    strikes(),
    strikes(),
    races,
    races,
    races,
    deaths,
    deaths,
    denials,
    wrong_clocks,
    st.just(Amnesia()),
)


def _sights() -> list[Trouble]:
    """Give each trouble for each of three stores, in turn."""
    found: list[Trouble] = []
    for kinds, operation in (
        (OF_LISTS, "list_uploads"),
        (OF_PARTS, "list_parts"),
        (OF_ABORTS, "abort"),
    ):
        for kind in kinds:
            found += [Strike(operation, kind, times=2)] * 3
    for when in WHEN:
        found += [Race(when, what) for what in WHAT]
    for step in dict.fromkeys(STEPS):
        found += [Death(step), Death(step, after=True)]
    found += [WrongClock(by) for by in OFFSETS]
    found += [Denial(operation) for operation in OPERATIONS]
    return found


# A reply is lost, and so is the look for what it would have said.
_BLIND: list[Trouble] = [Strike("abort", FaultKind.DROP_AFTER, times=3), Race("abort", "blind")]
SIGHTS = [*([one] for one in _sights()), _BLIND, _BLIND, _BLIND]
