"""Glacier's replies mean what they mean to boto3; what it stumbles over says nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import botocore.session
import pytest
from botocore.parsers import ResponseParserFactory
from hypothesis import example, given
from hypothesis import strategies as st
from support.outcomes import outcome_of

from janitor.wire.glacier_replies import parse_error, parts, uploads
from janitor.wire.line import Reply

MODEL = botocore.session.get_session().get_service_model("glacier")
READ: dict[str, Callable[[Reply], dict[str, Any]]] = {
    "ListMultipartUploads": uploads,
    "ListParts": parts,
}
TEXTS = st.none() | st.text(max_size=20)
ENTRIES = {
    "ListMultipartUploads": st.fixed_dictionaries(
        {},
        optional={
            "MultipartUploadId": TEXTS,
            "VaultARN": TEXTS,
            "ArchiveDescription": TEXTS | st.just("null"),
            "PartSizeInBytes": st.none() | st.integers(),
            "CreationDate": TEXTS,
        },
    ),
    "ListParts": st.fixed_dictionaries(
        {}, optional={"RangeInBytes": TEXTS, "SHA256TreeHash": TEXTS}
    ),
}
PAGES = {
    "ListMultipartUploads": st.fixed_dictionaries(
        {},
        optional={
            "Marker": TEXTS,
            "UploadsList": st.none() | st.lists(ENTRIES["ListMultipartUploads"], max_size=4),
            "Unknown": TEXTS,
            "ResponseMetadata": TEXTS,
        },
    ),
    "ListParts": st.fixed_dictionaries(
        {},
        optional={
            "Marker": TEXTS,
            "MultipartUploadId": TEXTS,
            "VaultARN": TEXTS,
            "ArchiveDescription": TEXTS,
            "PartSizeInBytes": st.none() | st.integers(),
            "CreationDate": TEXTS,
            "Parts": st.none() | st.lists(ENTRIES["ListParts"], max_size=4),
        },
    ),
}


def botocores(reply: Reply, operation: str) -> dict[str, Any]:
    """Read a reply as boto3 does."""
    said = {"status_code": reply.status, "headers": dict(reply.headers), "body": reply.body}
    parser = ResponseParserFactory().create_parser("rest-json")
    found: dict[str, Any] = parser.parse(said, MODEL.operation_model(operation).output_shape)
    return found


def without_metadata(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out what both make in the same way, from the headers."""
    return {name: value for name, value in found.items() if name != "ResponseMetadata"}


@pytest.mark.parametrize("operation", READ)
@given(data=st.data())
def test_a_page_says_what_it_says_to_boto3(operation: str, data: st.DataObject) -> None:
    """What is null is not there, and what the model does not know is not either."""
    page = data.draw(PAGES[operation])
    reply = Reply(200, {}, json.dumps(page, ensure_ascii=False).encode(errors="surrogatepass"))
    expected = outcome_of(lambda: without_metadata(botocores(reply, operation)))

    actual = outcome_of(lambda: READ[operation](reply))

    assert (expected.result, expected.kind) == (actual.result, actual.kind)


@pytest.mark.parametrize("operation", READ)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"{}",
        b"<html></html>",
        b'{"Marker": "a"',
        b"\xff",
        b"\xef\xbb\xbf{}",
        b'{"Marker": 1e999, "UploadsList": [], "Parts": [null]}',
        b'{"Marker": "null", "Marker": "a"}',
        b"9" * 5000,
        b"{}" + b" " * 1000,
    ],
)
def test_what_is_hardly_a_page_says_what_it_says_to_boto3(operation: str, body: bytes) -> None:
    """Cut, empty, of another kind or in another encoding."""
    reply = Reply(200, {}, body)
    expected = outcome_of(lambda: without_metadata(botocores(reply, operation)))

    actual = outcome_of(lambda: READ[operation](reply))

    assert (expected.result, expected.kind) == (actual.result, actual.kind)


@pytest.mark.parametrize("body", [b"null", b"[]", b'"x"', b"7", b"[" * 100_000])
def test_what_boto3_stumbles_over_says_nothing(body: bytes) -> None:
    """There an error of the parser's own code comes out; here a witness is missing."""
    assert {} == uploads(Reply(200, {}, body))
    assert "404" == parse_error(Reply(404, {}, body))["Error"]["Code"]


@given(
    status=st.sampled_from([301, 400, 403, 404, 429, 500, 503, 520]),
    headers=st.fixed_dictionaries(
        {},
        optional={
            "x-amzn-errortype": st.sampled_from(["A", "A:http://x", "ns#B:x", ""]),
            "x-amzn-requestid": st.just("1"),
            "x-amz-request-id": st.just("2"),
        },
    ),
    body=st.one_of(
        st.sampled_from([b"", b"  ", b"<html>x", b" <html>", b"no", b"{", b"{}", b"\xff"]),
        st.fixed_dictionaries(
            {},
            optional={
                "code": st.none() | st.sampled_from(["A", "ns#B", "C:x", "", 7]),
                "Code": st.sampled_from(["D", "E:y"]),
                "__type": st.sampled_from(["com.aws#F", "G:z", "H"]),
                "message": TEXTS,
                "Message": TEXTS,
                "type": TEXTS,
            },
        ).map(lambda said: json.dumps(said).encode()),
    ),
)
@example(404, {}, b'{"code": "ResourceNotFoundException", "message": "m", "type": "Client"}')
def test_an_error_says_what_it_says_to_boto3(
    status: int, headers: dict[str, str], body: bytes
) -> None:
    """Code and message, from the header, the document, or the status."""
    reply = Reply(status, headers, body)
    expected = outcome_of(lambda: botocores(reply, "ListParts"))

    actual = outcome_of(lambda: parse_error(reply))

    assert expected.kind == actual.kind
    if expected.result is not None:
        assert expected.result["Error"] == actual.result["Error"]
        told, metadata = (found.result["ResponseMetadata"] for found in (expected, actual))
        assert told.get("RequestId") in {metadata.get("RequestId"), None}
