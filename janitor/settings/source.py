"""Reads files of bounded size without ever waiting for ever. Knows nothing of YAML."""

from __future__ import annotations

import errno
import os
import select
import stat
import sys
from pathlib import Path

LARGEST_CONFIG = 1024 * 1024
LARGEST_SECRET = 64 * 1024
_SECONDS_FOR_A_PIPE = 5.0
_CHUNK = 64 * 1024

_WORDS = {
    errno.ENOENT: "does not exist: check the name of the file",
    errno.ENOTDIR: "does not exist: check the name of the file",
    errno.EACCES: "may not be read: give the janitor's user the right to read it",
    errno.EPERM: "may not be read: give the janitor's user the right to read it",
    errno.EISDIR: "is a directory: name a file",
    errno.ELOOP: "is a loop of symbolic links: name a file",
    errno.ENAMETOOLONG: "has a name that is too long: check it",
    errno.ENXIO: "is a socket or a device: name a file",
}


class Unreadable(Exception):  # noqa: N818  # private to this package; becomes a problem
    """A file cannot be read; the message is a sentence without the file's name."""


def read_config(path: str) -> bytes:
    """Read a config file, or standard input for `-`; at most 1 MiB of either."""
    if path == "-":
        return _bounded(sys.stdin.buffer.read(LARGEST_CONFIG + 1), LARGEST_CONFIG)
    descriptor = _open(path)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            msg = "is not a regular file: name a file, or pipe it in and say - for the file"
            raise Unreadable(msg)
        return _read(descriptor, LARGEST_CONFIG)
    finally:
        os.close(descriptor)


def read_beside(path: Path) -> bytes:
    """Read a file that a config names and that is read again later, so no pipe; at most 1 MiB."""
    descriptor = _open(str(path))
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            msg = "is not a regular file: write it to one, because it is read more than once"
            raise Unreadable(msg)
        return _read(descriptor, LARGEST_CONFIG)
    finally:
        os.close(descriptor)


def read_secret(path: Path) -> bytes:
    """Read a file with a secret, or a pipe that has a writer; at most 64 KiB."""
    descriptor = _open(str(path))
    try:
        return _read(descriptor, LARGEST_SECRET)
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    try:
        # Without O_NONBLOCK, opening a FIFO that nobody writes to never returns.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        raise _unreadable(error) from None
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Unreadable(_WORDS[errno.EISDIR])
    return descriptor


def _read(descriptor: int, most: int) -> bytes:
    read = bytearray()
    while len(read) <= most:
        chunk = _read_some(descriptor, min(_CHUNK, most + 1 - len(read)))
        if not chunk:
            break
        read += chunk
    return _bounded(bytes(read), most)


def _read_some(descriptor: int, most: int) -> bytes:
    while True:
        try:
            return os.read(descriptor, most)
        except BlockingIOError:  # a pipe whose writer has not written yet
            if not select.select([descriptor], [], [], _SECONDS_FOR_A_PIPE)[0]:
                msg = "gave no data for 5 s: name a file"
                raise Unreadable(msg) from None
        except OSError as error:
            raise _unreadable(error) from None


def _bounded(read: bytes, most: int) -> bytes:
    if len(read) > most:
        msg = f"is larger than {most // 1024} KiB: name the right file, or make it smaller"
        raise Unreadable(msg)
    return read


def _unreadable(error: OSError | ValueError) -> Unreadable:
    number = error.errno if isinstance(error, OSError) and error.errno is not None else -1
    return Unreadable(_WORDS.get(number, "cannot be read: check its name and the disk it is on"))
