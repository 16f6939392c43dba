"""Writes XML the way S3 does, unparsable keys included. Pure."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import quote_plus

from janitor.sandbox.wire import Reply, bytes_of

S3_NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"
STS_NAMESPACE: Final = "https://sts.amazonaws.com/doc/2011-06-15/"

_NAMED: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;"}
_SPECIAL: Final = re.compile('[&<>"\x00-\x08\x0b-\x1f\ufffe\uffff]')


def escape(text: str) -> str:
    """Escape for XML; what XML cannot hold becomes a reference that no parser accepts."""
    return _SPECIAL.sub(lambda found: _NAMED.get(found[0]) or f"&#{ord(found[0])};", text)


def leaf(name: str, text: object) -> str:
    """Write `<name>text</name>`."""
    return f"<{name}>{escape(str(text))}</{name}>"


def tree(name: str, *children: str, namespace: str = "") -> str:
    """Write an element around others."""
    opening = f'{name} xmlns="{namespace}"' if namespace else name
    return f"<{opening}>{''.join(children)}</{name}>"


def document(name: str, *children: str, namespace: str = S3_NAMESPACE, status: int = 200) -> Reply:
    """Reply with a whole document."""
    text = '<?xml version="1.0" encoding="UTF-8"?>\n' + tree(name, *children, namespace=namespace)
    return Reply(status, {"Content-Type": "application/xml"}, bytes_of(text))


def url_encoded(text: str) -> str:
    """Encode as S3 does for `encoding-type=url`: space is '+', '/' and '*' stay."""
    return quote_plus(bytes_of(text), safe="/*").replace("~", "%7E")
