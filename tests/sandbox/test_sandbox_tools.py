"""Independent clients: the AWS command line and rclone."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest
from support.tools import run_tool

if TYPE_CHECKING:
    from pathlib import Path

    from janitor.sandbox import Sandbox

pytest_plugins = ("support.sandbox_fixtures",)

SIZE = 11 * 1024 * 1024
KEY = "dir/a é+b.bin"


@pytest.fixture
def big_file(tmp_path: Path) -> str:
    """Write a file that is uploaded in several parts."""
    file = tmp_path / "big.bin"
    file.write_bytes(b"0123456789abcdef" * (SIZE // 16))
    return str(file)


def _aws(sandbox: Sandbox, tmp_path: Path, url: str, *arguments: str) -> str:
    env = {
        "HOME": str(tmp_path),
        "AWS_ACCESS_KEY_ID": sandbox.owner_access_key_id,
        "AWS_SECRET_ACCESS_KEY": sandbox.owner_secret_access_key,
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_MAX_ATTEMPTS": "1",
    }
    return run_tool("aws", "--endpoint-url", url, "--output", "json", *arguments, env=env)


def test_the_aws_command_line_creates_fills_lists_and_completes(
    sandbox: Sandbox, tmp_path: Path, big_file: str
) -> None:
    """`aws s3 cp` uploads in parts; `aws s3api` lists and aborts."""
    sandbox.s3.add_container("lake", region="us-west-2")
    url = sandbox.s3_url
    _aws(sandbox, tmp_path, url, "s3", "cp", "--only-show-errors", big_file, f"s3://lake/{KEY}")
    stale = sandbox.s3.add_upload("lake", "stale")
    command = ("s3api", "list-multipart-uploads", "--bucket", "lake")
    listed = json.loads(_aws(sandbox, tmp_path, url, *command))["Uploads"]
    identity = ("--bucket", "lake", "--key", "stale", f"--upload-id={stale}")
    _aws(sandbox, tmp_path, url, "s3api", "abort-multipart-upload", *identity)

    assert {KEY: SIZE} == {key: one.size for key, one in sandbox.s3.objects("lake").items()}
    assert [stale] == [one["UploadId"] for one in listed]
    assert [] == sandbox.s3.uploads("lake")
    assert 2 == len(sandbox.journal.entries("s3.upload_part"))


def test_the_aws_command_line_pages_through_a_vault(sandbox: Sandbox, tmp_path: Path) -> None:
    """`aws glacier` follows the markers by itself."""
    sandbox.glacier.add_container("vault")
    uploads = [sandbox.glacier.add_upload("vault") for _ in range(51)]
    command = ("glacier", "list-multipart-uploads", "--account-id", "-", "--vault-name", "vault")
    listed = json.loads(_aws(sandbox, tmp_path, sandbox.glacier_url, *command))["UploadsList"]

    assert uploads == [one["MultipartUploadId"] for one in listed]


def _rclone(sandbox: Sandbox, tmp_path: Path, *arguments: str) -> str:
    port = urlsplit(sandbox.qingstor_url).port
    settings = {
        "S_TYPE": "s3",
        "S_PROVIDER": "Other",
        "S_ENDPOINT": sandbox.s3_url,
        "Q_TYPE": "qingstor",
        "Q_ENDPOINT": f"http://qs.test:{port}",
        "Q_ZONE": "pek3a",
        "Q_CONNECTION_RETRIES": "1",
    }
    for remote in "SQ":
        settings[f"{remote}_ACCESS_KEY_ID"] = sandbox.owner_access_key_id
        settings[f"{remote}_SECRET_ACCESS_KEY"] = sandbox.owner_secret_access_key
    env = {f"RCLONE_CONFIG_{name}": value for name, value in settings.items()}
    env |= {"HOME": str(tmp_path), "RCLONE_CONFIG": str(tmp_path / "rclone.conf")}
    if any(argument.startswith("q:") for argument in arguments):
        # Its QingStor backend puts the zone before the host, so a proxy must find the way.
        env["http_proxy"] = sandbox.qingstor_url
    return run_tool("rclone", "--retries=1", "--low-level-retries=1", *arguments, env=env)


def test_rclone_uploads_to_s3_in_parts_and_cleans_up(
    sandbox: Sandbox, tmp_path: Path, big_file: str
) -> None:
    """The clean-up of rclone finds and aborts what is older than a day."""
    parts = ("--s3-upload-cutoff=5M", "--s3-chunk-size=5M")
    _rclone(sandbox, tmp_path, "copyto", big_file, f"s:lake/{KEY}", *parts)
    old = sandbox.clock.now() - timedelta(days=2)
    sandbox.s3.add_upload("lake", "old é+", initiated=old)
    young = sandbox.s3.add_upload("lake", "young")
    listed = json.loads(_rclone(sandbox, tmp_path, "backend", "list-multipart-uploads", "s:lake"))
    _rclone(sandbox, tmp_path, "cleanup", "s:lake")

    assert {KEY: SIZE} == {key: one.size for key, one in sandbox.s3.objects("lake").items()}
    assert ["old é+", "young"] == [one["Key"] for one in listed["lake"]]
    assert [young] == sandbox.s3.upload_ids("lake")


def test_rclone_uploads_to_qingstor_in_parts_and_cleans_up(
    sandbox: Sandbox, tmp_path: Path, big_file: str
) -> None:
    """A Go client with its own signatures agrees with ours, through a proxy's absolute URLs."""
    parts = ("--qingstor-upload-cutoff=4M", "--qingstor-chunk-size=4M")
    _rclone(sandbox, tmp_path, "copyto", big_file, f"q:movies/{KEY}", *parts)
    old = sandbox.clock.now() - timedelta(days=2)
    sandbox.qingstor.add_upload("movies", "old é+", initiated=old)
    shown = _rclone(sandbox, tmp_path, "lsf", "-R", "--files-only", "q:movies")
    _rclone(sandbox, tmp_path, "cleanup", "q:movies")

    assert KEY == shown.strip()
    assert SIZE == sandbox.qingstor.objects("movies")[KEY].size
    assert 3 == len(sandbox.journal.entries("qingstor.upload_part"))
    assert [] == sandbox.qingstor.uploads("movies")
