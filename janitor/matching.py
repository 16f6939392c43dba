"""Matches uploads against the `match` of a rule, in three values. Pure, and linear in time.

Every pattern runs on RE2, so no pattern and no key can make a match slow. An
answer is MAYBE where the upload's field is unknown or cannot be compared: the
policy then keeps unless every possible answer says abort.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import re2

from janitor.model import Upload

_FORMS: tuple[Literal["NFC", "NFD", "NFKC", "NFKD"], ...] = ("NFC", "NFD", "NFKC", "NFKD")


class PatternError(ValueError):
    """A glob or regular expression cannot be used; the message says why and what to write."""


class Ternary(Enum):
    """An answer that may be unknown."""

    NO = 0
    MAYBE = 1
    YES = 2


def glob_to_regex(glob: str) -> str:
    r"""Translate a glob into an anchored RE2 pattern.

    `*` is any run of characters but `/`, `**` any run, `**/` any number of
    whole folders (none too), `?` one character but `/`, `\` takes the next
    character as it is. `[` is refused, because half of the world reads it as
    a class and the other half as itself.
    """
    out = [r"(?s)\A"]
    position = 0
    while position < len(glob):
        at_segment_start = position == 0 or glob[position - 1] == "/"
        if at_segment_start and glob.startswith("**/", position):
            out.append("(?:.*/)?")
            position += 3
        elif glob.startswith("**", position):
            out.append(".*")
            position += 2
        elif glob[position] == "*":
            out.append("[^/]*")
            position += 1
        elif glob[position] == "?":
            out.append("[^/]")
            position += 1
        else:
            literal, width = _literal_at(glob, position)
            out.append(re2.escape(literal))
            position += width
    out.append(r"\z")
    return "".join(out)


def _literal_at(glob: str, position: int) -> tuple[str, int]:
    character = glob[position]
    if character == "[":
        msg = (
            r"character classes are not part of globs here: say \[ for a bracket, or use key_regex"
        )
        raise PatternError(msg)
    if character != "\\":
        return character, 1
    if position + 1 == len(glob):
        msg = r"ends with a lone backslash: say \\ for a backslash"
        raise PatternError(msg)
    return glob[position + 1], 2


@dataclass(frozen=True, slots=True)
class Pattern:
    """A glob, or a regular expression (`regex`, unanchored), compiled on RE2."""

    text: str
    regex: bool = False
    _exact: Any = field(init=False, repr=False, compare=False)
    _folded: tuple[Any, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Compile at once, so that a bad pattern is found when the config is read."""
        variants = {unicodedata.normalize(form, self.text): None for form in _FORMS}
        object.__setattr__(self, "_exact", self._compile(self.text))
        folded = tuple(self._compile(variant, "(?i)") for variant in variants)
        object.__setattr__(self, "_folded", folded)

    def _compile(self, text: str, flags: str = "") -> Any:
        options = re2.Options()
        options.log_errors = False
        try:
            return re2.compile(flags + (text if self.regex else glob_to_regex(text)), options)
        except (re2.error, UnicodeEncodeError) as error:
            msg = f"is not a pattern that RE2 understands ({_words(error)})"
            raise PatternError(msg) from error

    def test(self, value: str | None, *, over_protect: bool = False) -> Ternary:
        """Compare exactly, or (`over_protect`) across case and Unicode normal forms."""
        if value is None:
            return Ternary.MAYBE
        try:
            matches = self._over_protect(value) if over_protect else self._exact.search(value)
        except UnicodeEncodeError:  # a lone surrogate: RE2 works on UTF-8
            return Ternary.MAYBE
        return Ternary.YES if matches else Ternary.NO

    def _over_protect(self, value: str) -> bool:
        forms = {unicodedata.normalize(form, value): None for form in _FORMS}
        forms |= {form.casefold(): None for form in tuple(forms)}
        forms[value] = None
        return any(pattern.search(form) for pattern in self._folded for form in forms)


def _words(error: Exception) -> str:
    first = error.args[0] if error.args else error
    return first.decode(errors="replace") if isinstance(first, bytes) else str(first)


@dataclass(frozen=True, slots=True)
class Match:
    """The conditions of a rule; None means that the field does not matter. Sizes are in bytes."""

    target: Pattern | None = None
    provider: str | None = None
    container: Pattern | None = None
    key: Pattern | None = None
    key_regex: Pattern | None = None
    description: Pattern | None = None
    initiator: Pattern | None = None
    storage_class: Pattern | None = None
    larger_than: int | None = None
    smaller_than: int | None = None

    def test(self, upload: Upload, size: int | None, *, over_protect: bool = False) -> Ternary:
        """Answer whether all conditions hold; `size` None means that it is not known."""
        answers = list(self._answers(upload, size, over_protect=over_protect))
        return min(answers, key=lambda answer: answer.value, default=Ternary.YES)

    def _answers(
        self, upload: Upload, size: int | None, *, over_protect: bool
    ) -> Iterable[Ternary]:
        if self.provider is not None:
            yield Ternary.YES if self.provider == upload.where.provider else Ternary.NO
        if self.larger_than is not None:
            yield _compare(size is not None and size > self.larger_than, size)
        if self.smaller_than is not None:
            yield _compare(size is not None and size < self.smaller_than, size)
        # A provider without keys has none that could match.
        key = "" if upload.key is None else upload.key
        for pattern in (self.key, self.key_regex):
            if pattern is not None:
                no_key = upload.key is None
                yield Ternary.NO if no_key else pattern.test(key, over_protect=over_protect)
        for pattern, value in (
            (self.target, upload.where.target),
            (self.container, upload.where.container),
            (self.description, upload.description),
            (self.initiator, upload.initiator),
            (self.storage_class, upload.storage_class),
        ):
            if pattern is not None:
                yield pattern.test(value, over_protect=over_protect)


def _compare(holds: bool, size: int | None) -> Ternary:  # noqa: FBT001  # private, two lines above
    if size is None:
        return Ternary.MAYBE
    return Ternary.YES if holds else Ternary.NO
