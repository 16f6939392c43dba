from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import trustme
from prometheus_client import CollectorRegistry, Gauge
from support.gateway import (
    Answer,
    Gateway,
    closed_port,
    dripping,
    hanging,
    pushgateway,
    status,
    stub,
)
from support.relay import tls_relay

from janitor.observe.push import PushFailed, delete, push
from janitor.settings.types import Push


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    """Run a real Pushgateway."""
    with pushgateway() as running:
        yield running


@pytest.fixture
def tls_gateway(tmp_path: Path) -> Iterator[tuple[str, str]]:
    """Serve a gateway that says yes, behind TLS; give its URL and a file with its authority."""
    authority = trustme.CA()
    file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(file))
    certificate = authority.issue_cert("127.0.0.1")
    with stub(status(202)) as (url, _), tls_relay(url, certificate) as port:
        yield f"https://127.0.0.1:{port}", str(file)


@pytest.fixture
def to(gateway: Gateway, request: pytest.FixtureRequest) -> Push:
    """Push into a group of the test's own."""
    return Push(gateway.url, job=request.node.name)


def one(name: str, value: float) -> CollectorRegistry:
    """Make a registry with one gauge."""
    registry = CollectorRegistry()
    Gauge(name, "A thing.", registry=registry).set(value)
    return registry


def at(url: str) -> Push:
    """Push to another place."""
    return Push(url, grouping=(("shard", "a"),))


def test_what_was_pushed_is_there(gateway: Gateway, to: Push) -> None:
    """With the labels of its group."""
    push(replace(to, grouping=(("shard", "a"),)), one("thing", 7))

    assert [({"instance": "", "job": to.job, "shard": "a"}, 7.0)] == [
        sample for sample in gateway.samples("thing") if sample[0]["job"] == to.job
    ]


def test_the_whole_group_is_replaced(gateway: Gateway, to: Push) -> None:
    """A series that is no more must not keep yesterday's height."""
    push(to, one("yesterday", 1))
    push(to, one("today", 1))
    jobs = {
        name: [labels["job"] for labels, _ in gateway.samples(name)]
        for name in ("yesterday", "today")
    }

    assert (False, True) == (to.job in jobs["yesterday"], to.job in jobs["today"])


def test_groups_do_not_overwrite_each_other(gateway: Gateway, to: Push) -> None:
    """Two shards, two groups, each with its own figures."""
    for number, shard in enumerate(("a", "b")):
        push(replace(to, grouping=(("shard", shard),)), one("shards", number))

    assert (0.0, 1.0) == tuple(
        gateway.value("shards", job=to.job, shard=shard) for shard in ("a", "b")
    )


@pytest.mark.parametrize(
    "value", ["a/b c", "..", ".", "ü+%&=?#", "a b", "/", "日本", "-", "x" * 300, "a\nb", '"\\']
)
def test_any_value_of_a_grouping_arrives_as_it_is(gateway: Gateway, value: str) -> None:
    """Base64 where a URL would change it, also to delete it again."""
    to = Push(gateway.url, job="any value/at all", grouping=(("shard", value),))
    push(to, one("thing", 1))
    group = {"job": to.job, "shard": value}
    there = group in gateway.groups()
    delete(to)

    assert (True, False) == (there, group in gateway.groups())


def test_only_the_one_group_is_deleted(gateway: Gateway, to: Push) -> None:
    """What other shards said stays; deleting what is not there is fine."""
    a, b = (replace(to, grouping=(("shard", shard),)) for shard in ("a", "b"))
    for shard in (a, b):
        push(shard, one("thing", 1))
    delete(a)
    delete(a)

    assert ["b"] == [group["shard"] for group in gateway.groups() if group["job"] == to.job]


def test_a_put_is_one_request_with_the_text_format() -> None:
    """Nothing is asked before, and nothing is repeated."""
    with stub(status(202)) as (url, asked):
        push(at(url), one("thing", 7))

    assert [("PUT", "/metrics/job/upload_janitor/shard/a", b"# HELP thing A thing.\n")] == [
        (each.method, each.path, each.body[:22]) for each in asked
    ]


def test_a_gateway_behind_a_path_is_reached() -> None:
    """A prefix of the URL stays."""
    with stub(status(202)) as (url, asked):
        push(at(f"{url}/push/"), one("thing", 7))

    assert ["/push/metrics/job/upload_janitor/shard/a"] == [each.path for each in asked]


@pytest.mark.parametrize("send", [lambda to: push(to, one("thing", 1)), delete])
@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (status(400, "text format\nparsing  error"), "it answered 400 text format parsing error"),
        (status(401), "it answered 401"),
        (status(500, "oh"), "it answered 500 oh"),
        (status(307, Location="/elsewhere"), "it answered 307"),
        (status(301, Location="http://127.0.0.1:1/"), "it answered 301"),
        (lambda handler: handler.wfile.write(b"nonsense\r\n\r\n"), "nonsense"),
        (lambda handler: handler.wfile.write(b""), "Remote end closed connection"),
    ],
)
def test_whatever_is_no_success_is_an_error(
    answer: Answer, why: str, send: Callable[[Push], None]
) -> None:
    """The sentence names the gateway and what it said; redirects are not followed."""
    with stub(answer) as (url, asked), pytest.raises(PushFailed) as failed:
        send(at(url))

    assert f": {why}" in str(failed.value)
    assert str(failed.value).startswith(f"the Pushgateway {url} did not ")
    assert 1 == len(asked)
    assert str(failed.value).isprintable()


def test_a_gateway_that_is_down_is_an_error() -> None:
    """At once."""
    with pytest.raises(PushFailed, match=r"not take the metrics: .*Connection refused"):
        push(at(f"http://127.0.0.1:{closed_port()}"), one("thing", 1))


@pytest.mark.parametrize("behaviour", [hanging, dripping])
def test_a_gateway_that_does_not_come_to_an_end_is_given_up(
    behaviour: Callable[[threading.Event], Answer],
) -> None:
    """A byte now and then never times a socket out; a total does."""
    release = threading.Event()
    with stub(behaviour(release)) as (url, _), pytest.raises(PushFailed) as failed:
        push(at(url), one("thing", 1), seconds=0.4)
    release.set()

    assert "0.4 seconds" in str(failed.value) or "timed out" in str(failed.value)


def test_proxies_of_the_environment_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody who sets a proxy for object stores means the metrics."""
    with stub(status(500)) as (proxy, unasked), stub(status(202)) as (url, asked):
        monkeypatch.setenv("http_proxy", proxy)
        monkeypatch.delenv("no_proxy", raising=False)
        push(at(url), one("thing", 1))

    assert (0, 1) == (len(unasked), len(asked))


def test_a_certificate_that_nobody_vouches_for_is_refused(tls_gateway: tuple[str, str]) -> None:
    """Metrics are not sent to whoever answers."""
    with pytest.raises(PushFailed, match="certificate verify failed"):
        push(at(tls_gateway[0]), one("thing", 1))


def test_a_certificate_of_a_known_authority_is_trusted(
    tls_gateway: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`SSL_CERT_FILE` is how OpenSSL hears of an authority of one's own."""
    url, file = tls_gateway
    monkeypatch.setenv("SSL_CERT_FILE", file)
    push(at(url), one("thing", 1))


def test_only_http_is_spoken() -> None:
    """A URL of another kind reads no files."""
    with pytest.raises(PushFailed):
        push(at("file:///etc"), one("thing", 1))
