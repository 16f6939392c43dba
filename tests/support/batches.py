"""Uploads as columns, for tests that have them one by one."""

from __future__ import annotations

from collections.abc import Sequence

from janitor.batch import Batch
from janitor.model import Upload


def batch_of(uploads: Sequence[Upload]) -> Sequence[Upload]:
    """Give the same uploads as a batch; they must have a container and a description in common."""
    if not uploads:
        return ()
    return Batch(
        uploads[0].where,
        [upload.key or "" for upload in uploads],
        [upload.upload_id for upload in uploads],
        [upload.initiated for upload in uploads],
        [upload.initiated_text for upload in uploads],
        [upload.initiator for upload in uploads],
        [upload.storage_class for upload in uploads],
        uploads[0].description,
    )
