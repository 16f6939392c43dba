"""Replies mean what they mean to boto3, and nothing in a document can do harm."""

from __future__ import annotations

from collections.abc import Callable
from types import NoneType
from typing import Any
from xml.sax.saxutils import escape

import botocore.session
import pytest
from botocore.parsers import ResponseParserError, ResponseParserFactory
from hypothesis import example, given
from hypothesis import strategies as st
from support.outcomes import outcome_of

from janitor.wire import s3_scan, s3_xml
from janitor.wire.line import Reply
from janitor.wire.s3_errors import parse_error
from janitor.wire.s3_rows import Rows

MODEL = botocore.session.get_session().get_service_model("s3")
SHAPES = {
    name: MODEL.operation_model(name).output_shape for name in ("ListMultipartUploads", "ListParts")
}
TABLES = {"ListMultipartUploads": s3_xml.UPLOADS, "ListParts": s3_xml.PARTS}
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
HEAD = f'<?xml version="1.0" encoding="UTF-8"?>\n<ListMultipartUploadsResult xmlns="{NAMESPACE}">'
TAIL = "<IsTruncated>false</IsTruncated></ListMultipartUploadsResult>"
# What XML can carry.
TEXTS = st.text(
    st.one_of(
        st.sampled_from("aZ0 +%/?#&=;\"'<>]\t\n\r\u2028\ud7ff\ue000\ufffd🎬"),
        st.characters(exclude_categories=["Cs"], min_codepoint=32).filter(
            lambda character: character not in "\ufffe\uffff"
        ),
    ),
    max_size=20,
)


def botocores(body: bytes, operation: str) -> dict[str, Any]:
    """Read a body as boto3 does, with texts for dates."""
    factory = ResponseParserFactory()
    factory.set_parser_defaults(timestamp_parser=str)
    reply = {"status_code": 200, "headers": {}, "body": body}
    found: dict[str, Any] = factory.create_parser("rest-xml").parse(reply, SHAPES[operation])
    del found["ResponseMetadata"]
    return without_owners(found)


def without_owners(found: dict[str, Any]) -> dict[str, Any]:
    """Leave out what we do not read, everywhere."""
    unread = {"Owner", "DisplayName", "VersionId", "ChecksumAlgorithm", "ChecksumType"}
    return {name: _bare(value) for name, value in found.items() if name not in unread}


def _bare(value: Any) -> Any:
    if isinstance(value, list):
        return [_bare(item) for item in value]
    return without_owners(value) if isinstance(value, dict) else value


def element(name: str, text: str) -> str:
    """Write a leaf, as a server would."""
    return f"<{name}>{escape(text, {chr(13): '&#13;'})}</{name}>"


LEAVES = st.sampled_from(["StorageClass", "Unknown", "Key2", "ChecksumType"])
PERSONS = st.builds(
    lambda name, who, shown: f"<{name}>{element('ID', who)}{shown}</{name}>",
    st.sampled_from(["Initiator", "Owner"]),
    TEXTS,
    st.sampled_from(["", "<DisplayName>who</DisplayName>", "<DisplayName/>"]),
)


@st.composite
def uploads(draw: st.DrawFn) -> str:
    """Write an upload with its elements in any order, some there and some not."""
    pieces = [element("Key", draw(TEXTS)), element("UploadId", draw(TEXTS))]
    pieces += [element("Initiated", draw(TEXTS))] if draw(st.booleans()) else []
    pieces += [element(name, draw(TEXTS)) for name in draw(st.sets(LEAVES))]
    pieces += draw(st.lists(PERSONS, max_size=2, unique_by=lambda person: person[1:4]))
    return f"<Upload>{''.join(draw(st.permutations(pieces)))}</Upload>"


@st.composite
def alike(draw: st.DrawFn) -> list[str]:
    """Write uploads that differ in key, id and date only, as those of one program do."""
    rest = [
        f"<StorageClass>{draw(st.sampled_from(['', 'STANDARD', 'a&amp;b', '>']))}</StorageClass>"
    ]
    rest += draw(st.lists(PERSONS, max_size=2, unique_by=lambda person: person[1:4]))
    rest += draw(st.sampled_from([[], ["<Unknown>text</Unknown>"]]))
    names = draw(st.permutations(["Key", "UploadId", "Initiated"]))[: draw(st.integers(2, 3))]
    pieces = draw(st.permutations([*names, *rest]))
    texts = st.text(st.sampled_from("aZ0-:/]>\t\n\u2028\ud7ff🎬"), max_size=4)
    return [
        "<Upload>"
        + "".join(element(p, draw(texts)) if p in names else p for p in pieces)
        + "</Upload>"
        for _ in range(draw(st.integers(1, 6)))
    ]


@st.composite
def pages(draw: st.DrawFn) -> bytes:
    """Write a page, most often of uploads that look alike, with markers before or after them."""
    if draw(st.booleans()):
        entries = draw(alike())
    elif draw(st.booleans()):
        texts = draw(st.lists(st.tuples(TEXTS, TEXTS), max_size=6))
        entries = [
            f"<Upload>{element('Key', key)}{element('UploadId', name)}</Upload>"
            for key, name in texts
        ]
    else:
        entries = draw(st.lists(uploads(), max_size=6))
    marker = element("NextKeyMarker", draw(TEXTS))
    before = draw(st.sampled_from(["", marker, "<Bucket>b</Bucket><!-- <Upload> -->", "<Upload/>"]))
    after = draw(st.sampled_from(["", "<CommonPrefixes><Prefix>p</Prefix></CommonPrefixes>", "\n"]))
    between = draw(st.sampled_from(["", "", "", "\n", "<Other/>"]))
    return f"{HEAD}{before}{between.join(entries)}{after}{TAIL}".encode()


@given(pages())
@example(f"{HEAD}<Upload><Key>a</Key><UploadId>]]></UploadId></Upload>{TAIL}".encode())
@example(f"{HEAD}<!--<Upload><Key>a</Key><UploadId>b</UploadId></Upload>-->{TAIL}".encode())
@example(f"{HEAD}<![CDATA[<Upload><Key>a</Key><UploadId>b</UploadId></Upload>]]>{TAIL}".encode())
@example(f"{HEAD}<A><Upload><Key>a</Key><UploadId>b</UploadId></Upload></A>{TAIL}".encode())
@example(f"{HEAD}<Upload><Key>a</Key><UploadId>b\x02c</UploadId></Upload>{TAIL}".encode())
@example(f"{HEAD}<Upload><Key>a\x01b</UploadId></Upload>{TAIL}".encode())
@example(
    f"{HEAD}<Upload><Key>a</Key><UploadId>b</UploadId></Upload>"
    f"<Upload><Key>c\x01d</UploadId></Upload>{TAIL}".encode()
)
@example(
    f"{HEAD}<Upload><Key>a</Key><UploadId>b</UploadId></Upload>"
    f"<Upload><Key>c</Key><UploadId>d</Key><UploadId>e</UploadId></Upload>{TAIL}".encode()
)
@example(
    f"{HEAD}<Upload><Key>a</Key><UploadId>b</UploadId></Upload>"
    f"<Upload><Key>c</UploadId></Upload><Upload><Key>d</Key><UploadId>e</UploadId></Upload>{TAIL}".encode()
)
@example(f"{HEAD}<Upload><Key>a<b/>c</Key><UploadId>b</UploadId></Upload>{TAIL}".encode())
@example(f"{HEAD}<Upload><Key>a</Key><UploadId>b</UploadId><Initiator/></Upload>{TAIL}".encode())
@example(f"{HEAD}<Upload><Key><![CDATA[a&b]]></Key><UploadId>b</UploadId></Upload>{TAIL}".encode())
@example(
    f'<s:R xmlns:s="{NAMESPACE}"><s:Upload><s:Key>k</s:Key></s:Upload>'
    "<s:IsTruncated>true</s:IsTruncated></s:R>".encode()
)
@example(b"\xef\xbb\xbf<R><IsTruncated>true</IsTruncated></R>")
@example(b"<Error><Code>InternalError</Code></Error>")
def test_a_page_says_what_it_says_to_boto3(body: bytes) -> None:
    """By the parser and by the scanner alike: the same uploads, texts, markers and order."""
    outcomes = [told(read) for read in readers(body)]

    assert [outcomes[0]] * 3 == outcomes


def readers(body: bytes) -> list[Any]:
    """Give boto3's way to read a page of uploads, and our two."""
    return [
        lambda: botocores(body, "ListMultipartUploads"),
        lambda: s3_xml.read(body, s3_xml.UPLOADS),
        lambda: one_by_one(s3_scan.read_uploads(body)),
    ]


def one_by_one(page: dict[str, Any]) -> dict[str, Any]:
    """Look at every upload of a page by itself."""
    return page | ({"Uploads": [*page["Uploads"]]} if "Uploads" in page else {})


def told(read: Callable[[], Any]) -> Any:
    """Give what a reader gives, or the kind of its error and what that came from."""
    found = outcome_of(read)
    if found.error is None:
        return found.result
    cause = found.error.__context__
    return found.kind, type(cause), getattr(cause, "code", None)


@given(pages(), st.data())
def test_a_page_that_was_cut_is_the_same_error(body: bytes, data: st.DataObject) -> None:
    """Wherever it ends, it is unreadable, and never a shorter page."""
    short = body[: data.draw(st.integers(1, len(body) - 1))]
    outcomes = [told(read) for read in readers(short)]

    assert [outcomes[0]] * 3 == outcomes
    assert ResponseParserError is outcomes[0][0]


@given(pages(), st.data())
def test_a_page_that_was_changed_is_the_same(body: bytes, data: st.DataObject) -> None:
    """One byte anywhere: the same page or the same error, by all three readers."""
    at = data.draw(st.integers(0, len(body) - 1))
    changed = body[:at] + data.draw(st.binary(min_size=1, max_size=1)) + body[at + 1 :]
    sdk, *ours = [told(read) for read in readers(changed)]

    assert ours[0] == ours[1]
    assert sdk == ours[0] or is_stricter(changed, ours[0])


def is_stricter(body: bytes, ours: Any) -> bool:
    """Whether we doubt what boto3 takes: something twice, or a boolean that is none."""
    texts = [s3_xml.text_of(node) for node in s3_xml.root_of(body) if "IsTruncated" in node.tag]
    odd = any(text not in {"true", "false"} for text in texts)
    return odd or (
        isinstance(ours, tuple) and ours[0] is ResponseParserError and ours[1] is NoneType
    )


def test_the_scanner_does_read_pages() -> None:
    """Uploads that look alike, or in two ways, are scanned, not parsed: or all of it is in vain."""
    plain = "<Upload><Key>a</Key><UploadId>b</UploadId></Upload>"
    other = "<Upload><Key>c</Key><UploadId>d</UploadId><Foo>e</Foo></Upload>"
    scanned = []
    for entries in (plain * 9, (plain + other) * 9):
        page = s3_scan._scanned(f"{HEAD}{entries}{TAIL}".encode())  # noqa: SLF001  # nothing else tells
        scanned.append(None if page is None else len(page["Uploads"]))

    assert [9, 18] == scanned


def test_uploads_of_one_program_come_as_columns() -> None:
    """What is the same in all of them costs next to nothing; what is not costs a little."""
    rest = "<Initiator><ID>who</ID></Initiator><StorageClass>{}</StorageClass></Upload>"
    plain = "<Upload><Key>{}</Key><UploadId>b</UploadId><Initiated>c</Initiated>" + rest
    columns = []
    for classes in ("SS", "SG"):
        entries = "".join(plain.format(key, name) for key, name in zip("ab", classes, strict=True))
        page = s3_scan.read_uploads(f"{HEAD}{entries}{TAIL}".encode())["Uploads"]
        assert isinstance(page, Rows)
        columns.append((page.keys, page.dates, page.initiators, page.storage_classes))

    same = (["a", "b"], ["c", "c"], ["who", "who"])
    assert [(*same, ["S", "S"]), (*same, ["S", "G"])] == columns


def test_some_entries_of_a_page_are_those_of_the_list() -> None:
    """Columns can be cut as a list can."""
    rows = Rows(["a", "b", "c"], ["1", "2", "3"])

    assert list(rows)[1:] == rows[1:]
    assert {"Key": "c", "UploadId": "3"} == rows[-1]


@pytest.mark.parametrize(
    "entries",
    [
        "<Upload><Key>a</Key><Key>b</Key><UploadId>c</UploadId></Upload>",
        "<Upload><Key>a</Key><UploadId>b</UploadId><Initiator/><Initiator/></Upload>",
        "<IsTruncated>true</IsTruncated>",
        "<NextKeyMarker>a</NextKeyMarker><NextKeyMarker>b</NextKeyMarker>",
    ],
)
def test_what_is_there_twice_is_doubted(entries: str) -> None:
    """boto3 would take one of the two, or False: nobody knows which the server meant."""
    with pytest.raises(ResponseParserError, match="twice"):
        s3_scan.read_uploads(f"{HEAD}{entries}{TAIL}".encode())


@pytest.mark.parametrize(
    ("text", "expected"),
    [("true", True), ("false", False), ("True", True), (" FALSE ", False), ("", ""), ("1", "1")],
)
def test_a_boolean_is_true_or_false_or_none(text: str, expected: object) -> None:
    """To boto3 everything but `true` is False: a page that is not the last one would seem to be."""
    body = f"<R><IsTruncated>{text}</IsTruncated></R>".encode()

    assert {"IsTruncated": expected} == s3_xml.read(body, s3_xml.UPLOADS)


BILLION = "".join(
    f'<!ENTITY lol{n} "{f"&lol{n - 1};" * 10}">' if n else '<!ENTITY lol0 "lol">' for n in range(10)
)


@pytest.mark.parametrize(
    "doctype",
    [
        f"<!DOCTYPE lolz [{BILLION}]>",
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:9/x"> %x;]>',
        "<!DOCTYPE a [<!ELEMENT a ANY>]>",
        "<!DOCTYPE a []>",
    ],
)
def test_a_document_that_declares_is_refused(doctype: str) -> None:
    """No entity is ever made, looked up or expanded."""
    for text in ("plain", "&lol9;", "&x;"):
        body = f"{doctype}<R><IsTruncated>{text}</IsTruncated></R>".encode()

        with pytest.raises(ResponseParserError):
            s3_scan.read_uploads(body)


@pytest.mark.parametrize(
    "doctype",
    [
        "<!DOCTYPE html>",
        '<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0" "http://127.0.0.1:9/xhtml1-strict.dtd">',
        '<!DOCTYPE a SYSTEM "file:///etc/passwd">',
    ],
)
def test_a_web_page_says_nothing(doctype: str) -> None:
    """A document with a type of its own is read as empty, whatever is in it: no witness at all."""
    body = f"{doctype}<R><IsTruncated>false</IsTruncated><Key>k</Key></R>".encode()

    assert {} == s3_scan.read_uploads(body)


def test_a_document_type_in_a_key_is_a_key() -> None:
    """Only a real one counts, not one in a comment or in CDATA."""
    body = f"{HEAD}<!-- <!DOCTYPE a> --><Prefix><![CDATA[<!DOCTYPE a]]></Prefix>{TAIL}".encode()

    assert "<!DOCTYPE a" == s3_scan.read_uploads(body)["Prefix"]


PARTS = st.lists(st.tuples(st.integers(1, 10000), st.integers(0, 2**40), TEXTS), max_size=5)


@given(PARTS, TEXTS)
def test_parts_are_those_of_boto3(parts: list[tuple[int, int, str]], key: str) -> None:
    """Numbers, sizes, dates and tags."""
    entries = "".join(
        f"<Part><PartNumber>{number}</PartNumber><Size>{size}</Size>{element('ETag', tag)}"
        "<LastModified>2026-11-20T05:10:49Z</LastModified></Part>"
        for number, size, tag in parts
    )
    body = (
        f"<R>{element('Key', key)}<IsTruncated>true</IsTruncated>"
        f"<NextPartNumberMarker>7</NextPartNumberMarker>{entries}</R>"
    ).encode()

    assert botocores(body, "ListParts") == s3_xml.read(body, s3_xml.PARTS)


def test_a_number_that_is_none_is_the_same_error() -> None:
    """As in boto3, it is a ValueError."""
    body = b"<R><Part><PartNumber>one</PartNumber></Part></R>"
    outcomes = [
        outcome_of(lambda: botocores(body, "ListParts")),
        outcome_of(lambda: s3_xml.read(body, s3_xml.PARTS)),
    ]

    assert [ValueError] * 2 == [found.kind for found in outcomes]


ERRORS = [
    b"",
    b" ",
    b"<html><body>Service Unavailable</body></html>",
    b"<!DOCTYPE html><html><body><h1>Welcome</h1></body></html>",
    b"<html><p>not well-formed</html>",
    b"<Error><Code>SlowDown</Code><Message>Reduce</Message><RequestId>1</RequestId></Error>",
    b"<Error><Code>SlowDown</Code><Message/></Error>",
    b"<Error><Code/></Error>",
    b"<Error/>",
    b"<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>",
    b"<Error><Code>X</Code><Detail><Inner>deep</Inner></Detail></Error>",
    b'<Error xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Code>NoSuchUpload</Code></Error>',
    b"<ErrorResponse><Error><Code>Deep</Code><Message>m</Message></Error></ErrorResponse>",
    b"<ErrorResponse><Error><Code>Deep</Code></Error><RequestId>7</RequestId></ErrorResponse>",
    b"<ListMultipartUploadsResult/>",
    b"{}",
    b"<Error><Code>Cut",
    b"\xff\xfe",
]


@pytest.mark.parametrize("status", [301, 307, 400, 403, 404, 500, 503, 599])
@pytest.mark.parametrize("body", ERRORS)
def test_an_error_is_that_of_boto3(status: int, body: bytes) -> None:
    """The same code, message and region, whatever the body is."""
    headers = {"x-amz-request-id": "REQUEST", "x-amz-id-2": "HOST", "content-type": "text/html"}
    reply = {"status_code": status, "headers": headers, "body": body}
    parser = ResponseParserFactory().create_parser("rest-xml")
    expected = parser.parse(reply, SHAPES["ListMultipartUploads"])
    found = parse_error(Reply(status, headers, body))

    assert expected["Error"] == found["Error"]
    assert status == found["ResponseMetadata"]["HTTPStatusCode"]
    assert headers == found["ResponseMetadata"]["HTTPHeaders"]


def test_the_request_id_is_kept() -> None:
    """It is what the provider's support asks for."""
    headers = {"x-amz-request-id": "REQUEST", "x-amz-id-2": "HOST"}
    found = parse_error(Reply(503, headers, b""))["ResponseMetadata"]

    assert ("REQUEST", "HOST") == (found["RequestId"], found["HostId"])
