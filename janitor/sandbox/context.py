"""What an operation gets to see, and the small checks that all protocols need."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from janitor.sandbox.faults import FaultKind

if TYPE_CHECKING:
    from collections.abc import Callable

    from janitor.sandbox.faults import Fault
    from janitor.sandbox.state import Container, Upload
    from janitor.sandbox.store import Store
    from janitor.sandbox.wire import Call, Request
    from janitor.sandbox.world import Caller, World


@dataclass(frozen=True)
class Context:
    """One call, by whom, on which store."""

    world: World
    store: Store
    call: Call
    caller: Caller

    @property
    def request(self) -> Request:
        """The request as it came over the wire."""
        return self.call.request

    @property
    def fault(self) -> Fault | None:
        """The fault that strikes this call."""
        return self.call.fault

    @property
    def key(self) -> str:
        """The object key, '' if there is none."""
        return self.call.key or ""

    @property
    def upload_id(self) -> str:
        """The upload id, '' if there is none."""
        return self.call.upload_id or ""

    def found(self) -> Container | None:
        """Look the container up."""
        return self.store.containers.get(self.call.container or "")

    def upload(self) -> Upload | None:
        """Look the upload up; it must have the very key of the request."""
        container = self.found()
        upload = container.get(self.upload_id) if container else None
        return upload if upload is not None and upload.key == self.key else None

    def abort(self, home: Container, upload: Upload) -> None:
        """End an upload, unless a fault wants that only pretended."""
        if self.fault is None or self.fault.kind is not FaultKind.PRETEND:
            home.end(upload, completed=False, when=self.world.clock.now())


def whole_number(text: str) -> int | None:
    """Read a decimal number; None if it is none."""
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None


def md5_hex(body: bytes) -> str:
    """Hash as ETags do."""
    return hashlib.md5(body, usedforsecurity=False).hexdigest()


_CHECKSUMS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "content-md5": lambda body: hashlib.md5(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha1": lambda body: hashlib.sha1(body, usedforsecurity=False).digest(),
    "x-amz-checksum-sha256": lambda body: hashlib.sha256(body).digest(),
    "x-amz-checksum-crc32": lambda body: zlib.crc32(body).to_bytes(4, "big"),
}


def wrong_checksum(request: Request, body: bytes) -> str | None:
    """Name the header whose declared hash does not fit the body; None if all fit."""
    for name, compute in _CHECKSUMS.items():
        declared = request.header(name)
        if declared and _decoded(declared) != compute(body):
            return name
    return None


def _decoded(declared: str) -> bytes:
    try:
        return base64.b64decode(declared, validate=True)
    except binascii.Error:
        return b""
