"""Sees to it that a process may open as many files as its requests in flight need."""

from __future__ import annotations

import resource
from contextlib import suppress

# For a request in flight: a connection to read and one to abort, each with what wakes its thread.
FOR_EACH = 6
# For the ledger, logs, standard streams, the web server and its visitors.
BESIDES = 128


def in_flight(concurrency: int, files: int | None) -> int:
    """Give how many requests may be in flight where so many files may be open; None: any."""
    if files is None:
        return concurrency
    return max(1, min(concurrency, (files - BESIDES) // FOR_EACH))


def open_files(concurrency: int) -> int | None:
    """Raise this process's limit, as far as needed and as it may; tell what it is; None: none.

    Many systems begin with 1024, and let a process have many more if it asks.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # Threads that rest keep their connections for a while: twice as many.
    wanted = BESIDES + 2 * FOR_EACH * concurrency
    if soft != resource.RLIM_INFINITY and soft < wanted:
        allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        with suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
            soft = allowed
    return None if soft == resource.RLIM_INFINITY else soft
