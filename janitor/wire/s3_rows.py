"""The uploads of a page as columns, which are what whoever reads a whole page needs. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, overload

# Columns in the order in which entries name them; what is deeper is an initiator.
_PLAIN: Final = ("Key", "UploadId", "Initiated", "StorageClass")


@dataclass(frozen=True, slots=True, eq=False)
class Rows(Sequence[dict[str, Any]]):
    """Entries of a listing, each of which has the same members; None where they have it not.

    Seen one by one they are what boto3 would give.
    """

    keys: Sequence[str]
    upload_ids: Sequence[str]
    dates: Sequence[str] | None = None
    storage_classes: Sequence[str] | None = None
    initiators: Sequence[str] | None = None

    def __len__(self) -> int:
        """Count them."""
        return len(self.keys)

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...

    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...

    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        """Give one entry, or some of them."""
        if isinstance(at, slice):
            return [self[each] for each in range(len(self))[at]]
        columns = (self.keys, self.upload_ids, self.dates, self.storage_classes)
        named = zip(_PLAIN, columns, strict=True)
        entry: dict[str, Any] = {name: texts[at] for name, texts in named if texts is not None}
        if self.initiators is not None:
            entry["Initiator"] = {"ID": self.initiators[at]}
        return entry
