"""How S3 and QingStor alike understand requests for buckets, objects and uploads. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from janitor.sandbox.wire import Call, text_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from janitor.sandbox.wire import Request

_UNKNOWN: Final = "unknown"
_BUCKET: Final = {
    "GET": "list_objects",
    "HEAD": "head_bucket",
    "PUT": "create_bucket",
    "DELETE": "delete_bucket",
}
_OBJECT: Final = {
    "GET": "get_object",
    "HEAD": "head_object",
    "PUT": "put_object",
    "DELETE": "delete_object",
}
_UPLOAD: Final = {
    "GET": "list_parts",
    "PUT": "upload_part",
    "POST": "complete",
    "DELETE": "abort",
}


@dataclass(frozen=True)
class Routes:
    """In what the requests of one of the two differ from the other's.

    `upload_id` and `markers` are how it calls these parameters of the query. `bucket_reads`
    are the parameters that ask for something else than a bucket's objects, each with its
    operation; `other_subresources` are those that the sandbox does not know.
    """

    provider: str
    upload_id: str
    markers: tuple[str, ...]
    bucket_reads: Mapping[str, str]
    other_subresources: frozenset[str]

    def call(self, request: Request, virtual_host: str | None) -> Call:
        """Understand a request; `virtual_host` is the bucket that the Host header names."""
        bucket, path = virtual_host, request.path.removeprefix(b"/")
        if bucket is None:
            first, _, path = path.partition(b"/")
            bucket = text_of(first)
        key, params = text_of(path), request.params
        upload_id = params.get(self.upload_id)
        return Call(
            operation=f"{self.provider}.{self._operation(request, bucket, key)}",
            request=request,
            container=bucket or None,
            key=key if key or upload_id is not None else None,
            upload_id=upload_id,
            marker=next((params[name] for name in self.markers if params.get(name)), ""),
            virtual=virtual_host is not None,
        )

    def _operation(self, request: Request, bucket: str, key: str) -> str:
        method, params = request.method, request.params
        if not bucket:
            return "list_buckets" if method == "GET" and not key else _UNKNOWN
        if not self.other_subresources.isdisjoint(params):
            return _UNKNOWN
        if not key:
            return self._bucket_operation(method, params)
        if params.get(self.upload_id):
            return _UPLOAD.get(method, _UNKNOWN)
        if "uploads" in params:
            return "create_upload" if method == "POST" else _UNKNOWN
        # An empty upload id is no upload id. QingStor deletes the object then, and that is the
        # worst that a server could do: so S3 does it here, too.
        return _OBJECT.get(method, _UNKNOWN)

    def _bucket_operation(self, method: str, params: Mapping[str, str]) -> str:
        for name, operation in self.bucket_reads.items():
            if name in params:
                return operation if method == "GET" else _UNKNOWN
        if params.get(self.upload_id):
            # An abort without a key: never anything but an accusation.
            return "abort" if method == "DELETE" else _UNKNOWN
        return _BUCKET.get(method, _UNKNOWN)
