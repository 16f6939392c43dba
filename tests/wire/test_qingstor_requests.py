"""What goes out to QingStor is what its SDK would send, and never about an object."""

from __future__ import annotations

import gzip
from contextlib import closing
from dataclasses import replace
from mimetypes import guess_type
from typing import Any

import pytest
import time_machine
from hypothesis import example, given, settings
from hypothesis import strategies as st
from qingstor.sdk.config import Config
from qingstor.sdk.service.qingstor import QingStor
from support.catching import Catcher, Caught
from support.harness import EVERY_WAY, QINGSTOR_WAYS
from support.outcomes import Outcome, outcome_of
from support.raw_server import raw_server

from janitor.errors import Refused, Unexpected
from janitor.providers import qingstor, qingstor_wire
from janitor.providers.qingstor_question import Check, Question
from janitor.targets import Credentials, Execution, QingStorOptions, Reach, Secret
from janitor.wire import qingstor_client
from janitor.wire.line import LARGEST
from janitor.wire.qingstor_client import Keys, Place, QingStorClient

KEYS = st.text(
    st.one_of(
        st.sampled_from("aZ0 +%/.?#&=;:@!$'\"<>\\^`{|}~*()[],-_\t\n\r\x00\x7f\u2028"),
        st.characters(exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=40,
)
# Requests takes dot segments out, and our guard refuses them.
ADDRESSABLE = KEYS.filter(lambda key: not {".", ".."} & set(key.split("/")))
SECRETS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
NOW = "2026-11-20T05:10:49Z"
PLACES = [
    ("pek3a", "qingstor.com", 443, "https", False),
    ("pek3a", "qingstor.com", 443, "https", True),
    ("", "127.0.0.1", 9000, "http", False),
    ("sh1a", "qs.example", 80, "http", True),
    ("", "[::1]", 8080, "https", False),
]
OPTIONS = QingStorOptions("pek3a", Credentials("AKID", Secret("secret")))


def sdk_for(place: tuple[Any, ...], secret: str) -> Any:
    """Make the SDK's service object."""
    config = Config("AKID", secret)
    _, config.host, config.port, config.protocol, config.enable_virtual_host_style = place
    return QingStor(config)


def ours_for(place: tuple[Any, ...], secret: str) -> QingStorClient:
    """Make our client of the same place, which sends nothing."""
    zone, host, port, scheme, virtual = place
    authority = host if port in {443, 80} else f"{host}:{port}"
    where = Place(scheme, f"{zone}.{authority}" if zone else authority, virtual)
    return QingStorClient(where, Keys("AKID", secret), Catcher(), "us")  # type: ignore[arg-type]  # as good as a wire


def sdks(request: Any) -> tuple[Any, ...]:
    """Give what the SDK would send."""
    prepared = request.sign()
    headers = {name.lower(): value for name, value in prepared.headers.items()}
    del headers["user-agent"]
    return prepared.method, prepared.url, headers


def caught(client: QingStorClient, *asked: Any) -> tuple[Any, ...]:
    """Give what our client would send."""
    with pytest.raises(Caught) as found:
        client.send(client.request(*asked))
    method, url, headers = found.value.request
    del headers["user-agent"]
    host = client.request(*asked).host
    return method, url, headers | {"host": host}


@settings(deadline=None)
@given(
    place=st.sampled_from(PLACES),
    key=ADDRESSABLE,
    text=KEYS,
    marker=st.just("") | KEYS,
    secret=SECRETS,
)
@example(PLACES[0], "Movies/a b.mp4", "id", "", "s")
@example(PLACES[1], "/leading.tar.gz", "a&b=c", "x", "s")
@example(PLACES[2], "a//b/", "%2F", "é", "s")
@example(PLACES[3], "<object-key>;x", "+", "~", "s")
def test_a_request_is_the_one_of_the_sdk(
    place: tuple[Any, ...], key: str, text: str, marker: str, secret: str
) -> None:
    """Whatever the key, upload id, prefix and marker: the same address, type and signature."""
    sdk, ours = sdk_for(place, secret), ours_for(place, secret)
    bucket = sdk.Bucket("my-bucket.zip", place[0])
    page = {"limit": "2", "prefix": text, "key_marker": marker, "upload_id_marker": marker}
    parts = {"limit": "2", "upload_id": text, "part_number_marker": marker}
    with time_machine.travel(NOW, tick=False):
        expected = [
            sdks(bucket.list_multipart_uploads_request(**page)),
            sdks(bucket.list_multipart_request(key, **parts)),
            sdks(bucket.abort_multipart_upload_request(key, upload_id=text)),
        ]
        actual = [
            caught(ours, "GET", "my-bucket.zip", None, page),
            caught(ours, "GET", "my-bucket.zip", key, parts),
            caught(ours, "DELETE", "my-bucket.zip", key, {"upload_id": text}),
        ]

    assert expected == actual


@given(
    st.lists(
        st.sampled_from([".", "/", "a", "tar", "gz", "JPG", "mp4", "tgz", "svgz", "Z", "%2E", "~"]),
        max_size=8,
    )
)
@example([".", "tar", ".", "gz"])
@example([".", ".", "mp4"])
def test_a_type_is_guessed_as_the_sdk_does(pieces: list[str]) -> None:
    """By all that is behind a dot, with names that begin with one among them."""
    path = f"/bucket/{''.join(pieces)}"
    expected = guess_type(path)[0] or "application/octet-stream"

    assert [expected] * 2 == [qingstor_client._type_of(path) for _ in range(2)]  # noqa: SLF001  # nothing else tells


def answered(way: str, body: bytes) -> Outcome:
    """Give what becomes of a page in gzip, which nobody asked for but a proxy may send."""
    head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
    reply = f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body
    with raw_server(reply) as server:
        reach = Reach(endpoint_url=server.url)
        options = replace(OPTIONS, zone="", reach=reach, transport=EVERY_WAY[way].transport)
        with closing(qingstor._transport(options, Execution())) as made:  # noqa: SLF001  # what the provider uses
            return outcome_of(lambda: made.ask(LIST).body)


@pytest.mark.parametrize("way", QINGSTOR_WAYS)
def test_a_page_in_gzip_is_read(way: str) -> None:
    """As requests does; and what is not gzip is the same error."""
    page = b'{"name": "bucket", "uploads": [], "has_more": false}'

    assert page == answered(way, gzip.compress(page)).result
    assert Unexpected is answered(way, page).kind


def test_a_page_in_gzip_is_not_without_end() -> None:
    """A reply that is small on the wire may be no larger in memory than any other."""
    assert Unexpected is answered("qingstor", gzip.compress(b" " * (LARGEST + 1))).kind


def test_the_date_goes_on() -> None:
    """It is written anew in each second, and by no locale."""
    client = ours_for(PLACES[0], "secret")
    dates = []
    for now in ("2026-11-20T05:10:49Z", "2026-11-20T05:10:49.9Z", "2026-11-20T05:10:50Z"):
        with time_machine.travel(now, tick=False):
            dates.append(caught(client, "GET", "b", None, {})[2]["date"])

    assert ["Fri, 20 Nov 2026 05:10:49 GMT"] * 2 + ["Fri, 20 Nov 2026 05:10:50 GMT"] == dates


def test_a_secret_is_not_printed() -> None:
    """Not by the keys, and so by nothing that holds them."""
    assert "secret" not in repr(Keys("AKID", "secret")).replace("secret_access_key", "")


ABORT = Question("abort_multipart_upload", "DELETE", "bucket", "key", {"upload_id": "u"})
LIST = Question("list_multipart_uploads", "GET", "bucket", None, {"limit": "2"})
PARTS = Question("list_multipart", "GET", "bucket", "key", {"limit": "2", "upload_id": "u"})
BASE = "https://pek3a.qingstor.com/bucket"


@pytest.mark.parametrize(
    ("question", "method", "url"),
    [
        (ABORT, "DELETE", f"{BASE}/key"),
        (ABORT, "DELETE", f"{BASE}/key?"),
        (ABORT, "DELETE", f"{BASE}/key?upload_id="),
        (ABORT, "DELETE", f"{BASE}/key?upload_id=u&x=1"),
        (ABORT, "DELETE", f"{BASE}/key?upload_id=v"),
        (ABORT, "DELETE", f"{BASE}/other?upload_id=u"),
        (ABORT, "DELETE", f"{BASE}?upload_id=u"),
        (ABORT, "GET", f"{BASE}/key?upload_id=u"),
        (ABORT, "DELETE", "https://elsewhere.example/bucket/key?upload_id=u"),
        (PARTS, "GET", f"{BASE}/key?limit=2"),
        (PARTS, "GET", f"{BASE}/key?limit=2&upload_id="),
        (PARTS, "DELETE", f"{BASE}/key?limit=2&upload_id=u"),
        (ABORT._replace(key="a/../key"), "DELETE", f"{BASE}/a/../key?upload_id=u"),
        (ABORT._replace(key=".."), "DELETE", f"{BASE}/..?upload_id=u"),
        (ABORT._replace(parameters={}), "DELETE", f"{BASE}/key"),
        (ABORT._replace(parameters={"upload_id": ""}), "DELETE", f"{BASE}/key?upload_id="),
    ],
)
def test_what_was_not_meant_is_refused(question: Question, method: str, url: str) -> None:
    """Without its upload id the same request would delete the object, or read it."""
    with pytest.raises(Refused):
        Check(OPTIONS).require(question, method, url)


@pytest.mark.parametrize(
    ("method", "query", "allowed"),
    [
        ("DELETE", "upload_id=u", True),
        ("DELETE", "upload_id=", False),
        ("DELETE", "", False),
        ("DELETE", "uploads", False),
        ("DELETE", "upload_id=u&x=1", False),
        ("DELETE", "x=1&upload_id=u", False),
        ("GET", "uploads", True),
        ("GET", "uploads&upload_id=", True),
        ("GET", "upload_id=", False),
        ("GET", "uploadsx", False),
        ("GET", "xuploads", False),
        ("GET", "limit=2&upload_id=u", True),
        ("GET", "limit=2&uploads", True),
        ("GET", "limit=2", False),
        ("GET", "x=upload_id=u", False),
        ("POST", "uploads", False),
        ("PUT", "upload_id=u", False),
    ],
)
def test_the_wire_has_a_guard_of_its_own(method: str, query: str, *, allowed: bool) -> None:
    """It looks at what goes out, and knows nothing of what was meant."""
    guarded = outcome_of(lambda: qingstor_wire._guard(method, f"{BASE}/key?{query}"))  # noqa: SLF001  # there is no other way in

    assert (None if allowed else Refused) is guarded.kind


@pytest.mark.parametrize("transport", ["auto", "sdk"])
@pytest.mark.parametrize("key", ["..", "a/../b", "./a", "b/.", "\ud800"])
def test_a_key_that_cannot_be_addressed_is_refused(key: str, transport: Any) -> None:
    """Before anything is sent, over both transports."""
    reach = Reach(endpoint_url="http://127.0.0.1:9")
    options = replace(OPTIONS, zone="", reach=reach, transport=transport)
    made = qingstor._transport(options, Execution())  # noqa: SLF001  # what the provider uses
    with pytest.raises(Refused):
        made.ask(ABORT._replace(key=key))
    made.close()


@pytest.mark.parametrize(
    ("changes", "covered"),
    [
        ({}, True),
        ({"addressing": "virtual"}, True),
        ({"host": "QingStor.com"}, False),
        ({"host": "me@qingstor.com"}, False),
        ({"reach": Reach(proxy_from_environment=True)}, True),
        ({"reach": Reach(proxy_from_environment=True), "addressing": "virtual"}, False),
    ],
    ids=str,
)
def test_what_the_wire_does_not_do_is_left_to_the_sdk(
    changes: dict[str, Any], *, covered: bool
) -> None:
    """Addresses that requests would change, and proxies that depend on the bucket's name."""
    assert covered is qingstor_wire.covers(replace(OPTIONS, **changes))


def test_a_proxy_that_is_not_http_is_left_to_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment can name others."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:9")
    options = replace(OPTIONS, reach=Reach(proxy_from_environment=True))

    assert not qingstor_wire.covers(options)
