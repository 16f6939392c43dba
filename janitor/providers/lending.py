"""Lends things that are costly to keep: those used last stay, and the others are closed."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from contextlib import ExitStack
from typing import Generic, TypeVar

from janitor.providers.common import Closing

T = TypeVar("T", bound=Closing)


class Place(Generic[T]):
    """Where one thing is kept, as long as it is; `users` have it right now."""

    __slots__ = ("make", "making", "thing", "users")

    def __init__(self, make: Callable[[], T]) -> None:
        self.make = make
        self.making = threading.Lock()
        self.thing: T | None = None
        self.users = 0


class Lending(Generic[T]):
    """Keeps at most so many things, but for those that are in use; safe to use from many threads.

    What was not used for the longest time is closed first, and never while
    somebody has it. Whoever wants it again waits until it is made anew.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._places: dict[Hashable, Place[T]] = {}
        # Those that have a thing; that which was used last is at the end.
        self._kept: OrderedDict[int, Place[T]] = OrderedDict()
        self._closed = False

    def __len__(self) -> int:
        """Count the things that there are right now."""
        return len(self._kept)

    def place(self, key: Hashable, make: Callable[[], T]) -> Place[T]:
        """Give the place for a key; nothing is made yet."""
        with self._lock:
            if key not in self._places:
                self._places[key] = Place(make)
            return self._places[key]

    def take(self, place: Place[T]) -> T | None:
        """Take a thing, to be given back; None where it has to be made first. Never waits."""
        with self._lock:
            if place.thing is not None:
                place.users += 1
                self._kept.move_to_end(id(place))
            return place.thing

    def made(self, place: Place[T]) -> T:
        """Take a thing as `take` does, and make it where there is none; raises what that raises."""
        with place.making:
            found = self.take(place)
            if found is not None:
                return found
            thing = place.make()
            with self._lock:
                place.thing = thing
                place.users += 1
                self._kept[id(place)] = place
        self._close(self._surplus())
        return thing

    def give(self, place: Place[T]) -> None:
        """Give a thing back."""
        with self._lock:
            place.users -= 1
            calm = not self._closed and len(self._kept) <= self._most
        if not calm:
            self._close(self._surplus())

    def close(self) -> None:
        """Close what nobody uses now, and everything else as soon as it is given back."""
        with self._lock:
            self._closed = True
        self._close(self._surplus())

    def _surplus(self) -> list[T]:
        """Take out what is too much and not in use."""
        found: list[T] = []
        with self._lock:
            much = len(self._kept) if self._closed else len(self._kept) - self._most
            for place in list(self._kept.values()) if much > 0 else ():
                if len(found) == much:
                    break
                if place.thing is not None and not place.users:
                    del self._kept[id(place)]
                    found.append(place.thing)
                    place.thing = None
        return found

    @staticmethod
    def _close(things: list[T]) -> None:
        # One that cannot be closed keeps no other one open.
        with ExitStack() as stack:
            for thing in things:
                stack.callback(thing.close)
