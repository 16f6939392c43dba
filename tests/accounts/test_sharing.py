"""What identities share, and what each has alone."""

from __future__ import annotations

from dataclasses import replace

import pytest
from support.harness import EVERY_WAY, S3_WAYS, Harness
from support.roles import fleet

from janitor import providers
from janitor.errors import JanitorError
from janitor.providers.aws_clients import AwsCommon
from janitor.providers.common import Common
from janitor.sandbox import Sandbox
from janitor.targets import Execution

pytest_plugins = ("support.sandbox_fixtures",)

PLAIN, DIRECTORY = "container-0", "found--use1-az4--x-s3"


@pytest.mark.parametrize(("bucket", "clients"), [(PLAIN, 1), (DIRECTORY, 2)])
@pytest.mark.parametrize("way", S3_WAYS)
def test_sessions_of_a_bucket_are_one_identitys(
    sandbox: Sandbox, way: str, bucket: str, clients: int
) -> None:
    """Boto3 keeps those of directory buckets by their names, also where a glob found them."""
    harness: Harness = EVERY_WAY[way]
    with Common() as common:
        for target in fleet(sandbox, harness, 2):
            found = replace(target, containers=("*",))
            connection = providers.load("s3").connect(found, Execution(), common)
            reader = connection.reader(bucket)
            if bucket == PLAIN:
                reader.list_page(None)
            else:
                # The sandbox has no directory buckets.
                with pytest.raises(JanitorError):
                    reader.list_page(None)
        # One of them asks STS.
        assert clients + 1 == len(common.of(AwsCommon).clients)
