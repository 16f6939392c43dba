"""For one and the same population, we list what independent clients list."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.harness import HARNESSES, Ear, days, hours, sweeper
from support.tools import run_tool

from janitor.sandbox import Sandbox

KEYS = ["Movies/Star-Wars.mp4", "a+b c", "dir//deep/é.bin", "same", "same", "same", "same/", "z%2F"]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve a population that needs several pages everywhere."""
    with Sandbox.start(page_cap=5) as running:
        for harness in HARNESSES.values():
            harness.add_container(running, "container")
            for number, key in enumerate(KEYS * 3):
                harness.add(running, "container", key, age=days(number + 0.5))
        yield running


def ours(sandbox: Sandbox, provider: str) -> set[str]:
    """List with the janitor, in report mode."""
    ear = Ear()
    target = HARNESSES[provider].target(sandbox, page_size=3)
    sweeper(sandbox, target, ear=ear, read_only=True).sweep()
    return set(ear.uploads())


def environment(sandbox: Sandbox, home: Path) -> dict[str, str]:
    """Configure the other clients by variables, as the uploaders that they are."""
    return {
        "HOME": str(home),
        "AWS_ACCESS_KEY_ID": sandbox.owner_access_key_id,
        "AWS_SECRET_ACCESS_KEY": sandbox.owner_secret_access_key,
        "RCLONE_CONFIG": str(home / "rclone.conf"),
        "RCLONE_CONFIG_HERE_ACCESS_KEY_ID": sandbox.owner_access_key_id,
        "RCLONE_CONFIG_HERE_SECRET_ACCESS_KEY": sandbox.owner_secret_access_key,
    }


def test_s3_lists_what_the_aws_cli_lists(sandbox: Sandbox, tmp_path: Path) -> None:
    """`aws s3api list-multipart-uploads` sees the same uploads."""
    told = run_tool(
        *("aws", "--endpoint-url", sandbox.s3_url, "--region", "us-east-1", "--output", "json"),
        *("s3api", "list-multipart-uploads", "--bucket", "container", "--page-size", "4"),
        env=environment(sandbox, tmp_path),
    )
    theirs = {entry["UploadId"] for entry in json.loads(told)["Uploads"]}

    assert 24 == len(theirs)
    assert theirs == ours(sandbox, "s3")


def test_s3_lists_what_rclone_lists(sandbox: Sandbox, tmp_path: Path) -> None:
    """`rclone backend list-multipart-uploads` sees the same uploads."""
    told = run_tool(
        *("rclone", "backend", "list-multipart-uploads", "here:container"),
        env=environment(sandbox, tmp_path)
        | {
            "RCLONE_CONFIG_HERE_TYPE": "s3",
            "RCLONE_CONFIG_HERE_PROVIDER": "Other",
            "RCLONE_CONFIG_HERE_ENDPOINT": sandbox.s3_url,
        },
    )
    theirs = {entry["UploadId"] for entry in json.loads(told)["container"]}

    assert theirs == ours(sandbox, "s3")


def test_glacier_lists_what_the_aws_cli_lists(sandbox: Sandbox, tmp_path: Path) -> None:
    """`aws glacier list-multipart-uploads` sees the same uploads."""
    told = run_tool(
        *("aws", "--endpoint-url", sandbox.glacier_url, "--region", "us-west-2"),
        *("--output", "json", "glacier", "list-multipart-uploads"),
        *("--account-id", "-", "--vault-name", "container", "--page-size", "4"),
        env=environment(sandbox, tmp_path),
    )
    theirs = {entry["MultipartUploadId"] for entry in json.loads(told)["UploadsList"]}

    assert 24 == len(theirs)
    assert theirs == ours(sandbox, "glacier")


def test_qingstor_aborts_what_rclone_cleans_up(tmp_path: Path) -> None:
    """`rclone cleanup` can only show what it lists by aborting what is older than a day.

    Its keys are all different here: it loses uploads of one key at the border of a page.
    """
    harness = HARNESSES["qingstor"]
    with Sandbox.start(page_cap=5) as running:
        harness.add_container(running, "container")
        for number in range(14):
            harness.add(running, "container", f"key-{number:02}", age=hours(30))
        young = harness.add(running, "container", "young", age=hours(1))
        listed = ours(running, "qingstor")
        port = running.qingstor_url.rpartition(":")[2]
        run_tool(
            *("rclone", "cleanup", "here:container"),
            env=environment(running, tmp_path)
            | {
                "RCLONE_CONFIG_HERE_TYPE": "qingstor",
                "RCLONE_CONFIG_HERE_ENDPOINT": f"http://qs.test:{port}",
                "RCLONE_CONFIG_HERE_ZONE": "pek3a",
                "http_proxy": f"http://127.0.0.1:{port}",
            },
        )
        theirs = {entry.upload_id for entry in running.journal.entries("qingstor.abort")}

    assert theirs == listed - {young}
