"""Caps the requests to each container: what a store bears for all is more than it bears for one.

Pure: the time is an argument.
"""

from __future__ import annotations

# A tenth of a second's worth may come at once, so that a cap bites at speed only.
BURST = 0.1
# How many containers are remembered before those that are at rest are forgotten.
REMEMBERED = 4096


class Caps:
    """The caps of one target, in requests a second; None is unlimited.

    Not for use by several threads at once.
    """

    __slots__ = ("_rates", "_spent")

    def __init__(self, reads: float | None, writes: float | None) -> None:
        self._rates = {False: reads, True: writes}
        # When the burst of a container will be whole again, for reads and for writes.
        self._spent: dict[tuple[str, bool], float] = {}

    def place(self, container: str, now: float, *, writes: bool) -> float:
        """Take the next place at a container; give the seconds until then."""
        rate = self._rates[writes]
        if rate is None:
            return 0.0
        key = (container, writes)
        whole_at = max(now, self._spent.get(key, now)) + 1.0 / rate
        if key not in self._spent and len(self._spent) >= REMEMBERED:
            self._forget(now)
        self._spent[key] = whole_at
        return max(0.0, whole_at - now - max(BURST, 1.0 / rate))

    def _forget(self, now: float) -> None:
        self._spent = {key: at for key, at in self._spent.items() if at > now}
