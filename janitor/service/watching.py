"""Notices that files have new content, by reading them again and again.

Reading by name follows every way in which a config is replaced: a ConfigMap
swaps a symbolic link in the path, editors put a new file in the place of the
old one, and network file systems tell nobody of anything.
"""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path

LOOK_EVERY = 2.0
TRY_AGAIN_EVERY = 30.0


class Watch:
    """Remembers the content of files; `every` is how often to read them, in seconds.

    New content counts when two looks in a row found the same: half of a config
    can be a valid one, without the rules that protect. Content that was
    refused counts again every `again` seconds: a ConfigMap can arrive before
    the Secret that it names, and a file that was not there is not watched.
    """

    def __init__(
        self,
        files: Iterable[Path],
        clock: Callable[[], float] = time.monotonic,
        every: float = LOOK_EVERY,
        again: float = TRY_AGAIN_EVERY,
    ) -> None:
        self._clock = clock
        self._every = every
        self._again = again
        self._next = clock() + every
        self._known: dict[Path, str] = {}
        self.follow(files)

    def follow(self, files: Iterable[Path]) -> None:
        """Watch these files from now on; what is in the new ones now is known."""
        paths = [path.absolute() for path in files]
        self._known = {path: self._known.get(path) or _digest(path) for path in paths}
        self._seen = self._known
        self._try_at = math.inf

    def refused(self) -> None:
        """Note that what is there could not be used."""
        self._try_at = self._clock() + self._again

    def changed(self) -> bool:
        """Say, once, that there is new content; most calls do not even look."""
        if self._clock() < self._next:
            return False
        self._next = self._clock() + self._every
        content = self._content()
        settled, self._seen = content == self._seen, content
        news = content != self._known or self._clock() >= self._try_at
        if not settled or not news:
            return False
        self._known = content
        self._try_at = math.inf
        return True

    def _content(self) -> dict[Path, str]:
        return {path: _digest(path) for path in self._known}


def _digest(path: Path) -> str:
    try:
        if not path.is_file():  # reading a pipe could wait for ever
            return "not a file"
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        return f"unreadable: {error.errno}"
