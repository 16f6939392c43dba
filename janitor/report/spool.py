"""Keeps lines by container: a few MB in memory, all else in one unnamed temporary file."""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO, FileIO
from tempfile import TemporaryFile
from threading import Lock

from janitor.model import ContainerRef


def _offsets() -> array[int]:
    return array("Q")


@dataclass(slots=True)
class _Shelf:
    """The lines of one container: where they are on disk, and those that are not there yet."""

    offsets: array[int] = field(default_factory=_offsets)
    lengths: array[int] = field(default_factory=_offsets)
    tail: bytearray = field(default_factory=bytearray)


class Spool:
    """Takes lines from any thread and gives them back by container.

    At most `memory` bytes of lines are held in memory. The disk is one file
    for all containers, because there may be more of them than a process may
    have open files. Where the disk fails, what is in memory stays readable, and
    `lost` counts the lines for which there was no room.
    """

    def __init__(self, memory: int) -> None:
        self.lost = 0
        self._memory = memory
        self._shelves: dict[ContainerRef, _Shelf] = {}
        self._buffered = 0
        self._file: FileIO | None = None
        self._broken = False
        self._closed = False
        self._lock = Lock()

    def add(self, where: ContainerRef, line: bytes) -> None:
        """Keep a line, which must end with a newline and hold no other; never raises."""
        with self._lock:
            if not self._has_room(len(line)):
                self.lost += 1
                return
            shelf = self._shelves.get(where)
            if shelf is None:
                shelf = self._shelves[where] = _Shelf()
            shelf.tail += line
            self._buffered += len(line)

    def lines(self) -> Iterator[bytes]:
        """Give all lines, sorted by container and then in the order they came.

        Raises ValueError after `close`, OSError if the disk fails.
        """
        with self._lock:
            self._check_open()
            shelves = sorted(self._shelves.items(), key=lambda item: item[0])
        for _, shelf in shelves:
            yield from self._lines_of(shelf)

    def close(self) -> None:
        """Forget everything; calling twice is fine."""
        with self._lock:
            self._closed = True
            self._shelves.clear()
            if self._file is not None:
                with suppress(OSError):
                    self._file.close()

    def _lines_of(self, shelf: _Shelf) -> Iterator[bytes]:
        with self._lock:
            chunks = list(zip(shelf.offsets, shelf.lengths, strict=True))
            tail = bytes(shelf.tail)
        for offset, length in chunks:
            yield from BytesIO(self._read(offset, length))
        yield from BytesIO(tail)

    def _read(self, offset: int, length: int) -> bytes:
        with self._lock:
            self._check_open()
            assert self._file is not None  # noqa: S101  # for mypy: a chunk was written to it
            self._file.seek(offset)
            chunk = self._file.read(length)
        if len(chunk) < length:
            msg = "the spool is shorter than what was written to it"
            raise OSError(msg)
        return chunk

    def _check_open(self) -> None:
        if self._closed:
            msg = "the spool is closed"
            raise ValueError(msg)

    def _has_room(self, length: int) -> bool:
        if self._closed:
            return False
        if self._buffered + length <= self._memory:
            return True
        if self._broken:
            return False
        try:
            self._spill()
        except OSError:
            self._broken = True
            return False
        return True

    def _spill(self) -> None:
        """Move everything from memory to the end of the file, in one piece."""
        if self._file is None:
            # Unbuffered, so that a full disk is noticed here and nowhere else.
            self._file = TemporaryFile(buffering=0)  # noqa: SIM115  # close() closes it
        shelves = [shelf for shelf in self._shelves.values() if shelf.tail]
        offset = self._file.seek(0, os.SEEK_END)
        _write(self._file, b"".join(shelf.tail for shelf in shelves))
        for shelf in shelves:
            shelf.offsets.append(offset)
            shelf.lengths.append(len(shelf.tail))
            offset += len(shelf.tail)
            shelf.tail = bytearray()
        self._buffered = 0


def _write(file: FileIO, content: bytes) -> None:
    rest = memoryview(content)
    while rest:
        rest = rest[file.write(rest) :]
