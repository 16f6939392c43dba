from __future__ import annotations

import http.client
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from urllib.parse import urlencode

import pytest
from benchmarks.ours import Version
from benchmarks.peers import Service
from benchmarks.sides import Result, Row, measure
from benchmarks.stub import SPREADS, Stub, World

QINGSTOR = {"Authorization": "QS a:b"}


def ask(
    server: Stub, method: str, path: str, headers: Mapping[str, str] | None = None
) -> tuple[int, str]:
    """Make one request; give the status and the body."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request(method, path, headers=dict(headers or {}))
    reply = connection.getresponse()
    body = reply.read().decode()
    connection.close()
    return reply.status, body


def values(name: str, body: str) -> Sequence[str]:
    """Give the texts of all elements of this name."""
    return re.findall(f"<{name}>(.*?)</{name}>", body)


def pages(server: Stub, size: int, prefix: str = "") -> Iterator[Sequence[tuple[str, str]]]:
    """Walk through the listing of the first bucket: keys and upload ids."""
    markers: dict[str, str] = {}
    more = True
    while more:
        query = urlencode({"prefix": prefix, "max-uploads": size, **markers})
        _, body = ask(server, "GET", f"/bucket-0000?uploads&{query}")
        yield list(zip(values("Key", body), values("UploadId", body), strict=True))
        more = values("IsTruncated", body) == ["true"]
        if more:
            (key,), (upload_id,) = values("NextKeyMarker", body), values("NextUploadIdMarker", body)
            markers = {"key-marker": key, "upload-id-marker": upload_id}


@pytest.mark.parametrize("spread", SPREADS)
def test_every_upload_is_listed_once_and_in_order(server: Stub, spread: str) -> None:
    """Whatever the keys are, the markers lead through all of them."""
    server.serve(World(47, keys=SPREADS.index(spread)))
    listed = [upload for page in pages(server, 5) for upload in page]

    assert 47 == len(set(listed))
    assert sorted(listed) == listed
    assert 47 == server.count()["listed"]
    assert 10 == server.count()["list"]


def test_a_prefix_narrows(server: Stub) -> None:
    """Tenants of a skewed bucket can be asked for one by one."""
    server.serve(World(300, keys=SPREADS.index("skewed")))
    (everything,) = pages(server, 1000)
    tenants = {key: len(list(of)) for key, of in groupby(key[:12] for key, _ in everything)}
    asked = {key: sum(len(page) for page in pages(server, 7, prefix=key)) for key in tenants}

    assert tenants == asked
    assert len(tenants) > 20


def test_what_was_aborted_is_gone(server: Stub) -> None:
    """Its parts, its second abort and the next listing say so."""
    server.serve(World(3))
    ((_, (key, upload_id), _),) = pages(server, 10)
    path = f"/bucket-0000/{key}?uploadId={upload_id}"

    assert [200, 204, 404, 404] == [ask(server, m, path)[0] for m in ("GET", "DELETE") * 2][:4]
    assert 2 == sum(len(page) for page in pages(server, 10))
    assert 1 == server.count()["aborted"]


def test_an_abort_needs_the_right_key(server: Stub) -> None:
    """A client that mixed keys up would not be praised for its speed."""
    server.serve(World(3))
    ((_, (_, upload_id), _),) = pages(server, 10)
    status, body = ask(server, "DELETE", f"/bucket-0000/other?uploadId={upload_id}")

    assert (404, ["NoSuchUpload"]) == (status, values("Code", body))
    assert 0 == server.count()["aborted"]


def test_qingstor_says_204_of_what_never_was(server: Stub) -> None:
    """As the store does; only the parts tell."""
    server.serve(World(3))
    path = "/bucket-0000/some/key?upload_id=0123456789abcdef"

    assert 204 == ask(server, "DELETE", path, QINGSTOR)[0]
    assert 404 == ask(server, "GET", path, QINGSTOR)[0]
    assert 0 == server.count()["aborted"]


def test_there_is_a_rate_beyond_which_it_refuses(server: Stub) -> None:
    """A client that draws refusals shows them in its row."""
    server.serve(World(3, rate=20))
    statuses = [ask(server, "GET", "/bucket-0000?uploads")[0] for _ in range(20)]

    assert {200, 503} == set(statuses)
    assert statuses.count(503) == server.count()["refused"]


def test_a_delimiter_is_refused(server: Stub) -> None:
    """It would be answered wrongly, and nobody would see."""
    server.serve(World(3))

    assert 501 == ask(server, "GET", "/bucket-0000?uploads&delimiter=/")[0]


def _result(server: Stub, service: Service, clients: Sequence[str], world: World) -> Result:
    row = Row("small", service, "clean", world, clients)
    (result,) = measure([row], server, 1, Version())
    return result


@pytest.mark.parametrize("service", ["s3", "glacier", "qingstor"])
def test_the_janitor_believes_it(server: Stub, service: Service) -> None:
    """Every proof that a provider demands is there, for a sweep with the whole safety chain."""
    result = _result(server, service, ["janitor"], World(110, 2, stale_every=2))
    (client,) = result.clients
    (sample,) = client.samples

    assert client.trouble is None
    assert 110 == sample.counters["aborted"]
    assert 220 == sample.counters["listed"]


def test_a_client_that_did_less_is_named(server: Stub) -> None:
    """A scan aborts nothing, however fast it is."""
    result = _result(server, "s3", ["janitor scan"], World(10))

    assert ["aborted only 0 of 10"] == [client.trouble for client in result.clients]


def test_a_client_that_cannot_is_named(server: Stub) -> None:
    """It is neither the base of ratios nor part of them."""
    result = _result(server, "glacier", ["rclone"], World(1))

    assert ["rclone knows no vaults"] == [client.trouble for client in result.clients]
    assert result.base is None


def test_a_role_sees_the_bucket_of_its_account(server: Stub) -> None:
    """Its STS lets anybody assume any role, and the key that it gives tells whose it is."""
    server.serve(World(1, 3))
    form = "Action=AssumeRole&RoleArn=arn%3Aaws%3Aiam%3A%3A000000000002%3Arole%2Fjanitor"
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=10)
    connection.request("POST", "/", form)
    (key,) = values("AccessKeyId", connection.getresponse().read().decode())
    signed = {"Authorization": f"AWS4-HMAC-SHA256 Credential={key}/20261120/us-east-1/s3/x"}
    connection.request("POST", "/", "Action=GetCallerIdentity", signed)
    (account,) = values("Account", connection.getresponse().read().decode())
    connection.close()
    _, mine = ask(server, "GET", "/", signed)
    _, all_of_them = ask(server, "GET", "/")

    assert ("000000000002", ["bucket-0002"]) == (account, values("Name", mine))
    assert 3 == len(values("Name", all_of_them))
    assert 2 == server.count()["sts"]


def test_every_account_is_swept(server: Stub) -> None:
    """By the role of each, with the whole safety chain."""
    result = _result(server, "s3", ["janitor, accounts"], World(1, 12))
    (client,) = result.clients
    (sample,) = client.samples

    assert client.trouble is None
    assert (12, 12) == (sample.counters["aborted"], sample.counters["sts"])
