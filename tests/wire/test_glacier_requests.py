"""What goes out to Glacier is what boto3 would send: method, address, headers and signature."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.catching import Catcher, catch_from, caught

from janitor.providers import aws
from janitor.providers.aws_clients import AwsCommon
from janitor.providers.aws_sdk import NOBODY, As, Wanted, sdk_client
from janitor.targets import AwsIdentity, Credentials, Execution, GlacierOptions, Reach, Secret
from janitor.wire.glacier_client import GlacierClient, Whereabouts

STATIC = Credentials("AKIDEXAMPLE", Secret("secret"))
AWS = GlacierOptions("us-west-2", identity=AwsIdentity(credentials=STATIC))
TEXTS = st.text(
    st.one_of(
        st.sampled_from("aZ0 +%/.?#&=;:@!$'\"<>\\^`{|}~*()[],-_\t\n\r\x00\x7f\u2028"),
        st.characters(exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=40,
)
Pair = tuple[Any, GlacierClient]


def both(options: GlacierOptions) -> Pair:
    """Give boto3's client and ours, neither of which sends anything."""
    access = aws.Access(options.identity, options.reach, options.region, Execution())
    shared, _ = sdk_client(Wanted("glacier", access, lambda *_: True))
    catch_from(shared, "glacier")
    keys = AwsCommon().keys(access)
    client, place = As(shared, keys), Whereabouts(As(shared, NOBODY))
    return client, GlacierClient(client, keys, Catcher(), place)  # type: ignore[arg-type]  # as good as a wire


def assert_same(clients: Pair, vault: str, text: str, account: str = "-") -> None:
    """Compare all three requests about a vault and an upload."""
    sdk, fast = clients
    named = {"accountId": account, "vaultName": vault}
    upload = {"uploadId": text}
    requests: list[tuple[str, dict[str, Any]]] = [
        ("list_multipart_uploads", {}),
        ("list_multipart_uploads", {"limit": "50", "marker": text}),
        ("list_parts", upload | {"limit": "7"}),
        ("list_parts", {"marker": text, "limit": "7"} | upload),
        ("abort_multipart_upload", upload),
    ]
    for operation, arguments in requests:
        expected = caught(sdk, operation, named | arguments)

        assert expected == caught(fast, operation, named | arguments)


@pytest.fixture(scope="module")
def clients() -> Iterator[Pair]:
    """Make the usual pair of clients once."""
    pair = both(AWS)
    with closing(pair[1]):
        yield pair


@settings(
    deadline=None,
    max_examples=80,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(vault=TEXTS, text=TEXTS)
@example(vault="examplevault", text="-_x~.")
@example(vault="..", text=".")
@example(vault="...", text="a/../b")
@example(vault="a/b", text="%2F%2f?marker=&#")
def test_a_request_is_the_one_of_boto3(clients: Pair, vault: str, text: str) -> None:
    """Whatever the vault, upload id and marker: the same address and the same signature."""
    assert_same(clients, vault, text)


@pytest.mark.parametrize(
    "options",
    [
        replace(AWS, region="us-gov-west-1"),
        replace(AWS, region="cn-north-1"),
        replace(AWS, reach=Reach(endpoint_url="http://127.0.0.1:9000")),
        replace(AWS, reach=Reach(endpoint_url="http://[::1]:80")),
        replace(AWS, reach=Reach(endpoint_url="https://Glacier.Example.com/behind")),
    ],
    ids=lambda options: options.reach.endpoint_url or options.region,
)
def test_every_address_is_boto3s(options: GlacierOptions) -> None:
    """Regions, partitions, endpoints of one's own; the account of the credentials and others."""
    pair = both(options)
    with closing(pair[1]):
        for account in ("-", "012345678901"):
            assert_same(pair, "examplevault", "upload", account)


@pytest.mark.parametrize(
    "environment",
    [
        {"AWS_USE_FIPS_ENDPOINT": "true"},
        {"AWS_SESSION_TOKEN": "token", "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"},
    ],
    ids=["fips", "token"],
)
def test_what_the_environment_tells_botocore_holds_for_us(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]
) -> None:
    """Special endpoints and temporary credentials come from botocore, so they just work."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    static = None if "AWS_SESSION_TOKEN" in environment else STATIC
    pair = both(replace(AWS, identity=AwsIdentity(credentials=static)))
    with closing(pair[1]):
        assert_same(pair, "examplevault", "upload")


class Sender(Catcher):
    """A wire of which nothing may be asked."""

    def send(self, *_: object) -> Any:
        """Fail: it should have been left to boto3."""
        raise AssertionError


@pytest.mark.parametrize(
    "arguments",
    [
        {"vaultName": "v", "uploadId": ".."},
        {"vaultName": ".", "uploadId": "u"},
        {"accountId": "", "vaultName": "v", "uploadId": "u"},
        {"vaultName": "v", "uploadId": "u", "limit": 5},
        {"vaultName": "v", "uploadId": "u", "unknown": "x"},
        {"vaultName": "v"},
        {"accountId": None, "vaultName": "v", "uploadId": "u"},
        {"vaultName": "v", "uploadId": ""},
    ],
    ids=str,
)
def test_what_we_do_not_know_is_left_to_boto3(arguments: dict[str, Any]) -> None:
    """It knows more arguments, refuses what is wrong, and alone sends what could be normalized."""
    sdk, fast = both(AWS)
    fast._wire = Sender()  # type: ignore[assignment]  # noqa: SLF001  # as good as a wire
    outcomes = []
    for client in (sdk, fast):
        with closing(client), pytest.raises(Exception) as raised:  # noqa: PT011  # which one is compared below
            client.list_parts(**{"accountId": "-"} | arguments)
        outcomes.append((type(raised.value), str(raised.value)))

    assert outcomes[0] == outcomes[1]
