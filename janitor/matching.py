"""Matches uploads against the `match` of a rule, in three values. Pure, and linear in time.

Every pattern runs on RE2, so no pattern and no key can make a match slow. An
answer is MAYBE where the upload's field is unknown or cannot be compared: the
policy then keeps unless every possible answer says abort.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import Any

import re2

from janitor.model import Upload

_NOT_ASCII = re.compile(r"[^\x00-\x7f]+")
_WILDCARDS = (("**/", "(?:.*/)?"), ("**", ".*"), ("*", "[^/]*"), ("?", "[^/]"))


def _folded(text: str) -> str:
    """Fold away case and compatibility forms, as Unicode's definition D146 says."""
    if text.isascii():  # the pattern's own (?i) does this
        return text
    once = unicodedata.normalize("NFD", text).casefold()
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", once).casefold())


def _folded_and_composed(text: str) -> str:
    return unicodedata.normalize("NFC", _folded(text))


# A protect rule must hold for every way to write the same text.
_SPELLINGS: tuple[Callable[[str], str], ...] = (
    str,
    partial(unicodedata.normalize, "NFC"),
    partial(unicodedata.normalize, "NFD"),
    partial(unicodedata.normalize, "NFKC"),
    partial(unicodedata.normalize, "NFKD"),
    _folded,
    _folded_and_composed,
)


class PatternError(ValueError):
    """A glob or regular expression cannot be used; the message says why and what to write."""


class Ternary(Enum):
    """An answer that may be unknown."""

    NO = 0
    MAYBE = 1
    YES = 2


def glob_to_regex(glob: str, spell: Callable[[str], str] = str) -> str:
    r"""Translate a glob into an anchored RE2 pattern.

    `*` is any run of characters but `/`, `**` any run, `**/` any number of
    whole folders (none too), `?` one character but `/`, `\` takes the next
    character as it is. `[` is refused, because half of the world reads it as
    a class and the other half as itself. `spell` respells what is literal.
    """
    out = [r"(?s)\A"]
    literals = ""
    position = 0
    while position < len(glob):
        wildcard, regex = _wildcard_at(glob, position)
        if wildcard:
            out += [re2.escape(spell(literals)), regex]
            literals = ""
            position += len(wildcard)
        else:
            literal, width = _literal_at(glob, position)
            literals += literal
            position += width
    out += [re2.escape(spell(literals)), r"\z"]
    return "".join(out)


def _wildcard_at(glob: str, position: int) -> tuple[str, str]:
    at_segment_start = position == 0 or glob[position - 1] == "/"
    for wildcard, regex in _WILDCARDS:
        if glob.startswith(wildcard, position) and (at_segment_start or wildcard != "**/"):
            return wildcard, regex
    return "", ""


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
        try:
            object.__setattr__(self, "_exact", _compile(self._spelled(str)))
            object.__setattr__(self, "_folded", tuple(self._variants()))
        except (re2.error, UnicodeEncodeError) as error:
            msg = f"is not a pattern that RE2 understands ({_words(error)})"
            raise PatternError(msg) from error

    def _spelled(self, spell: Callable[[str], str]) -> str:
        # Only literals are respelled: NFKC makes wildcards of full-width stars.
        if not self.regex:
            return glob_to_regex(self.text, spell)
        return _NOT_ASCII.sub(lambda found: re2.escape(spell(found[0])), self.text)

    def _variants(self) -> list[Any]:
        compiled = []
        for spelled in {self._spelled(spell): None for spell in _SPELLINGS}:
            try:
                compiled.append(_compile("(?i)" + spelled))
            except re2.error:
                # A range such as [à-ü] does not survive every spelling; the
                # text as it is and the spellings of the value remain.
                if not self.regex or spelled == self.text:
                    raise
        return compiled

    def test(self, value: str | None, *, over_protect: bool = False) -> Ternary:
        """Compare exactly, or (`over_protect`) across case and Unicode normal forms as well."""
        if value is None:
            return Ternary.MAYBE
        try:
            # Ignoring case can also lose a match: of "A" with [^a].
            matches = self._exact.search(value) or (over_protect and self._over_protect(value))
        except UnicodeEncodeError:  # a lone surrogate: RE2 works on UTF-8
            return Ternary.MAYBE
        return Ternary.YES if matches else Ternary.NO

    def _over_protect(self, value: str) -> bool:
        forms = {spell(value): None for spell in _SPELLINGS}
        return any(pattern.search(form) for pattern in self._folded for form in forms)


def _compile(regex: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(regex, options)


def _words(error: Exception) -> str:
    first = error.args[0]
    return first.decode(errors="replace") if isinstance(first, bytes) else str(error)


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
        for pattern in (self.key, self.key_regex):
            if pattern is not None and upload.key is None:
                yield Ternary.NO  # a provider without keys has none that could match
            elif pattern is not None:
                yield pattern.test(upload.key, over_protect=over_protect)
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
