"""The ways to reach a provider: identities, addresses, proxies, certificates, environments."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import trustme
from support.harness import (
    EVERY_WAY,
    GLACIER_WAYS,
    QINGSTOR_WAYS,
    REGION,
    S3_WAYS,
    Harness,
    sweeper,
)
from support.relay import tls_relay

from janitor.model import ContainerResult, TargetOutcome
from janitor.providers.aws_sdk import _LOADER
from janitor.sandbox import Sandbox
from janitor.targets import (
    AssumeRole,
    AwsIdentity,
    Credentials,
    GlacierOptions,
    QingStorOptions,
    Reach,
    S3Options,
    Secret,
)

ROLE = "arn:aws:iam::012345678901:role/janitor"


@pytest.fixture(params=S3_WAYS)
def way(request: pytest.FixtureRequest) -> Harness:
    """Take both ways to send requests to S3."""
    return EVERY_WAY[request.param]


def swept(sandbox: Sandbox, harness: Harness, options: Any) -> ContainerResult:
    """Sweep one container with one stale upload and give its result."""
    if "container" not in harness.store(sandbox).containers:
        harness.add_container(sandbox, "container")
    harness.add(sandbox, "container")
    (result,) = sweeper(sandbox, harness.target(sandbox, options=options)).sweep().results
    return result


def keys_of(sandbox: Sandbox) -> Credentials:
    """Give the janitor's own keys."""
    return Credentials(sandbox.access_key_id, Secret(sandbox.secret_access_key))


def s3(way: Harness, sandbox: Sandbox, **changes: Any) -> S3Options:
    """Give the usual S3 options, with changes."""
    options = way.options(sandbox)
    assert isinstance(options, S3Options)
    return replace(options, **changes)


@pytest.mark.parametrize("provider", [*GLACIER_WAYS, *S3_WAYS])
def test_a_role_is_assumed(sandbox: Sandbox, provider: str) -> None:
    """With the right external id the role's temporary credentials do the work."""
    harness = EVERY_WAY[provider]
    sandbox.add_role(ROLE, external_id="let-me-in")
    role = AssumeRole(ROLE, external_id="let-me-in", sts_endpoint_url=sandbox.sts_url)
    identity = AwsIdentity(credentials=keys_of(sandbox), assume_role=role)
    options = harness.options(sandbox)
    assert isinstance(options, GlacierOptions | S3Options)
    result = swept(sandbox, harness, replace(options, identity=identity))

    assert (TargetOutcome.COMPLETE, 1) == (result.outcome, result.aborted)
    assert sandbox.access_key_id not in {
        entry.access_key_id for entry in sandbox.journal.entries(f"{harness.provider}.abort")
    }


def test_a_role_that_may_not_be_assumed_is_forbidden(way: Harness, sandbox: Sandbox) -> None:
    """The wrong external id is missing permission, told once and not tried again."""
    sandbox.add_role(ROLE, external_id="let-me-in")
    role = AssumeRole(ROLE, external_id="wrong", sts_endpoint_url=sandbox.sts_url)
    identity = AwsIdentity(credentials=keys_of(sandbox), assume_role=role)
    result = swept(sandbox, way, s3(way, sandbox, identity=identity))

    assert TargetOutcome.FORBIDDEN is result.outcome
    assert [] == sandbox.journal.entries("s3.list_uploads")


def test_a_profile_is_used(
    way: Harness, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Credentials can come from a profile of the SDK's own files."""
    file = tmp_path / "credentials"
    keys = f"aws_access_key_id={sandbox.access_key_id}\n"
    secret = f"aws_secret_access_key={sandbox.secret_access_key}\n"
    file.write_text(f"[prod]\n{keys}{secret}", encoding="utf-8")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    result = swept(sandbox, way, s3(way, sandbox, identity=AwsIdentity(profile="prod")))

    assert (TargetOutcome.COMPLETE, 1) == (result.outcome, result.aborted)


def test_a_missing_profile_is_forbidden(way: Harness, sandbox: Sandbox) -> None:
    """A profile that is not there fails its target with a sentence, and nothing else."""
    result = swept(sandbox, way, s3(way, sandbox, identity=AwsIdentity(profile="nowhere")))

    assert TargetOutcome.FORBIDDEN is result.outcome
    assert "nowhere" in str(result.error)


@pytest.mark.parametrize("provider", [*GLACIER_WAYS, *S3_WAYS])
def test_no_credentials_are_forbidden(
    provider: str, sandbox: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any credentials the target says so, and no request goes out."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    harness = EVERY_WAY[provider]
    options = harness.options(sandbox)
    assert isinstance(options, GlacierOptions | S3Options)
    result = swept(sandbox, harness, replace(options, identity=AwsIdentity()))

    assert TargetOutcome.FORBIDDEN is result.outcome
    assert [] == list(sandbox.journal)


def test_another_owner_is_forbidden(way: Harness, sandbox: Sandbox) -> None:
    """A bucket of the same name in other hands is not touched."""
    result = swept(sandbox, way, s3(way, sandbox, expected_owner="999999999999"))

    assert (TargetOutcome.FORBIDDEN, 0) == (result.outcome, result.aborted)


def test_the_right_owner_and_payer_go_along(way: Harness, sandbox: Sandbox) -> None:
    """The expected owner is sent with every request, and so is the requester's will to pay."""
    options = s3(way, sandbox, expected_owner=sandbox.account_id, request_payer=True)
    result = swept(sandbox, way, options)

    assert (TargetOutcome.COMPLETE, 1) == (result.outcome, result.aborted)


@pytest.mark.parametrize("provider", GLACIER_WAYS)
def test_another_vault_account_is_refused(sandbox: Sandbox, provider: str) -> None:
    """Vaults of another account than the configured one are not touched."""
    harness = EVERY_WAY[provider]
    options = harness.options(sandbox)
    assert isinstance(options, GlacierOptions)
    result = swept(sandbox, harness, replace(options, account_id="999999999999"))

    assert 0 == result.aborted
    assert result.outcome in {TargetOutcome.FORBIDDEN, TargetOutcome.INCOMPLETE}


def test_a_bucket_in_another_region_is_followed(way: Harness, sandbox: Sandbox) -> None:
    """The reply says where the bucket is, and the request is signed for there."""
    sandbox.s3.add_container("container", region="eu-west-1")
    result = swept(sandbox, way, s3(way, sandbox))

    assert (TargetOutcome.COMPLETE, 1) == (result.outcome, result.aborted)


def test_virtual_hosts_and_a_proxy(way: Harness, sandbox: Sandbox) -> None:
    """The bucket can be part of the host name, and a proxy can be configured (S3)."""
    reach = Reach(endpoint_url="http://s3.example.test", proxy_url=sandbox.s3_url)
    options = s3(way, sandbox, addressing="virtual", reach=reach)
    result = swept(sandbox, way, options)

    assert (TargetOutcome.COMPLETE, 1) == (result.outcome, result.aborted)


@pytest.mark.parametrize("provider", GLACIER_WAYS)
def test_glacier_through_a_proxy(
    sandbox: Sandbox, provider: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of the config, or one of the environment where the config wants that."""
    harness = EVERY_WAY[provider]
    options = harness.options(sandbox)
    assert isinstance(options, GlacierOptions)
    away = "http://glacier.example.test"
    monkeypatch.setenv("HTTP_PROXY", sandbox.glacier_url)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    for reach in (
        Reach(endpoint_url=away, proxy_url=sandbox.glacier_url),
        Reach(endpoint_url=away, proxy_from_environment=True),
    ):
        result = swept(sandbox, harness, replace(options, reach=reach))

        assert (TargetOutcome.COMPLETE, 1) == (result.outcome, result.aborted)


@pytest.mark.parametrize("provider", QINGSTOR_WAYS)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "ALL_PROXY"])
def test_qingstor_through_a_proxy_of_the_environment(
    sandbox: Sandbox, provider: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any variable that requests obeys; and none where NO_PROXY says so."""
    for name in ("HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    # Of which requests knows that it is a name and a port.
    monkeypatch.setenv(variable.lower(), sandbox.qingstor_url.removeprefix("http://"))
    harness = EVERY_WAY[provider]
    options = harness.options(sandbox)
    reach = Reach(endpoint_url="http://qingstor.test:8080", proxy_from_environment=True)
    asked = swept(sandbox, harness, replace(options, reach=reach))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv(variable.lower(), "http://127.0.0.1:9")
    near = replace(options, reach=replace(options.reach, proxy_from_environment=True))
    passed_by = swept(sandbox, harness, near)

    assert (TargetOutcome.COMPLETE, 1) == (asked.outcome, asked.aborted)
    assert (TargetOutcome.COMPLETE, 1) == (passed_by.outcome, passed_by.aborted)


@pytest.mark.parametrize("provider", QINGSTOR_WAYS)
@pytest.mark.parametrize("addressing", ["path", "virtual"])
def test_qingstor_zones_and_styles(sandbox: Sandbox, addressing: Any, provider: str) -> None:
    """Zone, host, port and both styles of addressing make the right URL and signature."""
    options = QingStorOptions(
        zone="pek3a",
        credentials=keys_of(sandbox),
        host="qingstor.test",
        port=80,
        protocol="http",
        addressing=addressing,
        reach=Reach(proxy_url=sandbox.qingstor_url),
        transport=EVERY_WAY[provider].transport,
    )
    result = swept(sandbox, EVERY_WAY[provider], options)

    assert (TargetOutcome.COMPLETE, 1) == (result.outcome, result.aborted)


@pytest.mark.parametrize("provider", QINGSTOR_WAYS)
def test_qingstor_discovery_keeps_to_its_zone(sandbox: Sandbox, provider: str) -> None:
    """Buckets of other zones are not this target's."""
    harness = EVERY_WAY[provider]
    sandbox.qingstor.add_container("bucket-here", region="pek3a")
    sandbox.qingstor.add_container("bucket-there", region="sh1a")
    options = QingStorOptions(
        zone="pek3a",
        credentials=keys_of(sandbox),
        host="qingstor.test",
        port=80,
        protocol="http",
        reach=Reach(proxy_url=sandbox.qingstor_url),
        transport=harness.transport,
    )
    done = sweeper(sandbox, harness.target(sandbox, "*", options=options)).sweep()

    assert ["bucket-here"] == [result.where.container for result in done.results]


@contextmanager
def behind_tls(url: str, certificate_for: str) -> Iterator[tuple[str, trustme.CA]]:
    """Put TLS before a sandbox's port."""
    authority = trustme.CA()
    with tls_relay(url, authority.issue_cert(certificate_for)) as port:
        yield f"https://localhost:{port}", authority


@pytest.mark.parametrize("provider", sorted(EVERY_WAY))
def test_a_private_authority_is_trusted_when_told(
    sandbox: Sandbox, tmp_path: Path, provider: str
) -> None:
    """With `ca_file` a store with a private certificate works; without it nothing is sent."""
    harness = EVERY_WAY[provider]
    options = harness.options(sandbox)
    plain = options.reach.endpoint_url
    assert plain is not None
    with behind_tls(plain, "localhost") as (url, authority):
        ca_file = tmp_path / "ca.pem"
        authority.cert_pem.write_to_path(str(ca_file))
        trusting = replace(options, reach=Reach(endpoint_url=url, ca_file=str(ca_file)))
        doubting = replace(options, reach=Reach(endpoint_url=url))
        refused = swept(sandbox, harness, doubting)
        requests = len(sandbox.journal)
        accepted = swept(sandbox, harness, trusting)

    assert (TargetOutcome.INCOMPLETE, 0) == (refused.outcome, requests)
    assert (TargetOutcome.COMPLETE, 2) == (accepted.outcome, accepted.aborted)


@pytest.mark.parametrize("provider", sorted(EVERY_WAY))
def test_the_environment_cannot_redirect(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """Endpoint and proxy variables are ignored unless the config turns them on."""
    nowhere = "http://127.0.0.1:9"
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "AWS_ENDPOINT_URL"):
        monkeypatch.setenv(name, nowhere)
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)
    harness = EVERY_WAY[provider]
    ignored = swept(sandbox, harness, harness.options(sandbox))
    options = harness.options(sandbox)
    obeying = replace(options, reach=replace(options.reach, proxy_from_environment=True))
    obeyed = swept(sandbox, harness, obeying)

    assert (TargetOutcome.COMPLETE, 1) == (ignored.outcome, ignored.aborted)
    assert TargetOutcome.INCOMPLETE is obeyed.outcome


def test_clients_leave_nothing_behind(way: Harness, sandbox: Sandbox) -> None:
    """The loader that all sessions share does not grow with every sweep of a daemon."""
    swept(sandbox, way, s3(way, sandbox))
    before = list(_LOADER.search_paths)
    swept(sandbox, way, s3(way, sandbox))

    assert before == _LOADER.search_paths


def test_a_region_is_needed_only_where_there_are_regions(
    way: Harness, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A compatible store without any region in the config is signed for somehow."""
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    result = swept(sandbox, way, s3(way, sandbox, region=None))

    assert (REGION, TargetOutcome.COMPLETE) == ("us-east-1", result.outcome)
