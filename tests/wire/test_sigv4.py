"""Signatures are those of botocore, to the last byte, whatever is signed."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import quote

import time_machine
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import example, given
from hypothesis import strategies as st

from janitor.wire.sigv4 import Signer

WORDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
KEYS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=60)
REGIONS = st.from_regex(r"[a-z]{2}-[a-z]{3,9}-[0-9]", fullmatch=True)
MOMENTS = st.datetimes(datetime(2006, 1, 1), datetime(2099, 12, 31))  # noqa: DTZ001  # made aware below
HEADERS = st.dictionaries(
    st.sampled_from(["x-amz-expected-bucket-owner", "x-amz-request-payer", "range"]),
    st.text("az09 =-", min_size=1, max_size=20),
)
QUERIES = st.lists(st.tuples(st.sampled_from(["uploads", "uploadId", "prefix", "a", "B"]), KEYS))


def botocores(request: AWSRequest, keys: ReadOnlyCredentials, region: str, now: datetime) -> str:
    """Sign as botocore does at some time; give the Authorization header."""
    with time_machine.travel(now, tick=False):
        S3SigV4Auth(keys, "s3", region).add_auth(request)
    return str(request.headers["Authorization"])


@given(
    method=st.sampled_from(["GET", "HEAD", "DELETE"]),
    key=KEYS,
    query=QUERIES,
    headers=HEADERS,
    region=REGIONS,
    secret=WORDS,
    token=st.none() | WORDS,
    moment=MOMENTS,
)
@example("GET", "a/../b//c/.", [], {}, "eu-west-1", "s", None, datetime(2026, 1, 1, tzinfo=UTC))
@example("GET", "+ %2F", [("a", "")], {}, "x-y-1", "s", "t", datetime(2026, 1, 1, tzinfo=UTC))
def test_the_signature_is_botocores(  # noqa: PLR0913, PLR0917  # all that goes into a signature
    method: str,
    key: str,
    query: list[tuple[str, str]],
    headers: dict[str, str],
    region: str,
    secret: str,
    token: str | None,
    moment: datetime,
) -> None:
    """Any method, key, query, header, region, key pair, token and time give the same signature."""
    host, now = "bucket.s3.example.com:9000", moment.replace(tzinfo=UTC)
    path = "/" + quote(key, safe="/")
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query)
    keys = ReadOnlyCredentials("AKIDEXAMPLE", secret, token)
    request = AWSRequest(method, f"https://{host}{path}?{asked}", dict(headers))
    expected = botocores(request, keys, region, now)
    signer = Signer(region)
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    signed = [
        signer.sign_at(stamp, method, path, asked, {"host": host, **headers}, keys)
        for _ in range(2)
    ]

    assert [expected] * 2 == [found["authorization"] for found in signed]
    assert [stamp] * 2 == [found["x-amz-date"] for found in signed]


def test_the_key_follows_the_day_and_the_secret() -> None:
    """A cached key is not used for another day or other credentials, in whatever order."""
    signer = Signer("eu-west-1")
    url = "https://bucket.s3.eu-west-1.amazonaws.com/key?uploadId=1"
    for day, secret in [(1, "a"), (1, "b"), (2, "b"), (1, "a"), (1, "a"), (2, "a")]:
        now = datetime(2026, 11, day, 23, 59, 59, tzinfo=UTC)
        keys = ReadOnlyCredentials("AKID", secret, None)
        expected = botocores(AWSRequest("GET", url), keys, "eu-west-1", now)
        host = {"host": "bucket.s3.eu-west-1.amazonaws.com"}
        stamp = now.strftime("%Y%m%dT%H%M%SZ")
        found = signer.sign_at(stamp, "GET", "/key", "uploadId=1", host, keys)

        assert expected == found["authorization"]


@given(
    method=st.sampled_from(["GET", "DELETE"]),
    labels=st.lists(KEYS.filter(lambda label: label not in {".", ".."}), min_size=1, max_size=4),
    query=QUERIES,
    region=REGIONS,
    secret=WORDS,
    token=st.none() | WORDS,
)
@example("GET", ["-", "a/b%~ +", "é"], [("marker", "a b/é")], "us-west-2", "s", "t")
def test_the_signature_for_other_services_is_botocores(  # noqa: PLR0913, PLR0917  # all that goes into it
    method: str,
    labels: list[str],
    query: list[tuple[str, str]],
    region: str,
    secret: str,
    token: str | None,
) -> None:
    """Paths are encoded once more, and no header tells the hash of the body."""
    host, now = "glacier.example.com", datetime(2026, 11, 20, 5, 10, 49, tzinfo=UTC)
    path = "".join(f"/{quote(label, safe='')}" for label in labels)
    asked = "&".join(f"{name}={quote(value, safe='')}" for name, value in query)
    keys = ReadOnlyCredentials("AKIDEXAMPLE", secret, token)
    headers = {"x-amz-glacier-version": "2012-06-01"}
    request = AWSRequest(method, f"https://{host}{path}?{asked}", dict(headers))
    with time_machine.travel(now, tick=False):
        SigV4Auth(keys, "glacier", region).add_auth(request)
    signer = Signer(region, "glacier")
    stamp = now.strftime("%Y%m%dT%H%M%SZ")
    signed = signer.sign_at(stamp, method, path, asked, {"host": host, **headers}, keys)

    assert str(request.headers["Authorization"]) == signed["authorization"]
    assert "x-amz-content-sha256" not in signed


def test_an_unsigned_payload_is_said_and_signed() -> None:
    """Where botocore would not sign the body, neither do we."""
    keys = ReadOnlyCredentials("AKID", "secret", None)
    plain = Signer("eu-west-1").sign_at("20261120T051049Z", "GET", "/", "", {"host": "h"}, keys)
    signer = Signer("eu-west-1", payload="UNSIGNED-PAYLOAD")
    unsigned = signer.sign_at("20261120T051049Z", "GET", "/", "", {"host": "h"}, keys)

    assert "UNSIGNED-PAYLOAD" == unsigned["x-amz-content-sha256"]
    assert plain["authorization"] != unsigned["authorization"]


def test_the_published_example_holds() -> None:
    """AWS' own example of a list request has the signature that AWS prints."""
    keys = ReadOnlyCredentials(
        "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", None
    )
    signed = Signer("us-east-1").sign_at(
        "20130524T000000Z",
        "GET",
        "/",
        "max-keys=2&prefix=J",
        {"host": "examplebucket.s3.amazonaws.com"},
        keys,
    )

    assert signed["authorization"].endswith(
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    )
