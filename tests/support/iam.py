"""The shipped IAM policies, and a judge that reads them as AWS and QingStor do. Pure but for files.

The judge knows what these policies use: lists of actions with `*`, Allow and Deny. It knows
nothing of resources and conditions.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "deploy" / "iam"

# What each of the sandbox's operations needs. Where an operation needs two rights, the one
# that only it needs stands here; reading an object's head is reading the object.
ACTIONS: Mapping[str, str] = {
    "s3.list_buckets": "s3:ListAllMyBuckets",
    "s3.list_uploads": "s3:ListBucketMultipartUploads",
    "s3.list_parts": "s3:ListMultipartUploadParts",
    "s3.list_objects": "s3:ListBucket",
    "s3.create_bucket": "s3:CreateBucket",
    "s3.delete_bucket": "s3:DeleteBucket",
    "s3.head_bucket": "s3:ListBucket",
    "s3.bucket_location": "s3:GetBucketLocation",
    "s3.bucket_versioning": "s3:GetBucketVersioning",
    "s3.bucket_lifecycle": "s3:GetLifecycleConfiguration",
    "s3.create_upload": "s3:PutObject",
    "s3.upload_part": "s3:PutObject",
    "s3.complete": "s3:PutObject",
    "s3.abort": "s3:AbortMultipartUpload",
    "s3.put_object": "s3:PutObject",
    "s3.get_object": "s3:GetObject",
    "s3.head_object": "s3:GetObject",
    "s3.delete_object": "s3:DeleteObject",
    "glacier.list_vaults": "glacier:ListVaults",
    "glacier.create_vault": "glacier:CreateVault",
    "glacier.describe_vault": "glacier:DescribeVault",
    "glacier.delete_vault": "glacier:DeleteVault",
    "glacier.upload_archive": "glacier:UploadArchive",
    "glacier.delete_archive": "glacier:DeleteArchive",
    "glacier.list_uploads": "glacier:ListMultipartUploads",
    "glacier.list_parts": "glacier:ListParts",
    "glacier.create_upload": "glacier:InitiateMultipartUpload",
    "glacier.upload_part": "glacier:UploadMultipartPart",
    "glacier.complete": "glacier:CompleteMultipartUpload",
    "glacier.abort": "glacier:AbortMultipartUpload",
    "qingstor.list_uploads": "list_multipart",
    "qingstor.list_parts": "list_multipart",
    "qingstor.create_upload": "initiate_multipart",
    "qingstor.upload_part": "upload_multipart",
    "qingstor.complete": "complete_multipart",
    "qingstor.abort": "abort_multipart",
    "qingstor.put_object": "create_object",
    "qingstor.get_object": "get_object",
    "qingstor.head_object": "head_object",
    "qingstor.delete_object": "delete_object",
    "qingstor.list_objects": "list_objects",
    "qingstor.head_bucket": "head_bucket",
    "qingstor.bucket_statistics": "get_bucket_stats",
}
# No policy can give or take these: AWS asks nobody, QingStor asks for the account's owner.
WITHOUT_ACTION = frozenset(
    {
        "sts.get_caller_identity",
        "qingstor.list_buckets",
        "qingstor.create_bucket",
        "qingstor.delete_bucket",
        "qingstor.bucket_lifecycle",
    }
)


def policy(name: str) -> Any:
    """Read one policy, without its ending."""
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def statements(document: Any) -> list[dict[str, Any]]:
    """Give the statements with AWS' spelling of the keys, whoever the policy is for."""
    found = document.get("Statement") or document["statement"]
    spelled = {"id": "Sid", "user": "Principal"}
    return [
        {spelled.get(key, key.capitalize()): value for key, value in one.items()} for one in found
    ]


def actions(document: Any, effect: str) -> set[str]:
    """Give what a policy allows or denies, patterns as they are."""
    return {
        action
        for one in statements(document)
        if one["Effect"].capitalize() == effect
        for action in one["Action"]
    }


def covers(patterns: Iterable[str], action: str) -> bool:
    """Tell whether one of the patterns matches; IAM knows no upper and lower case."""
    return any(fnmatchcase(action.lower(), pattern.lower()) for pattern in patterns)


def permits(document: Any, action: str) -> bool:
    """Judge one action: a denial beats a permission, and silence is a denial."""
    denied = covers(actions(document, "Deny"), action)
    return covers(actions(document, "Allow"), action) and not denied
