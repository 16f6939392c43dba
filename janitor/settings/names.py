"""Names of vaults and buckets, and globs of them: what cannot match is a mistake."""

from __future__ import annotations

import re
from dataclasses import dataclass

_ARN = re.compile(
    r"arn:aws[a-z-]*:s3:[a-z0-9-]*:[0-9]{12}:accesspoint[/:][A-Za-z0-9.-]{1,63}"
    r"|arn:aws[a-z-]*:s3-outposts:[a-z0-9-]+:[0-9]{12}"
    r":outpost[/:][A-Za-z0-9-]{1,63}[/:]accesspoint[/:][A-Za-z0-9-]{1,63}"
)


@dataclass(frozen=True, slots=True)
class Naming:
    """How one provider names its containers."""

    kind: str
    characters: str
    described: str
    shortest: int
    longest: int
    alphanumeric_edges: bool = False
    arns: bool = False


NAMINGS = {
    "glacier": Naming("vault", r"A-Za-z0-9_.\-", "letters, digits, _ . and -", 1, 255),
    "qingstor": Naming(
        "bucket",
        r"a-z0-9.\-",
        "lower-case letters, digits, . and -",
        3,
        63,
        alphanumeric_edges=True,
    ),
    "s3": Naming(
        "bucket",
        r"a-z0-9.\-",
        "lower-case letters, digits, . and -",
        3,
        63,
        alphanumeric_edges=True,
        arns=True,
    ),
}
# Compatible stores follow S3's older, wider rules.
COMPATIBLE = Naming("bucket", r"A-Za-z0-9_.\-", "letters, digits, _ . and -", 1, 255, arns=True)


def objection(name: str, naming: Naming) -> str | None:
    """Say why a name or glob can match no container, and what to write; None if it can."""
    if name.startswith("arn:") and naming.arns:
        return None if _ARN.fullmatch(name) else _ARN_REMEDY
    return (
        _wrong_language(name, naming)
        or _wrong_characters(name, naming)
        or _wrong_length(name, naming)
        or _wrong_edges(name, naming)
    )


_ARN_REMEDY = (
    "is not the ARN of an access point: say it in full and without globs, "
    "as arn:aws:s3:eu-west-1:012345678901:accesspoint/name"
)


def _wrong_language(name: str, naming: Naming) -> str | None:
    if "/" in name:
        return f"must be the {naming.kind}'s name alone, without s3:// and without folders"
    if re.search(r"[\[\]{},!\\]", name):
        return "is not a glob that is known here: say * and ? only, and one entry for each name"
    return None


def _wrong_characters(name: str, naming: Naming) -> str | None:
    if re.fullmatch(f"[{naming.characters}*?]+", name):
        return None
    if "A-Z" not in naming.characters and re.fullmatch(f"[{naming.characters}A-Z*?]+", name):
        return f"can match no {naming.kind}: names have no upper case, say it in lower case"
    return f"can match no {naming.kind}: say a name of {naming.described}"


def _wrong_length(name: str, naming: Naming) -> str | None:
    least = len(name.replace("*", ""))
    if least > naming.longest:
        return f"can match no {naming.kind}: say a name of at most {naming.longest} characters"
    if "*" not in name and least < naming.shortest:
        return f"can match no {naming.kind}: say a name of at least {naming.shortest} characters"
    return None


def _wrong_edges(name: str, naming: Naming) -> str | None:
    if naming.alphanumeric_edges and not re.fullmatch(r"[a-z0-9*?](.*[a-z0-9*?])?", name):
        return f"can match no {naming.kind}: say a name with a letter or a digit at both ends"
    return None
