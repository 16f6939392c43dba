"""What anybody writes first: list page by page, abort one by one (or both in many threads).

A program, `naive.py SERVICE URL CONTAINERS list|clean [THREADS]`, where
CONTAINERS are names with commas, or * for all. It aborts what is older than a
day, looks at nothing else, and says nothing: the stub knows what it did.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

OLD = datetime.now(UTC) - timedelta(days=1)

# A container, a key ("" on Glacier) and an upload id.
Name = tuple[str, str, str]
# The containers, how to find the old uploads of one, how to abort one.
Ways = tuple[Sequence[str], Callable[[str], Iterator[Name]], Callable[[Name], object]]


def s3(url: str, wanted: list[str], threads: int) -> Ways:
    """Use boto3's paginator."""
    import boto3  # noqa: PLC0415  # each service pays for its own SDK only
    from botocore.config import Config  # noqa: PLC0415  # see above

    config = Config(max_pool_connections=max(10, threads), s3={"addressing_style": "path"})
    client = boto3.client(
        "s3",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=config,
    )
    names = wanted or [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]

    def old(name: str) -> Iterator[Name]:
        for page in client.get_paginator("list_multipart_uploads").paginate(Bucket=name):
            for upload in page.get("Uploads", ()):
                if upload["Initiated"] < OLD:
                    yield name, upload["Key"], upload["UploadId"]

    def abort(name: Name) -> object:
        return client.abort_multipart_upload(Bucket=name[0], Key=name[1], UploadId=name[2])

    return names, old, abort


def glacier(url: str, wanted: list[str], threads: int) -> Ways:
    """Use boto3's paginator, and compare dates as text."""
    import boto3  # noqa: PLC0415  # see above
    from botocore.config import Config  # noqa: PLC0415  # see above

    client = boto3.client(
        "glacier",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="a",
        aws_secret_access_key="b",
        config=Config(max_pool_connections=max(10, threads)),
    )

    def old(name: str) -> Iterator[Name]:
        for page in client.get_paginator("list_multipart_uploads").paginate(vaultName=name):
            for upload in page["UploadsList"]:
                if upload["CreationDate"] < OLD.isoformat():
                    yield name, "", upload["MultipartUploadId"]

    def abort(name: Name) -> object:
        return client.abort_multipart_upload(vaultName=name[0], uploadId=name[2])

    return wanted, old, abort


def qingstor(url: str, wanted: list[str], _threads: int) -> Ways:
    """Page by both markers, as the SDK has no paginator."""
    from qingstor.sdk.config import Config  # noqa: PLC0415  # see above
    from qingstor.sdk.service.qingstor import QingStor  # noqa: PLC0415  # see above

    config = Config("a", "b")
    config.protocol, config.host = "http", "127.0.0.1"
    config.port = int(url.rpartition(":")[2])
    service = QingStor(config)
    buckets = {name: service.Bucket(name, "") for name in wanted}

    def old(name: str) -> Iterator[Name]:
        more, key, upload_id = True, None, None
        while more:
            page = buckets[name].list_multipart_uploads(key_marker=key, upload_id_marker=upload_id)
            for upload in page["uploads"]:
                if upload["created"] < OLD.isoformat():
                    yield name, upload["key"], upload["upload_id"]
            more, key = page["has_more"], page["next_key_marker"]
            upload_id = page["next_upload_id_marker"]

    def abort(name: Name) -> object:
        return buckets[name[0]].abort_multipart_upload(name[1], upload_id=name[2])

    return wanted, old, abort


def main() -> None:
    """Do it."""
    service, url, containers, job, *rest = sys.argv[1:]
    threads = int(rest[0]) if rest else 1
    wanted = [] if containers == "*" else containers.split(",")
    ways = {"s3": s3, "glacier": glacier, "qingstor": qingstor}[service]
    names, old, abort = ways(url, wanted, threads)
    with ThreadPoolExecutor(threads) as aborts, ThreadPoolExecutor(threads) as lists:

        def clean(name: str) -> None:
            for upload in old(name):
                if job == "clean" and threads == 1:
                    abort(upload)
                elif job == "clean":
                    aborts.submit(abort, upload)

        list(lists.map(clean, names))


if __name__ == "__main__":
    main()
