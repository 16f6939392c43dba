"""How many requests one endpoint bears at once, learned from its replies. Pure: no clock, no I/O.

Additive increase, multiplicative decrease, as TCP does it: the window doubles
until the first trouble, is halved by every round trip that met one, climbs
back fast to where the trouble was and feels its way on from there. Latency
that rises far above the least that was seen is trouble too, but only if it
falls again in a smaller window: a slow store, or a slow network, is not ours
to relieve.
"""

from __future__ import annotations

from collections.abc import Sequence

FIRST = 16
SMALLEST = 1.0
# Near the window that met trouble it grows by one in four round trips, elsewhere by an eighth in
# each: what is far from the limit gets there soon, and what is near it asks for few refusals.
NEAR, BEYOND = 0.9, 1.1
CREEP, CLIMB = 0.25, 0.125
# Latency is judged by a quarter of a round, the quickest: whatever else is slow in a round says
# little. Twice the least and a millisecond is fine; three rounds above that are looked into.
FEWEST_SAMPLES = 8
TOLERANCE, SLACK = 2.0, 0.001
PATIENCE = 3
# What a halved window must do to latency, to have been the reason for it.
RELIEF = 0.75
# An answer to that question may be given for so many rounds of other operations.
PROBE_ROUNDS = 8


class _Rounds:
    """The latencies of one operation: the least, and those of a round of so many requests."""

    __slots__ = ("high", "least", "length", "samples")

    def __init__(self) -> None:
        self.samples: list[float] = []
        self.length = FEWEST_SAMPLES
        self.least = 0.0
        self.high = 0

    def begin(self, size: int) -> None:
        """Begin another round, in a window of this size."""
        self.samples.clear()
        self.length = max(FEWEST_SAMPLES, size)

    def is_fine(self, latency: float) -> bool:
        """Whether a latency is no sign of a queue."""
        return not self.least or latency <= TOLERANCE * self.least + SLACK


class _Probe:
    """A window that was halved to see whether latency falls: the one before, and its latency."""

    __slots__ = ("latency", "left", "rounds", "size")

    def __init__(self, rounds: _Rounds, latency: float, size: float) -> None:
        self.rounds = rounds
        self.latency = latency
        self.size = size
        self.left = PROBE_ROUNDS


class Window:
    """The window of one endpoint; `size` is how many requests may be in flight.

    Requests are known by their serial numbers, in the order in which they were
    begun; `begun` is that of the last one. Not for use by several threads at once.
    """

    __slots__ = ("_calm", "_ceiling", "_most", "_operations", "_probe", "_since", "_value", "size")

    def __init__(self, most: int, first: int = FIRST) -> None:
        self._most = float(most)
        self._value = min(float(first), self._most)
        self.size = int(self._value)
        self._ceiling: float | None = None
        self._since = 0
        self._calm = True
        self._operations: dict[str, _Rounds] = {}
        self._probe: _Probe | None = None

    def succeeded(
        self, operation: str, seconds: float, serial: int, begun: int, in_flight: int
    ) -> None:
        """Note a success: how long it took, and how many were in flight with it."""
        rounds = self._operations.get(operation)
        if rounds is None:
            rounds = self._operations[operation] = _Rounds()
        if serial > self._since:
            rounds.samples.append(seconds)
            if len(rounds.samples) >= rounds.length:
                self._judge(rounds, begun)
        # Doubling is too fast to wait for the end of a round.
        if self._ceiling is not None or rounds.is_fine(seconds):
            self.answered(in_flight)

    def answered(self, in_flight: int) -> None:
        """Note that the endpoint kept up, be it with a refusal for good."""
        # What is not used proves nothing.
        if self._calm and self._value < self._most and 2 * in_flight >= self.size:
            self._set(self._value + self._step())

    def refused(self, serial: int, begun: int) -> None:
        """Note that the endpoint asked for fewer requests, or did not answer."""
        if serial <= self._since:
            return  # of the same round trip as the last trouble
        # What a probe took away is not to be given back now.
        self._probe = None
        self._cut(begun)

    def _step(self) -> float:
        if self._ceiling is None:
            return 1.0
        place = self._value / self._ceiling
        if NEAR <= place <= BEYOND:
            return CREEP / self._value
        return CLIMB

    def _cut(self, begun: int) -> None:
        self._since = begun
        self._ceiling = self._value
        self._set(self._value / 2)
        for rounds in self._operations.values():
            rounds.begin(self.size)

    def _set(self, value: float) -> None:
        self._value = min(self._most, max(SMALLEST, value))
        self.size = int(self._value)

    def _judge(self, rounds: _Rounds, begun: int) -> None:
        """Look at a whole round of one operation."""
        latency = _quick_quarter(rounds.samples)
        rounds.begin(self.size)
        if not rounds.least or latency < rounds.least:
            rounds.least = latency
        probe = self._probe
        if probe is not None:
            self._answer(probe, rounds, latency)
        self._calm = rounds.is_fine(latency)
        rounds.high = 0 if self._calm else rounds.high + 1
        if rounds.high < PATIENCE or self._probe is not None:
            return
        rounds.high = 0
        if self.size <= 1:
            rounds.least = latency  # one request at a time is no load
            return
        self._probe = _Probe(rounds, latency, self._value)
        self._cut(begun)

    def _answer(self, probe: _Probe, rounds: _Rounds, latency: float) -> None:
        """Say what a probe told, as soon as a round of the same operation can."""
        if rounds is not probe.rounds:
            probe.left -= 1
            if not probe.left:
                self._probe = None
            return
        self._probe = None
        if latency > RELIEF * probe.latency:
            # It was not us. This is what the endpoint takes now.
            rounds.least = latency
            self._set(max(self._value, probe.size))


def _quick_quarter(samples: Sequence[float]) -> float:
    return sorted(samples)[len(samples) // 4]
