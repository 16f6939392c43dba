"""What a refusal means: every code and status of a provider becomes one of our errors."""

from __future__ import annotations

from contextlib import closing

import pytest
from support.harness import EVERY_WAY

from janitor import errors, providers
from janitor.model import ContainerRef, Upload
from janitor.sandbox import Fault, Sandbox
from janitor.targets import Execution

REFUSALS: list[tuple[str, int, str, type[errors.ProviderError]]] = [
    ("glacier", 404, "ResourceNotFoundException", errors.UploadGone),
    ("glacier", 400, "NoLongerSupportedException", errors.ContainerMissing),
    ("glacier", 400, "ThrottlingException", errors.Throttled),
    ("glacier", 408, "RequestTimeoutException", errors.Transient),
    ("glacier", 500, "ServiceUnavailableException", errors.Transient),
    ("glacier", 403, "ExpiredTokenException", errors.Denied),
    ("glacier", 400, "UnrecognizedClientException", errors.Denied),
    ("glacier", 400, "LimitExceededException", errors.Unexpected),
    ("glacier", 404, "404", errors.Unexpected),
    ("qingstor", 404, "upload_not_exists", errors.UploadGone),
    ("qingstor", 400, "upload_not_exists", errors.UploadGone),
    ("qingstor", 404, "bucket_not_exists", errors.ContainerMissing),
    ("qingstor", 404, "object_not_exists", errors.Unexpected),
    ("qingstor", 403, "request_expired", errors.ClockSkewed),
    ("qingstor", 403, "permission_denied", errors.Denied),
    ("qingstor", 402, "delinquent_account", errors.Denied),
    ("qingstor", 400, "access_denied", errors.Denied),
    ("qingstor", 503, "upstream_failed", errors.Transient),
    ("qingstor", 429, "too_many", errors.Throttled),
    ("s3", 404, "NoSuchUpload", errors.UploadGone),
    ("s3", 404, "NoSuchBucket", errors.ContainerMissing),
    ("s3", 404, "NoSuchKey", errors.Unexpected),
    ("s3", 403, "RequestTimeTooSkewed", errors.ClockSkewed),
    ("s3", 400, "ExpiredToken", errors.Denied),
    ("s3", 400, "TokenRefreshRequired", errors.Denied),
    ("s3", 503, "SlowDown", errors.Throttled),
    ("s3", 400, "RequestTimeout", errors.Transient),
    ("s3", 409, "OperationAborted", errors.Transient),
    ("s3", 522, "origin_away", errors.Transient),
    ("s3", 529, "overloaded", errors.Throttled),
    ("s3", 307, "TemporaryRedirect", errors.Unexpected),
    ("s3", 501, "NotImplemented", errors.Unexpected),
]


ASKED = REFUSALS + [(f"{provider}-sdk", *refusal) for provider, *refusal in REFUSALS]


@pytest.mark.parametrize("refusal", ASKED, ids=lambda refusal: f"{refusal[0]}-{refusal[2]}")
def test_a_refusal_means_one_thing(
    sandbox: Sandbox, refusal: tuple[str, int, str, type[errors.ProviderError]]
) -> None:
    """The same for reading and for aborting; the provider's own code goes along."""
    way, status, code, expected = refusal
    harness = EVERY_WAY[way]
    provider = harness.provider
    harness.add_container(sandbox, "container")
    name = harness.add(sandbox, "container")
    where = ContainerRef(provider, provider, "container")
    upload = Upload(where, "key" if harness.has_keys else None, name, initiated=None)
    target = harness.target(sandbox)
    sandbox.faults.add(Fault(operation=f"{provider}.*", status=status, code=code, times=None))
    with closing(providers.load(provider).connect(target, Execution())) as connection:
        reader = connection.reader("container")
        with pytest.raises(errors.ProviderError) as reading:
            reader.list_parts(upload, None)
    aborter = providers.load(provider).aborter(target, Execution())
    with closing(aborter), pytest.raises(errors.ProviderError) as aborting:
        aborter.abort(upload)
    told = [(type(e.value), e.value.code, e.value.status) for e in (reading, aborting)]

    assert [(expected, code, status)] * 2 == told
    assert 2 == len(sandbox.journal)
