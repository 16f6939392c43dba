"""What fits a mold is what the parser would make of it, and everything else goes to the parser."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from xml.sax.saxutils import escape

import pytest
from botocore.parsers import ResponseParserError
from hypothesis import given
from hypothesis import strategies as st
from support.strategies import law

from janitor.wire import s3_xml
from janitor.wire.line import Reply
from janitor.wire.molds import LONGEST, MOST, Molds
from janitor.wire.s3_errors import parse_error

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
TEXTS = st.text(max_size=12)
PARTS = st.lists(st.tuples(st.integers(1, 10_000), TEXTS, st.integers(0, 2**40)), max_size=3)
PAGES = st.tuples(TEXTS, TEXTS, PARTS)
Asked = tuple[str, str, list[tuple[int, str, int]]]
# What mutations put into a document: all that means something in XML, and much that does not.
ODD = st.sampled_from(
    ["<", ">", "&", "&amp;", "&quot;", "&#65;", "&bad;", "]]>", "<!--x-->", "<![CDATA[x]]>", " ",
     "\n", "\r", "\t", "\0", "\ufffe", "é", "<a/>", "<Key>k</Key>", "</Key>", "x='1'", "7"]
)  # fmt: skip


def page(
    key: str, upload_id: str, parts: list[tuple[int, str, int]], *, whole: bool, ready: bool = False
) -> str:
    """Write a page of parts as S3 does; `ready`: the texts are XML already."""
    written = (lambda text: text) if ready else escape
    entries = "".join(
        f"<Part><PartNumber>{number}</PartNumber><LastModified>2026-11-01T00:00:00.000Z"
        f"</LastModified><ETag>&quot;{written(tag)}&quot;</ETag><Size>{size}</Size></Part>"
        for number, tag, size in parts
    )
    return (
        f'{HEAD}<ListPartsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Bucket>bucket</Bucket><Key>{written(key)}</Key><UploadId>{written(upload_id)}</UploadId>"
        "<Initiator><ID>someone</ID><DisplayName>Some One</DisplayName></Initiator>"
        "<StorageClass>STANDARD</StorageClass><PartNumberMarker>0</PartNumberMarker>"
        "<NextPartNumberMarker>0</NextPartNumberMarker>"
        f"<MaxParts>1000</MaxParts><IsTruncated>{str(not whole).lower()}</IsTruncated>"
        f"{entries}</ListPartsResult>"
    )


def parse(body: bytes) -> dict[str, Any]:
    """Read a page of parts as it is read without molds."""
    return s3_xml.read(body, s3_xml.PARTS)


def warmed() -> Molds:
    """Give molds that know pages of none to three parts."""
    molds = Molds(parse, s3_xml.kind_in_parts)
    for count in range(4):
        molds.read(page("key", "id", [(1, "tag", 5)] * count, whole=True).encode())
    return molds


def outcome(read: Callable[[bytes], object], body: bytes) -> object:
    """Give what came of reading, or which kind of error."""
    try:
        return read(body)
    except (ResponseParserError, ValueError) as error:
        return type(error)


@law
@given(PAGES)
def test_a_page_is_what_the_parser_says(asked: Asked) -> None:
    """Whatever the keys, the ids and the tags are."""
    body = page(*asked, whole=True).encode(errors="replace")

    assert outcome(parse, body) == outcome(warmed().read, body)


@law
@given(PAGES, st.integers(0, 10_000), ODD, st.integers(0, 12))
def test_a_damaged_page_is_what_the_parser_says(
    asked: Asked, where: int, odd: str, length: int
) -> None:
    """Something is put in, or in the place of something, anywhere at all."""
    text = page(*asked, whole=True)
    at = where % len(text)
    body = f"{text[:at]}{odd}{text[at + length :]}".encode(errors="replace")

    assert outcome(parse, body) == outcome(warmed().read, body)


@law
@given(PAGES, ODD, ODD)
def test_odd_texts_are_what_the_parser_says(asked: Asked, before: str, behind: str) -> None:
    """References and marks within a text mean what they mean to the parser."""
    _, _, parts = asked
    body = page(before, f"x{behind}", parts, whole=True, ready=True).encode()

    assert outcome(parse, body) == outcome(warmed().read, body)


@law
@given(PAGES)
def test_a_mold_is_as_good_as_its_document(asked: Asked) -> None:
    """One that was taken from any page reads another one right."""
    molds = Molds(parse, s3_xml.kind_in_parts)
    first = page(*asked, whole=True).encode(errors="replace")
    outcome(molds.read, first)
    second = page("another", "one", [(9, "t", 1)] * len(asked[2]), whole=False).encode()

    assert parse(second) == molds.read(second)


def test_a_document_that_fits_is_not_parsed() -> None:
    """That is what molds are for; what does not fit is parsed every time."""
    parsed = []

    def count(body: bytes) -> dict[str, Any]:
        parsed.append(body)
        return parse(body)

    molds = Molds(count, s3_xml.kind_in_parts)
    for number in range(100):
        molds.read(page(f"key-{number}", "id", [(1, "tag", number)], whole=True).encode())
    few = len(parsed)
    for number in range(10):
        molds.read(page("k&#65;", str(number), [(1, "tag", 1)], whole=True, ready=True).encode())

    assert 2 == few
    assert few + 10 == len(parsed)


@pytest.mark.parametrize(
    ("declaration", "learned"),
    [
        ("", True),
        ('<?xml version="1.0"?>', True),
        ("<?xml version='1.0' encoding='utf-8' standalone='yes'?>", True),
        ('\ufeff<?xml version="1.0" encoding="UTF-8"?>', True),
        ('<?xml version="1.0" encoding="ISO-8859-1"?>', False),
        ("<?xml version='1.0'\nencoding = 'windows-1252'?>", False),
        ('\ufeff<?xml version="1.0" encoding="UTF-16"?>', False),
        ('<?xml version="1.0" encoding=""?>', False),
    ],
)
def test_another_encoding_is_left_to_the_parser(declaration: str, learned: bool) -> None:  # noqa: FBT001  # a table
    """What its bytes mean is not for a mold to say."""
    parsed = []

    def read(body: bytes) -> dict[str, Any]:
        parsed.append(body)
        # Stands for one that takes whatever is declared.
        return parse(page("key", "id", [], whole=True).encode() if b"777" not in body else body)

    molds = Molds(read, s3_xml.kind_in_parts)
    body = page("key", "id", [], whole=True).replace(HEAD, declaration).encode()
    for _ in range(5):
        molds.read(body)

    # Learning asks the parser once more.
    assert (2 if learned else 5) == len(parsed)


def test_there_are_never_many_molds() -> None:
    """A store that writes every page in another way costs nothing but the parser."""
    molds = Molds(parse, s3_xml.kind_in_parts)
    bodies = [page("k", "i", [(1, "t", 1)] * count, whole=True).encode() for count in range(20)]
    for _ in range(2):
        assert [parse(body) for body in bodies] == [molds.read(body) for body in bodies]

    assert MOST == len(molds._known)  # noqa: SLF001  # nothing else tells


def test_long_documents_are_parsed() -> None:
    """A mold of hundreds of parts would fit nothing else."""
    molds = Molds(parse, s3_xml.kind_in_parts)
    body = page("k", "i", [(1, "t", 1)] * 100, whole=True).encode()

    assert len(body) > LONGEST
    assert parse(body) == molds.read(body)
    assert not molds._known  # noqa: SLF001  # nothing else tells


def test_errors_of_one_kind_keep_what_they_say_apart() -> None:
    """Code and message are each reply's own, however often the same kind of reply came."""
    told = [
        parse_error(
            Reply(
                404,
                {},
                f"{HEAD}<Error><Code>{code}</Code><Message>{code} &amp; so</Message>"
                f"<Key></Key><RequestId>{code}</RequestId></Error>".encode(),
            )
        )["Error"]
        for code in ("NoSuchUpload", "NoSuchBucket", "NoSuchUpload")
    ]

    assert [
        {"Code": code, "Message": f"{code} & so", "Key": None}
        for code in ("NoSuchUpload", "NoSuchBucket", "NoSuchUpload")
    ] == told
