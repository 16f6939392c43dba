"""Reads pages whose uploads all look alike in one go, and hands every other page back. Pure.

A parser calls Python for every element, and that is most of what it costs.
Here the first upload shows what one looks like, a regular expression made from
it takes all of them at once, and an XML parser reads the page without them.
Nothing is guessed: the expression must cover every character between the first
upload and the last one, its texts hold nothing that XML escapes or forbids,
and the parser must find an upload, empty, where they were taken out. Otherwise
the whole page goes to the parser.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.parsers import ResponseParserError

from janitor.wire.s3_xml import UPLOAD, UPLOADS, read

_BEGIN, _END = b"<Upload>", b"</Upload>"
_TEXT: Final = "[^<]*"
_TOKEN: Final = re.compile(rf"<(/?)([A-Za-z][A-Za-z0-9]*)>({_TEXT})")
# Two ways that uploads look are usual (with checksums and without), more are not.
_MOST_LOOKS: Final = 3
# References, the carriage return, which XML makes a line feed, and what it forbids.
_CHANGED: Final = b"&" + bytes(set(range(32)) - set(b"\t\n"))
_FORBIDDEN: Final = ("\ufffe".encode(), "\uffff".encode())

_NO_TOKEN: Final = ("", "", "")
_KEY, _ID = ("Key",), ("UploadId",)

Path = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What uploads look like: a pattern with a group for each text, and where each belongs."""

    pattern: str
    paths: tuple[tuple[str, ...], ...]


def read_uploads(body: bytes) -> dict[str, Any]:
    """Read a page of uploads; raises as `s3_xml.read`."""
    scanned = _scanned(body)
    return read(body, UPLOADS) if scanned is None else scanned


def _scanned(body: bytes) -> dict[str, Any] | None:
    begin, end = body.find(_BEGIN), body.rfind(_END) + len(_END)
    region = body[begin:end]
    if begin < 0 or not region or not _is_plain(region):
        return None
    try:
        rest = read(body[:begin] + b"<Upload/>" + body[end:], UPLOADS)
        uploads = _uploads(region.decode()) if rest.get("Uploads") == [{}] else None
    except (UnicodeDecodeError, ResponseParserError):
        return None
    return None if uploads is None else rest | {"Uploads": uploads}


def _is_plain(region: bytes) -> bool:
    """Whether nothing is in it that XML escapes, forbids or changes (but the end of a tag)."""
    if len(region.translate(None, _CHANGED)) != len(region):
        return False
    if b"]" in region and b"]]>" in region:
        return False
    return region.isascii() or not any(mark in region for mark in _FORBIDDEN)


def _uploads(region: str) -> list[dict[str, Any]] | None:
    """Read uploads that follow each other with nothing between them."""
    looks: list[Look] = []
    sample = region
    while sample and len(looks) < _MOST_LOOKS:
        look = _look_of(sample)
        if look is None:
            return None
        looks.append(look)
        pieces = re.split("|".join(look.pattern for look in looks), region)
        width = 1 + sum(len(look.paths) for look in looks)
        sample = next(filter(None, pieces[::width]), "")
    return None if sample else list(_entries(pieces, looks, width))


def _entries(pieces: Sequence[str], looks: Sequence[Look], width: int) -> Iterator[dict[str, Any]]:
    """Make the uploads from what the pattern split: a gap, the groups, a gap, and so on."""
    columns = iter([pieces[at::width] for at in range(1, width)])
    read_as = [_entries_of(dict(zip(look.paths, columns, strict=False))) for look in looks]
    if len(looks) == 1:
        yield from read_as[0]
        return
    # Every upload was taken by one alternative; the groups of the others are None.
    for candidates in zip(*read_as, strict=True):
        yield next(entry for entry in candidates if entry["UploadId"] is not None)


def _entries_of(columns: Mapping[Path, Sequence[str]]) -> list[dict[str, Any]]:
    own = {path[0]: texts for path, texts in columns.items() if len(path) == 1}
    entries: list[dict[str, Any]] = [
        dict(zip(own, texts, strict=True)) for texts in zip(*own.values(), strict=True)
    ]
    for person in dict.fromkeys(path[0] for path in columns if len(path) > 1):
        theirs = {path[1]: texts for path, texts in columns.items() if path[0] == person}
        for entry, texts in zip(entries, zip(*theirs.values(), strict=True), strict=True):
            entry[person] = dict(zip(theirs, texts, strict=True))
    return entries


def _look_of(sample: str) -> Look | None:
    """Learn what the upload at the beginning of a text looks like; None if it is not plain."""
    end = sample.find("</Upload>") + len(_END)
    tokens = _TOKEN.findall(sample, 0, end)
    if "".join([f"<{slash}{name}>{text}" for slash, name, text in tokens]) != sample[:end]:
        return None
    pattern, seen, paths, inside = "", [], [], [""]
    for (slash, name, text), (*closing, _) in zip(tokens, [*tokens[1:], _NO_TOKEN], strict=True):
        pattern += f"<{slash}{name}>"
        if slash and (inside.pop() != name or text):
            return None
        if slash:
            continue
        inside.append(name)
        seen.append(path := tuple(inside[2:]))
        if closing == ["/", name]:
            wanted = _kind_of(path) is str
            paths += [path] if wanted else []
            pattern += f"({_TEXT})" if wanted else _TEXT
        elif text or _kind_of(path) is str:
            return None
    told = {path[:1] for path in paths}
    empty = [path for path in seen[1:] if _kind_of(path) is not None and path[:1] not in told]
    plain = inside == [""] and len(set(seen)) == len(seen) and {_KEY, _ID} <= set(paths)
    return Look(pattern, tuple(paths)) if plain and not empty else None


def _kind_of(path: Path) -> Any:
    """Give what the table of an upload says about an element, None where it says nothing."""
    table: Any = UPLOAD
    for name in path:
        table = table.get(name) if isinstance(table, Mapping) else None
    return table
