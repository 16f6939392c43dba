"""The count since the first sighting, by every kind of clock."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import example, given
from hypothesis import strategies as st
from support.strategies import law

from janitor.ledger.marks import RETENTION, Look, Mark, again, as_of

HOUR = 3600 * 1_000_000
DAY = 24 * HOUR
START = 500_000 * HOUR
GRACE = DAY
FINGERPRINT = b"f"


@dataclass
class World:
    """The true time, a clock that may be wrong, and one upload that is sighted by it."""

    true: int = START
    offset: int = 0
    high: int = 0
    mark: Mark | None = None
    born: int | None = None

    @property
    def at(self) -> int:
        """What the clock shows."""
        return self.true + self.offset

    def look(self, fingerprint: bytes = FINGERPRINT) -> Mark:
        """Sight the upload."""
        self.read()
        self.mark = again(self.mark, None, fingerprint, 5, Look(self.at, 1, self.high))
        self.born = self.true if self.born is None else self.born
        return self.mark

    def read(self) -> None:
        """Let the ledger be told the time, for another upload."""
        self.high = max(self.high, self.at)


steps = st.lists(
    st.tuples(
        st.integers(1, 48 * HOUR),
        st.sampled_from(["right", "behind", "far behind"]),
        st.sampled_from(["look", "changed", "other"]),
    ),
    max_size=12,
)


@law
@given(steps)
@example([(HOUR, "far behind", "look"), (HOUR, "right", "look")])
@example([(HOUR, "right", "other"), (HOUR, "behind", "look"), (3 * HOUR, "right", "look")])
@example(
    [
        (HOUR, "right", "look"),
        (HOUR, "right", "other"),
        (HOUR, "far behind", "changed"),
        (HOUR, "right", "look"),
    ]
)
@example(
    [
        (HOUR, "right", "look"),
        (10 * HOUR, "right", "other"),
        (HOUR, "behind", "changed"),
        (3 * HOUR, "right", "look"),
    ]
)
def test_a_clock_that_was_behind_never_makes_an_upload_look_longer_known(
    steps: list[tuple[int, str, str]],
) -> None:
    """Neither the first sighting nor the last change looks older than it truly is."""
    world = World()
    world.read()
    changed = START
    for passed, clock, deed in steps:
        world.true += passed
        world.offset = _lag(clock, world)
        if deed == "other":
            world.read()
            continue
        if deed == "changed":
            changed = world.true
        mark = world.look(b"%d" % changed)
        assert world.born is not None
        true_unchanged = world.true - max(changed, world.born)

        assert world.at - mark.first_seen <= world.true - world.born
        assert world.at - mark.unchanged_since <= true_unchanged


def _lag(clock: str, world: World) -> int:
    """Give an offset: none, or one that shows an earlier time than before, without jumping."""
    lag = {"right": 0, "behind": -2 * HOUR, "far behind": -START}[clock]
    visible = world.true + lag < world.high
    forward = lag > world.offset
    return lag if visible and not forward else 0


@law
@given(
    st.lists(st.tuples(st.integers(0, 90 * DAY), st.integers(-START, START)), max_size=8),
    st.integers(-START, START),
)
def test_grace_passes_whatever_the_clock_did_before(
    history: list[tuple[int, int]], offset: int
) -> None:
    """A clock that once showed 2083 must not mean that nothing is ever aborted."""
    world = World()
    for passed, jump in history:
        world.true += passed
        world.offset = jump
        world.look()
    world.offset = offset
    longest = 0
    for _ in range(2 * 24 + 3):
        mark = world.look()
        longest = max(longest, world.at - mark.first_seen, 0)
        world.true += HOUR

    assert longest >= GRACE


@law
@given(
    st.lists(st.tuples(st.integers(0, 40 * DAY), st.integers(-START, START)), min_size=1),
    st.integers(0, 40 * DAY),
    st.integers(-START, START),
)
def test_reading_tells_what_a_look_would(
    history: list[tuple[int, int]], passed: int, offset: int
) -> None:
    """`explain` and `scan`, which change nothing, agree with the next sweep."""
    world = World()
    for wait, jump in history:
        world.true += wait
        world.offset = jump
        mark = world.look()
    world.true += passed
    world.offset = offset
    read = as_of(mark, world.at)
    looked = world.look()

    assert (looked.first_seen, looked.unchanged_since) == (read.first_seen, read.unchanged_since)


@law
@given(st.integers(), st.integers(), st.integers())
def test_nothing_is_ever_known_since_the_future(first: int, second: int, high: int) -> None:
    """Whatever was read before, no count is negative."""
    mark = again(None, None, FINGERPRINT, 5, Look(first, 1, max(first, high)))
    then = again(mark, None, FINGERPRINT, 5, Look(second, 2, max(first, second, high)))

    assert then.first_seen <= second
    assert then.unchanged_since <= second


def test_vanishing_is_forgiven_until_the_retention_ends() -> None:
    """At exactly 30 d the first sighting still counts, a microsecond later it does not."""
    mark = again(None, None, FINGERPRINT, 5, Look(START, 1, START))
    edge = START + RETENTION
    kept = again(mark, None, FINGERPRINT, 5, Look(edge, 2, edge))
    lost = again(mark, None, FINGERPRINT, 5, Look(edge + 1, 2, edge + 1))

    assert (START, 1) == (kept.first_seen, kept.first_run)
    assert (edge + 1, 2) == (lost.first_seen, lost.first_run)


def test_a_change_that_lies_in_the_future_is_now() -> None:
    """After a step back, the part set is unchanged for no time at all."""
    mark = again(None, None, b"f1", 5, Look(START, 1, START))
    late = START + 3 * HOUR
    mark = again(mark, None, b"f2", 5, Look(late, 2, late))
    at = START + 2 * HOUR
    stepped = again(mark, None, b"f2", 5, Look(at, 3, late))
    read = as_of(mark, at)

    assert (START, at, late) == (stepped.first_seen, stepped.unchanged_since, stepped.catch_up)
    assert (START, at) == (read.first_seen, read.unchanged_since)


def test_the_count_starts_again_exactly_when_the_clock_catches_up() -> None:
    """A microsecond before it goes on, and at the mark it does not."""
    low = START - DAY
    mark = again(None, None, FINGERPRINT, 5, Look(low, 1, START))
    before = again(mark, None, FINGERPRINT, 5, Look(START - 1, 2, START))
    caught_up = again(mark, None, FINGERPRINT, 5, Look(START, 2, START))

    assert (low, START) == (before.first_seen, before.catch_up)
    assert (START, None) == (caught_up.first_seen, caught_up.catch_up)


def test_every_field_is_under_the_checksum() -> None:
    """A damaged row cannot pass for an older one, nor for another upload's."""
    mark = again(None, None, FINGERPRINT, 5, Look(START, 1, START))
    numbers = [name for name in Mark._fields if name != "fingerprint"]
    other = [Mark(**(mark._asdict() | {name: 7})) for name in numbers]
    other.append(mark._replace(fingerprint=b"g"))
    sums = {changed.checksum(1, b"i") for changed in other}
    sums |= {mark.checksum(1, b"i"), mark.checksum(2, b"i"), mark.checksum(1, b"j")}

    assert len(Mark._fields) + 3 == len(sums)
