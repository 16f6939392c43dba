"""Bytes that have to be kept for a while: beyond a few KB in a file without a name."""

from __future__ import annotations

import errno
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from tempfile import SpooledTemporaryFile
from typing import Self

from janitor.errors import JanitorError

_LENGTH = struct.Struct("<I")


class BacklogFailed(JanitorError):  # noqa: N818  # says what happened
    """The temporary folder is full or broken; what was not written down is not acted on."""


@contextmanager
def disk() -> Iterator[None]:
    """Raise BacklogFailed, with a way out, for whatever the disk does."""
    try:
        yield
    except (OSError, sqlite3.Error) as error:
        message = f"the temporary folder cannot be used: {error}: make room there, or set TMPDIR"
        raise BacklogFailed(message) from error


class Chunks:
    """Chunks in the order in which they were added; for one thread at a time.

    Up to `memory` bytes are held in memory, and more is on disk: then all of it
    is. Every method raises BacklogFailed where the disk fails.
    """

    def __init__(self, memory: int) -> None:
        # SpooledTemporaryFile is its own context manager, and so is this.
        self._file = SpooledTemporaryFile(max_size=memory)  # noqa: SIM115  # see above
        self.size = 0

    def __enter__(self) -> Self:
        """Nothing has to be opened."""
        return self

    def __exit__(self, *_: object) -> None:
        """Forget everything."""
        self.close()

    def close(self) -> None:
        """Forget everything; never raises."""
        # A full disk keeps bytes waiting that closing would write: nobody needs them any more.
        with suppress(OSError):
            self._file.close()

    def add(self, chunk: bytes) -> None:
        """Add one."""
        with disk():
            self._file.seek(self.size)
            self._file.write(_LENGTH.pack(len(chunk)) + chunk)
        self.size += _LENGTH.size + len(chunk)

    def at(self, position: int) -> tuple[bytes, int] | None:
        """Give the chunk at a position (0: the first), and the next position; None at the end."""
        if position >= self.size:
            return None
        with disk():
            self._file.seek(position)
            (length,) = _LENGTH.unpack(self._exactly(_LENGTH.size))
            chunk = self._exactly(length)
        return chunk, position + _LENGTH.size + length

    def _exactly(self, count: int) -> bytes:
        """Read on; a disk that was full may have taken less than it said."""
        found = self._file.read(count)
        if len(found) < count:
            raise OSError(errno.EIO, "what was written is not there any more")
        return found

    def read(self) -> Iterator[bytes]:
        """Give all of them."""
        position = 0
        while (found := self.at(position)) is not None:
            chunk, position = found
            yield chunk

    def cut(self, size: int) -> None:
        """Forget what was added since there were so many bytes."""
        # What lies behind it is written over, or never read.
        self.size = size
