"""The SHA-256 tree hash of Amazon Glacier ("Computing Checksums" in its developer guide). Pure."""

from __future__ import annotations

import hashlib
from typing import Final

MIB: Final = 1024 * 1024


def tree_hash(body: bytes) -> bytes:
    """Hash MiB by MiB, then pairwise up to one root."""
    view = memoryview(body)
    chunks = [view[start : start + MIB] for start in range(0, len(body), MIB)] or [view]
    return combine([hashlib.sha256(chunk).digest() for chunk in chunks])


def combine(hashes: list[bytes]) -> bytes:
    """Hash pairs of neighbours until one is left; an odd last one moves up as it is."""
    while len(hashes) > 1:
        hashes = [
            hashlib.sha256(b"".join(hashes[i : i + 2])).digest()
            if i + 1 < len(hashes)
            else hashes[i]
            for i in range(0, len(hashes), 2)
        ]
    return hashes[0]
