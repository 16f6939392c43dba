"""Nobody is believed without a valid signature."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ClientError
from support.clients import Clients, Keys, janitor_keys, owner_keys, raw, signed_s3

from janitor.sandbox import Sandbox, SandboxClock

if TYPE_CHECKING:
    from collections.abc import Callable

pytest_plugins = ("support.sandbox_fixtures",)

OTHER_SERVICE = (
    "AWS4-HMAC-SHA256 Credential=SANDBOXJANITORKEY001/20261120/us-east-1/sqs/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={'0' * 64}"
)
ROLE = "arn:aws:iam::012345678901:role/upload-janitor"


def _code(call: Callable[[], Any]) -> tuple[int, str]:
    with pytest.raises(ClientError) as caught:
        call()
    reply = caught.value.response
    return reply["ResponseMetadata"]["HTTPStatusCode"], reply["Error"]["Code"]


def _calls(clients: Clients, keys: Keys) -> list[tuple[int, str]]:
    listed = clients.qingstor(keys).list_buckets()
    return [
        _code(clients.s3(keys).list_buckets),
        _code(clients.glacier(keys).list_vaults),
        _code(clients.sts(keys).get_caller_identity),
        (listed.status_code, listed["code"]),
    ]


def test_a_wrong_secret_is_refused_everywhere(clients: Clients, sandbox: Sandbox) -> None:
    """Each protocol has its own words for a signature that does not hold."""
    expected = [
        (403, "SignatureDoesNotMatch"),
        (403, "InvalidSignatureException"),
        (403, "SignatureDoesNotMatch"),
        (401, "signature_not_matched"),
    ]

    assert expected == _calls(clients, Keys(sandbox.access_key_id, "wrong"))


def test_an_unknown_key_is_refused_everywhere(clients: Clients) -> None:
    """Each protocol has its own words for a key that nobody has."""
    expected = [
        (403, "InvalidAccessKeyId"),
        (400, "UnrecognizedClientException"),
        (403, "InvalidClientTokenId"),
        (401, "invalid_access_key_id"),
    ]

    assert expected == _calls(clients, Keys("NOBODY", "wrong"))


@pytest.mark.parametrize("minutes", [-16, 16])
def test_a_skewed_clock_is_refused_everywhere(
    clients: Clients, sandbox: Sandbox, minutes: int
) -> None:
    """Fifteen minutes are allowed, sixteen are not, in either direction."""
    sandbox.clock.move(timedelta(minutes=minutes))
    expected = [
        (403, "RequestTimeTooSkewed"),
        (403, "InvalidSignatureException"),
        (403, "SignatureDoesNotMatch"),
        (403, "request_expired"),
    ]

    assert expected == _calls(clients, janitor_keys(sandbox))


def test_a_skew_can_be_overlooked(clients: Clients, sandbox: Sandbox) -> None:
    """A test that moves only the sandbox's time switches the check off."""
    sandbox.options.check_skew = False
    sandbox.clock.set(datetime(2012, 3, 20, tzinfo=UTC))
    reply = clients.s3().list_buckets()

    assert "Tue, 20 Mar 2012 00:00:00 GMT" == reply["ResponseMetadata"]["HTTPHeaders"]["date"]


def test_a_changed_query_is_noticed(sandbox: Sandbox) -> None:
    """The signature covers what is asked for, not only who asks."""
    sandbox.s3.add_container("lake")
    honest = signed_s3(sandbox, "GET", "/lake?uploads&prefix=a")
    headers = _signature_for(sandbox, "/lake?uploads&prefix=a")
    forged = raw(sandbox.s3_url, "GET", "/lake?uploads&prefix=b", headers)

    assert (200, 403) == (honest.status, forged.status)


def _signature_for(sandbox: Sandbox, target: str) -> dict[str, str]:
    seen: list[dict[str, str]] = []
    sandbox.on("s3.list_uploads", lambda call: seen.append(dict(call.request.headers)))
    signed_s3(sandbox, "GET", target)
    return {
        name: value
        for name, value in seen[0].items()
        if name in {"authorization", "x-amz-date", "x-amz-content-sha256"}
    }


@pytest.mark.parametrize(
    "header",
    [
        "Basic dXNlcjpwYXNz",
        "AWS4-HMAC-SHA256 nonsense",
        OTHER_SERVICE,
    ],
)
def test_a_header_that_is_no_signature_is_malformed(sandbox: Sandbox, header: str) -> None:
    """Another scheme or service is told apart from a wrong signature."""
    headers = {"Authorization": header, "X-Amz-Date": "20261120T000000Z"}
    reply = raw(sandbox.s3_url, "GET", "/", headers)

    assert 400 == reply.status
    assert b"<Code>AuthorizationHeaderMalformed</Code>" in reply.body


def test_headers_that_are_not_signed_are_refused(sandbox: Sandbox) -> None:
    """Nobody may slip an x-amz- header in."""
    sandbox.s3.add_container("lake")
    headers = _signature_for(sandbox, "/lake?uploads")
    slipped = {**headers, "x-amz-expected-bucket-owner": sandbox.account_id}
    reply = raw(sandbox.s3_url, "GET", "/lake?uploads", slipped)

    assert 403 == reply.status
    assert b"x-amz-expected-bucket-owner" in reply.body


def test_a_body_must_fit_its_hash(sandbox: Sandbox) -> None:
    """The signature covers the body through x-amz-content-sha256."""
    sandbox.s3.add_container("lake")
    headers = _signature_for(sandbox, "/lake?uploads")
    reply = raw(sandbox.s3_url, "GET", "/lake?uploads", headers, b"smuggled")

    assert b"<Code>XAmzContentSHA256Mismatch</Code>" in reply.body


def _assumed(clients: Clients, **parameters: Any) -> Keys:
    reply = clients.sts().assume_role(RoleArn=ROLE, RoleSessionName="test", **parameters)
    made = reply["Credentials"]
    return Keys(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])


def test_an_assumed_role_may_use_s3_and_glacier(clients: Clients, sandbox: Sandbox) -> None:
    """Temporary credentials are accepted until they expire by the sandbox's time."""
    sandbox.add_role(ROLE, external_id="example")
    sandbox.options.check_skew = False
    keys = _assumed(clients, ExternalId="example", DurationSeconds=900)
    s3, glacier = clients.s3(keys), clients.glacier(keys)
    names = (s3.list_buckets()["Buckets"], glacier.list_vaults()["VaultList"])
    arn = clients.sts(keys).get_caller_identity()["Arn"]
    sandbox.clock.move(timedelta(seconds=901))

    assert ([], []) == names
    assert "arn:aws:sts::012345678901:assumed-role/upload-janitor/test" == arn
    assert (400, "ExpiredToken") == _code(s3.list_buckets)
    assert (403, "ExpiredTokenException") == _code(glacier.list_vaults)


@pytest.mark.parametrize("parameters", [{}, {"ExternalId": "wrong"}])
def test_the_external_id_must_fit(
    clients: Clients, sandbox: Sandbox, parameters: dict[str, str]
) -> None:
    """A role with an external id is not given away without it."""
    sandbox.add_role(ROLE, external_id="example")

    assert (403, "AccessDenied") == _code(lambda: _assumed(clients, **parameters))


def test_an_unknown_role_cannot_be_assumed(clients: Clients) -> None:
    """Only roles of the seed exist."""
    assert (403, "AccessDenied") == _code(lambda: _assumed(clients))


@pytest.mark.parametrize("token", [None, "wrong"])
def test_the_session_token_must_fit(clients: Clients, sandbox: Sandbox, token: str | None) -> None:
    """A temporary key alone is worth nothing."""
    sandbox.add_role(ROLE)
    keys = _assumed(clients)
    stripped = Keys(keys.access_key_id, keys.secret_access_key, token)

    assert (400, "InvalidToken") == _code(clients.s3(stripped).list_buckets)
    assert (400, "UnrecognizedClientException") == _code(clients.glacier(stripped).list_vaults)


def test_qingstor_knows_no_temporary_keys(clients: Clients, sandbox: Sandbox) -> None:
    """STS is Amazon's."""
    sandbox.add_role(ROLE)
    reply = clients.qingstor(_assumed(clients)).list_buckets()

    assert (401, "invalid_access_key_id") == (reply.status_code, reply["code"])


def test_a_role_of_another_account_sees_that_account(clients: Clients, sandbox: Sandbox) -> None:
    """AssumeRole leads into the account of the role."""
    arn = "arn:aws:iam::210987654321:role/upload-janitor"
    sandbox.add_role(arn)
    sandbox.s3.add_container("here")
    sandbox.s3.add_container("there", account_id="210987654321")
    made = clients.sts().assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    keys = Keys(made["AccessKeyId"], made["SecretAccessKey"], made["SessionToken"])

    assert ["there"] == [one["Name"] for one in clients.s3(keys).list_buckets()["Buckets"]]


def test_two_key_pairs_are_public(clients: Clients, sandbox: Sandbox) -> None:
    """The janitor's and the uploaders' keys are known everywhere, and differ."""
    arns = [
        clients.sts(keys).get_caller_identity()["Arn"]
        for keys in (janitor_keys(sandbox), owner_keys(sandbox))
    ]

    assert [f"arn:aws:iam::012345678901:user/{name}" for name in ("janitor", "uploader")] == arns


def test_the_clock_can_start_anywhere() -> None:
    """A sandbox serves the dates of the clock that it was given."""
    clock = SandboxClock(datetime(2010, 1, 1, tzinfo=UTC), frozen=True)
    with Sandbox.start(clock=clock) as sandbox:
        reply = raw(sandbox.qingstor_url, "GET", "/", {})

    assert "Fri, 01 Jan 2010 00:00:00 GMT" == reply.headers["date"]
