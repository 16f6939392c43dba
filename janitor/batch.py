"""Many uploads of one container as columns: most are only counted, and never made. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import compress
from typing import overload

from janitor.model import KEYED_PROVIDERS, ContainerRef, Upload

Identity = tuple[str, str]


@dataclass(frozen=True, slots=True, eq=False)
class Batch(Sequence[Upload]):
    """Uploads as columns of the same length; one is made whenever it is asked for.

    Columns are as the fields of `Upload` of the same meaning. `description` is
    the same for all. Every upload could be made: that is proven at once, so
    that a listing that holds an impossible one fails when it is read.
    """

    where: ContainerRef
    keys: Sequence[str]
    upload_ids: Sequence[str]
    initiated: Sequence[datetime | None]
    initiated_texts: Sequence[str | None]
    initiators: Sequence[str | None]
    storage_classes: Sequence[str | None]
    description: str | None = None

    def __post_init__(self) -> None:
        """Prove every identity: what `Upload` would refuse is refused here."""
        if self.upload_ids:
            self[0]  # what all share
        if not all(self.upload_ids):
            self[self.upload_ids.index("")]
        if self.where.provider in KEYED_PROVIDERS and not all(self.keys):
            self[self.keys.index("")]

    def __len__(self) -> int:
        """Count them."""
        return len(self.upload_ids)

    @overload
    def __getitem__(self, at: int) -> Upload: ...

    @overload
    def __getitem__(self, at: slice) -> Batch: ...

    def __getitem__(self, at: int | slice) -> Upload | Batch:
        """Make one upload, or give some of them as columns."""
        if isinstance(at, slice):
            return Batch(
                self.where,
                self.keys[at],
                self.upload_ids[at],
                self.initiated[at],
                self.initiated_texts[at],
                self.initiators[at],
                self.storage_classes[at],
                self.description,
            )
        return Upload(
            self.where,
            self.keys[at],
            self.upload_ids[at],
            self.initiated[at],
            self.initiated_texts[at],
            self.description,
            self.initiators[at],
            self.storage_classes[at],
        )

    def __iter__(self) -> Iterator[Upload]:
        """Make them one after the other."""
        return map(self.__getitem__, range(len(self)))

    def __eq__(self, other: object) -> bool:
        """Whether the uploads are the same ones in the same order, however they are kept."""
        if isinstance(other, Sequence):
            return tuple(self) == tuple(other)
        return NotImplemented

    __hash__ = None  # type: ignore[assignment]  # as every sequence that compares by content


def keys_of(uploads: Sequence[Upload]) -> Sequence[str]:
    """Give their keys, "" where a provider has none."""
    if isinstance(uploads, Batch):
        return uploads.keys
    return [upload.key or "" for upload in uploads]


def ids_of(uploads: Sequence[Upload]) -> Sequence[str]:
    """Give their upload ids."""
    if isinstance(uploads, Batch):
        return uploads.upload_ids
    return [upload.upload_id for upload in uploads]


def identities_of(uploads: Sequence[Upload]) -> list[Identity]:
    """Give what tells each apart from every other upload of its container."""
    if isinstance(uploads, Batch):
        return list(zip(uploads.keys, uploads.upload_ids, strict=True))
    return [upload.identity for upload in uploads]


def dates_of(uploads: Sequence[Upload]) -> Sequence[datetime | None]:
    """Give when each was initiated, in UTC; None where that is unknown."""
    if isinstance(uploads, Batch):
        return uploads.initiated
    return [upload.initiated for upload in uploads]


def those(uploads: Sequence[Upload], wanted: Sequence[object]) -> Sequence[Upload]:
    """Give the uploads for which `wanted` holds something true, in their order."""
    if isinstance(uploads, Batch):
        return [uploads[at] for at in compress(range(len(uploads)), wanted)]
    return list(compress(uploads, wanted))
