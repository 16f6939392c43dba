"""What goes out is what boto3 would send: method, address, headers and signature."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.catching import Catcher, catch_from, caught

from janitor.providers import aws, s3_transport
from janitor.providers.aws_clients import AwsCommon
from janitor.providers.aws_sdk import NOBODY, As, Wanted, sdk_client
from janitor.targets import AwsIdentity, Credentials, Execution, Reach, S3Options, Secret
from janitor.wire.s3_address import Addresses
from janitor.wire.s3_client import FastClient

STATIC = Credentials("AKIDEXAMPLE", Secret("secret"))
AWS = S3Options(region="eu-west-1", identity=AwsIdentity(credentials=STATIC))
STORE = replace(AWS, reach=Reach(endpoint_url="http://127.0.0.1:9000"), addressing="path")
KEYS = st.text(
    st.one_of(
        st.sampled_from("aZ0 +%/.?#&=;:@!$'\"<>\\^`{|}~*()[],-_\t\n\r\x00\x7f\u2028"),
        st.characters(exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=40,
)
NAMES = st.from_regex(r"[a-z0-9][a-z0-9.-]{1,20}[a-z0-9]", fullmatch=True).filter(
    lambda name: ".." not in name and not name.startswith(("s3.", "arn"))
)


Pair = tuple[Any, FastClient]


def both(options: S3Options) -> Pair:
    """Give boto3's client and ours, neither of which sends anything."""
    access = aws.Access(options.identity, options.reach, options.region, Execution())
    config = {
        "signature_version": options.signature_version,
        "s3": {"addressing_style": options.addressing},
    }
    shared, _ = sdk_client(Wanted("s3", access, lambda *_: True, config))
    catch_from(shared, "s3")
    keys = AwsCommon().keys(access)
    client, addresses = As(shared, keys), Addresses(As(shared, NOBODY))
    return client, FastClient(client, keys, Catcher(), addresses)  # type: ignore[arg-type]  # as good as a wire


def assert_same(clients: Pair, bucket: str, key: str, **more: Any) -> None:
    """Compare all four requests about a bucket and a key."""
    sdk, fast = clients
    named = {"Bucket": bucket, **more}
    upload = {"Key": key, "UploadId": key}
    requests: list[tuple[str, dict[str, Any]]] = [
        ("list_multipart_uploads", {"MaxUploads": 1000}),
        (
            "list_multipart_uploads",
            {"MaxUploads": 2, "Prefix": key, "KeyMarker": key, "UploadIdMarker": key}
            | {"EncodingType": "url"},
        ),
        ("list_parts", upload | {"MaxParts": 7, "PartNumberMarker": 3}),
        ("head_object", {"Key": key}),
        ("abort_multipart_upload", upload),
    ]
    for operation, arguments in requests:
        expected = caught(sdk, operation, named | arguments)

        assert expected == caught(fast, operation, named | arguments)


@pytest.fixture(scope="module")
def clients() -> Any:
    """Make the usual pairs of clients once."""
    made = {
        "aws": both(AWS),
        "aws-path": both(replace(AWS, addressing="path")),
        "aws-virtual": both(replace(AWS, addressing="virtual")),
        "aws-us": both(replace(AWS, region="us-east-1")),
        "aws-china": both(replace(AWS, region="cn-north-1")),
        "store": both(STORE),
        "store-virtual": both(
            replace(STORE, addressing="virtual", reach=Reach(endpoint_url="https://S3.Example.com"))
        ),
        "store-auto": both(
            replace(STORE, addressing="auto", reach=Reach(endpoint_url="http://[::1]:9000"))
        ),
    }
    yield made
    for _, fast in made.values():
        fast.close()


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(key=KEYS)
@example(key="a/../b//c/./")
@example(key="/")
@example(key="//")
@example(key="..")
@example(key="%2F%2f")
@example(key="?uploads")
def test_a_request_is_the_one_of_boto3(clients: Any, key: str) -> None:
    """Whatever the key: the same address and the same signature, path style and virtual hosts."""
    for name in ("store", "aws"):
        assert_same(clients[name], "bucket", key)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(bucket=NAMES)
@example(bucket="dotted.bucket")
@example(bucket="two--hyphens")
@example(bucket="192.168.5.4")
@example(bucket="xn--bucket")
@example(bucket="amzn-s3-demo")
def test_every_bucket_has_the_address_that_boto3_gives_it(clients: Any, bucket: str) -> None:
    """Names that are all treated alike are treated as boto3 treats each of them."""
    for name in ("aws", "aws-path", "aws-virtual", "store-virtual"):
        assert_same(clients[name], bucket, "key")


@pytest.mark.parametrize(
    "name", ["aws-us", "aws-china", "aws-path", "aws-virtual", "store-virtual", "store-auto"]
)
@pytest.mark.parametrize("bucket", ["bucket", "with.dot", "Old_Name", "a" * 63, "abc"])
def test_every_way_of_addressing_is_boto3s(clients: Any, name: str, bucket: str) -> None:
    """Regions, partitions, endpoints of one's own, IPv6 and all styles; owner and payer too."""
    more = {"ExpectedBucketOwner": "012345678901", "RequestPayer": "requester"}
    assert_same(clients[name], bucket, "folder/key", **more)


@pytest.mark.parametrize(
    "environment",
    [
        {"AWS_USE_DUALSTACK_ENDPOINT": "true"},
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_SESSION_TOKEN": "token", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
    ],
    ids=["dualstack", "fips", "token"],
)
def test_what_the_environment_tells_botocore_holds_for_us(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """Special endpoints and temporary credentials come from botocore, so they just work."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    static = None if "AWS_SESSION_TOKEN" in environment else STATIC
    region = replace(AWS, region="us-west-2", identity=AwsIdentity(credentials=static))
    sdk, fast = both(region)
    with closing(fast):
        assert_same((sdk, fast), "bucket", "key")


@pytest.mark.parametrize(
    "bucket",
    [
        "arn:aws:s3:eu-west-1:012345678901:accesspoint/point",
        "arn:aws:s3::012345678901:accesspoint/mfzwi23gnjvgw.mrap",
        "something-metadata0123456789-s3alias",
        "bucket--euw1-az1--x-s3",
        "bucket--x-s3",
    ],
)
def test_what_is_special_is_left_to_boto3(bucket: str) -> None:
    """Access points, aliases and directory buckets turn their whole target to the SDK."""
    assert s3_transport.SDK == s3_transport.chosen(AWS, ["bucket", bucket])
    assert s3_transport.WIRE == s3_transport.chosen(AWS, ["bucket", "back-*"])


def test_the_config_can_choose_the_sdk() -> None:
    """By the key `transport`, and by the old signature, which the wire does not know."""
    assert s3_transport.SDK == s3_transport.chosen(replace(AWS, transport="sdk"), ["bucket"])
    assert s3_transport.SDK == s3_transport.chosen(replace(AWS, signature_version="s3"), ["b"])


def test_another_signature_is_not_covered() -> None:
    """If botocore signs in another way than we do, its own client sends the request."""
    sdk, fast = both(replace(AWS, signature_version="s3"))
    with closing(fast):
        expected = caught(sdk, "list_parts", {"Bucket": "b" * 3, "Key": "k", "UploadId": "u"})
        found = caught(fast, "list_parts", {"Bucket": "b" * 3, "Key": "k", "UploadId": "u"})

    assert expected == found
    assert expected[2]["authorization"].startswith("AWS AKIDEXAMPLE:")


@pytest.mark.parametrize(
    "arguments",
    [
        {"Key": "k", "UploadId": "u", "SSECustomerAlgorithm": "AES256"},
        {"Key": "", "UploadId": "u"},
        {"Key": "k", "UploadId": None},
        {"UploadId": "u"},
        {"Key": 7, "UploadId": "u"},
    ],
)
def test_arguments_that_we_do_not_know_are_left_to_boto3(
    clients: Any, arguments: dict[str, Any]
) -> None:
    """It knows more of them, and refuses what is wrong."""
    sdk, fast = clients["store"]
    outcomes = []
    for client in (sdk, fast):
        with pytest.raises(Exception) as raised:  # noqa: PT011  # which one is compared below
            client.list_parts(Bucket="bucket", **arguments)
        outcomes.append((type(raised.value), str(raised.value)))

    assert outcomes[0] == outcomes[1]
