"""All containers of one provider, for the wire protocols and for seeding by hand."""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from threading import RLock
from typing import TYPE_CHECKING, Final

from janitor.sandbox.dates import Stamp, Text
from janitor.sandbox.identity import ACCOUNT_ID, OWNER_ARN
from janitor.sandbox.state import Container, FinishedObject, Part, Upload

if TYPE_CHECKING:
    from janitor.sandbox.clock import SandboxClock

MIB: Final = 1024 * 1024


@dataclass(frozen=True)
class Habits:
    """In what one provider's uploads differ from another's."""

    provider: str
    region: str
    names: re.Pattern[str]
    new_id: Callable[[], str]
    first_part: int
    has_keys: bool = True


S3_HABITS: Final = Habits(
    provider="s3",
    region="us-east-1",
    names=re.compile(r"[A-Za-z0-9._-]{3,255}"),
    new_id=lambda: secrets.token_urlsafe(72),
    first_part=1,
)
QINGSTOR_HABITS: Final = Habits(
    provider="qingstor",
    region="pek3a",
    names=re.compile(r"[a-z0-9][a-z0-9._-]{1,61}[a-z0-9]"),
    new_id=lambda: secrets.token_hex(16),
    first_part=0,
)
GLACIER_HABITS: Final = Habits(
    provider="glacier",
    region="us-west-2",
    names=re.compile(r"[A-Za-z0-9._-]{1,255}"),
    new_id=lambda: secrets.token_urlsafe(69),
    first_part=0,
    has_keys=False,
)


class Store:
    """The containers of one provider. Safe to use from any thread."""

    def __init__(self, habits: Habits, clock: SandboxClock) -> None:
        self.habits = habits
        self.containers: dict[str, Container] = {}
        self.lock = RLock()
        self._clock = clock
        self._arrivals = count()

    def add_container(
        self,
        name: str,
        region: str | None = None,
        *,
        account_id: str = ACCOUNT_ID,
        created: datetime | None = None,
        lifecycle_days: int | None = None,
    ) -> Container:
        """Create a bucket or vault; ValueError if the name is taken or not allowed."""
        if not self.habits.names.fullmatch(name):
            msg = f"{self.habits.provider} would not accept the name {name!r}"
            raise ValueError(msg)
        with self.lock:
            if name in self.containers:
                msg = f"{self.habits.provider} container {name!r} exists already"
                raise ValueError(msg)
            made = Container(
                name, region or self.habits.region, account_id, created or self._clock.now()
            )
            made.lifecycle_days = lifecycle_days
            self.containers[name] = made
            return made

    def add_upload(  # noqa: PLR0913 -- a seed may say everything that a listing can show
        self,
        container: str,
        key: str = "",
        *,
        initiated: Stamp | None = None,
        parts: Iterable[tuple[int, Stamp | None]] = (),
        initiator: Text = OWNER_ARN,
        storage_class: Text = "STANDARD",
        description: str | None = None,
        part_size: int | None = None,
        upload_id: str | None = None,
    ) -> str:
        """Begin an upload by hand and return its id.

        `initiated` and the parts' dates are a datetime, None for now, a raw text that the
        wire shall carry as it is, or `OMIT` to leave the element out. Each part is
        (size in bytes, date). KeyError if the container does not exist, ValueError if the
        key is missing (or given, on Glacier) or the upload id is in use.
        """
        if bool(key) != self.habits.has_keys:
            msg = f"a {self.habits.provider} upload and the key {key!r} do not go together"
            raise ValueError(msg)
        sized = list(parts)
        with self.lock:
            upload = self._new_upload(key, initiated, upload_id)
            upload.initiator, upload.storage_class = initiator, storage_class
            upload.description = description
            upload.part_size = part_size or _part_size(size for size, _ in sized)
            for size, received in sized:
                self._append(upload, size, received)
            self.containers[container].add(upload)
        return upload.upload_id

    def add_part(self, container: str, upload_id: str, size: int, at: Stamp | None = None) -> None:
        """Add the next part to an upload by hand; KeyError if there is no such upload."""
        with self.lock:
            upload = self.containers[container].get(upload_id)
            if upload is None:
                raise KeyError(upload_id)
            self._append(upload, size, at)

    def add_object(self, container: str, key: str, body: bytes = b"") -> None:
        """Put a finished object by hand."""
        with self.lock:
            etag = hashlib.md5(body, usedforsecurity=False).hexdigest()
            made = FinishedObject(key, len(body), etag, self._clock.now(), body)
            self.containers[container].objects[key] = made

    def abort(self, container: str, upload_id: str) -> None:
        """End an upload behind the clients' backs; KeyError if there is none."""
        with self.lock:
            home = self.containers[container]
            upload = home.get(upload_id)
            if upload is None:
                raise KeyError(upload_id)
            home.end(upload, completed=False, when=self._clock.now())

    def complete(self, container: str, upload_id: str) -> FinishedObject:
        """Turn an upload into an object behind the clients' backs; KeyError if there is none."""
        with self.lock:
            upload = self.containers[container].get(upload_id)
            if upload is None:
                raise KeyError(upload_id)
            return self.finish(container, upload, upload.key)

    def finish(self, container: str, upload: Upload, key: str) -> FinishedObject:
        """Make the object that an upload became; the protocols have checked the parts."""
        parts = upload.sorted_parts()
        digest = hashlib.md5("".join(p.etag for p in parts).encode(), usedforsecurity=False)
        made = FinishedObject(
            key, upload.size, f"{digest.hexdigest()}-{len(parts)}", self._clock.now()
        )
        home = self.containers[container]
        home.end(upload, completed=True, when=made.modified)
        home.objects[key] = made
        return made

    def uploads(self, container: str) -> list[Upload]:
        """Copy what is in progress, in listing order; KeyError if there is no such container."""
        with self.lock:
            return self.containers[container].snapshot()

    def upload_ids(self, container: str) -> list[str]:
        """Return the ids of what is in progress, in listing order."""
        return [upload.upload_id for upload in self.uploads(container)]

    def objects(self, container: str) -> dict[str, FinishedObject]:
        """Copy the finished objects (on Glacier the archives) by key."""
        with self.lock:
            return dict(self.containers[container].objects)

    def _new_upload(self, key: str, initiated: Stamp | None, upload_id: str | None) -> Upload:
        now = self._clock.now()
        stamp = now if initiated is None else initiated
        sorting = stamp if isinstance(stamp, datetime) else now
        identity = upload_id or self.habits.new_id()
        order = (key, sorting.timestamp(), next(self._arrivals), identity)
        return Upload(key, identity, stamp, order)

    def _append(self, upload: Upload, size: int, received: Stamp | None) -> None:
        last = max(upload.parts, default=None)
        if last is None:
            number = self.habits.first_part
        elif self.habits.has_keys:
            number = last + 1
        else:
            number = last + upload.parts[last].size
        etag = _made_up_hash(f"{upload.upload_id} {number}", self.habits)
        stamp = self._clock.now() if received is None else received
        upload.parts[number] = Part(number, size, etag, stamp)


def _made_up_hash(text: str, habits: Habits) -> str:
    if habits.has_keys:
        return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()
    return hashlib.sha256(text.encode()).hexdigest()


def _part_size(sizes: Iterable[int]) -> int:
    wanted, size = max(sizes, default=4 * MIB), MIB
    while size < wanted:
        size *= 2
    return size
