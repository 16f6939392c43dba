"""Reads pages whose uploads all look alike in one go, and hands every other page back. Pure.

A parser calls Python for every element, and that is most of what it costs.
Here the first upload shows what one looks like. Mostly all others differ from
it in their keys, ids and dates only, so what stands between those is the same
text again and again, at which the page is taken apart. Where they differ in
more, a regular expression made from the first one takes all of them at once.
An XML parser reads the page without them.

Nothing is guessed: every character between the first upload and the last one
is accounted for, their texts hold nothing that XML escapes or forbids, and the
parser must find an upload, empty, where they were taken out. Otherwise the
whole page goes to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.parsers import ResponseParserError

from janitor.wire.s3_rows import Rows
from janitor.wire.s3_xml import UPLOAD, UPLOADS, read

_BEGIN, _END = b"<Upload>", b"</Upload>"
_TEXT: Final = "[^<]*"
_TOKEN: Final = re.compile(rf"<(/?)([A-Za-z][A-Za-z0-9]*)>({_TEXT})")
# Two ways that uploads look are usual (with checksums and without), more are not.
_MOST_LOOKS: Final = 3
# References, the carriage return, which XML makes a line feed, and what it forbids.
_CHANGED: Final = b"&" + bytes(set(range(32)) - set(b"\t\n"))
_FORBIDDEN: Final = ("\ufffe".encode(), "\uffff".encode())
# What may be in a text.
_PLAIN: Final = bytes(set(range(256)) - set(_CHANGED + b"<"))
# They stand for what is between two texts; in XML they cannot be.
_MARKS: Final = (b"\x01", b"\x02", b"\x03")

_LONG: Final = 64

_NO_TOKEN: Final = ("", "", "")
_KEY, _ID, _DATE = ("Key",), ("UploadId",), ("Initiated",)
_CLASS, _INITIATOR = ("StorageClass",), ("Initiator", "ID")
# In these uploads that look alike differ.
_VARYING: Final = frozenset({_KEY, _ID, _DATE})
_COLUMNS: Final = (_KEY, _ID, _DATE, _CLASS, _INITIATOR)

Path = tuple[str, ...]
Entries = Sequence[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Look:
    """What uploads look like, as one of them showed it.

    `pattern` has a group for the text of each of `paths`; in that upload they
    were `texts`. `frame` is what was before, between and behind the texts of
    `varying`.
    """

    pattern: str
    paths: tuple[Path, ...]
    texts: tuple[str, ...]
    varying: tuple[Path, ...]
    frame: tuple[str, ...]


def read_uploads(body: bytes) -> dict[str, Any]:
    """Read a page of uploads, which may come as `Rows`; raises as `s3_xml.read`."""
    scanned = _scanned(body)
    return read(body, UPLOADS) if scanned is None else scanned


def _scanned(body: bytes) -> dict[str, Any] | None:
    begin, end = body.find(_BEGIN), body.rfind(_END) + len(_END)
    region = body[begin:end]
    if begin < 0 or not region:
        return None
    try:
        uploads = _uploads(region)
        if uploads is None:
            return None
        rest = read(body[:begin] + b"<Upload/>" + body[end:], UPLOADS)
    except (UnicodeDecodeError, ResponseParserError):
        return None
    return rest | {"Uploads": uploads} if rest.get("Uploads") == [{}] else None


def _uploads(region: bytes) -> Entries | None:
    """Read uploads that follow each other with nothing between them."""
    first = region[: region.find(_END) + len(_END)]
    look = _look_of(first.decode()) if _is_plain(first) else None
    if look is None:
        return None
    rows = _taken_apart(region, look)
    if rows is None and _is_plain(region):
        return _matched(region.decode(), look)
    return rows


def _is_plain(region: bytes) -> bool:
    """Whether nothing is in it that XML escapes, forbids or changes (but the end of a tag)."""
    if len(region.translate(None, _CHANGED)) != len(region):
        return False
    return _has_plain_ends(region)


def _has_plain_ends(region: bytes) -> bool:
    if b"]" in region and b"]]>" in region:
        return False
    return region.isascii() or not any(mark in region for mark in _FORBIDDEN)


def _taken_apart(region: bytes, look: Look) -> Rows | None:
    """Read uploads that differ in keys, ids and dates only; None if they differ in more.

    What stands between two of these is replaced by a mark. Then nothing but
    plain text must be left between the marks, which must come in their turns.
    """
    head, *between, tail = (text.encode() for text in look.frame)
    marks = _MARKS[: len(look.varying)]
    if not region.endswith(tail) or any(mark in region for mark in marks):
        return None
    rest = region[len(head) : len(region) - len(tail)]
    frame = zip(marks, [*between, tail + head], strict=True)
    for mark, text in sorted(frame, key=lambda item: -len(item[1])):
        rest = _replaced(rest, text, mark)
    found = rest.translate(None, _PLAIN) + marks[-1]
    count = len(found) // len(marks)
    if found != b"".join(marks) * count or not _has_plain_ends(rest):
        return None
    for mark in marks[1:]:
        rest = rest.replace(mark, marks[0])
    texts = rest.decode().split(marks[0].decode())
    same = {path: [text] * count for path, text in zip(look.paths, look.texts, strict=True)}
    return _rows(same | {path: texts[at :: len(marks)] for at, path in enumerate(look.varying)})


def _replaced(whole: bytes, text: bytes, mark: bytes) -> bytes:
    if len(text) < _LONG:
        return whole.replace(text, mark)
    # It is found sooner by its first tag.
    tag = text[: text.index(b">") + 1]
    return mark.join([piece.removeprefix(text[len(tag) :]) for piece in whole.split(tag)])


def _rows(columns: Mapping[Path, Sequence[str]]) -> Rows:
    keys, ids, *others = map(columns.get, _COLUMNS)
    assert keys is not None  # noqa: S101  # for mypy: every look has both
    assert ids is not None  # noqa: S101  # the same
    return Rows(keys, ids, *others)


def _matched(region: str, look: Look) -> Entries | None:
    """Read uploads that differ in any of their texts, and look like one of a few of them."""
    looks = [look]
    while True:
        pieces = re.split("|".join(look.pattern for look in looks), region)
        width = 1 + sum(len(look.paths) for look in looks)
        sample = next(filter(None, pieces[::width]), "")
        another = _look_of(sample) if sample and len(looks) < _MOST_LOOKS else None
        if another is None:
            break
        looks.append(another)
    columns = [pieces[at::width] for at in range(1, width)]
    if sample:
        return None
    if len(looks) == 1:
        return _rows(dict(zip(look.paths, columns, strict=True)))
    return list(_entries(columns, looks))


def _entries(columns: Sequence[Sequence[str]], looks: Sequence[Look]) -> Iterator[dict[str, Any]]:
    """Give the uploads; each was taken by one look, and the texts of the others are None."""
    left = iter(columns)
    read_as = [_rows(dict(zip(look.paths, left, strict=False))) for look in looks]
    for candidates in zip(*read_as, strict=True):
        yield next(entry for entry in candidates if entry["UploadId"] is not None)


def _look_of(sample: str) -> Look | None:
    """Learn what the upload at the beginning of a text looks like; None if it is not plain."""
    end = sample.find("</Upload>") + len(_END)
    tokens = _TOKEN.findall(sample, 0, end)
    if "".join([f"<{slash}{name}>{text}" for slash, name, text in tokens]) != sample[:end]:
        return None
    texts: dict[Path, str] = {}
    pattern, seen, inside, frame = "", [], [""], [""]
    for (slash, name, text), (*closing, _) in zip(tokens, [*tokens[1:], _NO_TOKEN], strict=True):
        pattern += f"<{slash}{name}>"
        frame[-1] += f"<{slash}{name}>"
        if slash and (inside.pop() != name or text):
            return None
        if slash:
            continue
        inside.append(name)
        seen.append(path := tuple(inside[2:]))
        if closing == ["/", name]:
            wanted = _kind_of(path) is str
            texts |= {path: text} if wanted else {}
            pattern += f"({_TEXT})" if wanted else _TEXT
            frame += [""] if path in _VARYING else []
            frame[-1] += "" if path in _VARYING else text
        elif text or _kind_of(path) is str:
            return None
    told = {path[:1] for path in texts}
    empty = [path for path in seen[1:] if _kind_of(path) is not None and path[:1] not in told]
    plain = inside == [""] and len(set(seen)) == len(seen) and {_KEY, _ID} <= texts.keys()
    varying = tuple(path for path in texts if path in _VARYING)
    look = Look(pattern, tuple(texts), tuple(texts.values()), varying, tuple(frame))
    return look if plain and not empty else None


def _kind_of(path: Path) -> Any:
    """Give what the table of an upload says about an element, None where it says nothing."""
    table: Any = UPLOAD
    for name in path:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table
