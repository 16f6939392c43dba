"""Shows texts and quantities to people. Pure; whatever a provider sent is made harmless here."""

from __future__ import annotations

# Printable to Unicode, but nothing can be seen: two keys would look the same.
_UNSEEN = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB")
_KIBI = 1024
_THREE_DIGITS = 99.95  # from here on, one decimal would be a fourth digit
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def visible(text: str) -> str:
    r"""Write a text so that it can be read, and do nothing else, on any terminal.

    Control characters, terminal escapes, text direction marks, line separators,
    lone surrogates and characters that cannot be seen become Python's escapes
    (`\x1b`, `\u202e`), and a backslash is doubled: different texts never look
    the same.
    """
    if text.isascii() and text.isprintable() and "\\" not in text:
        return text
    return "".join(map(shown, text))


def shown(character: str) -> str:
    """Write one character as `visible` does."""
    if character.isprintable() and character != "\\" and character not in _UNSEEN:
        return character
    return character.encode("unicode_escape").decode("ascii")


def count(number: int) -> str:
    """Write a number with thousands separators, the same in every locale."""
    return f"{number:,}"


def counted(number: int, noun: str) -> str:
    """Write how many there are of something whose plural takes an s."""
    return f"{count(number)} {noun}" if number == 1 else f"{count(number)} {noun}s"


def size(number: int | None) -> str:
    """Write bytes in IEC units and at most eight characters (1.5 GiB); ? where unknown."""
    if number is None:
        return "?"
    if number < _KIBI:
        return f"{number} B"
    value, unit = float(number), 0
    # By the rounded value, or 1,023.99 MiB would become 1024 MiB.
    while round(value) >= _KIBI and unit < len(_SIZES) - 1:
        value, unit = value / _KIBI, unit + 1
    digits = f"{value:.1f}" if value < _THREE_DIGITS else f"{value:.0f}"
    return f"{digits} {_SIZES[unit]}"


def age(seconds: int | None) -> str:
    """Write an age in one unit of time, rounded down (9 d, 26 h); ? where unknown.

    Each unit is used from two on. An age below zero, of a date in the future,
    keeps its sign.
    """
    if seconds is None:
        return "?"
    amount, sign = abs(seconds), "-" if seconds < 0 else ""
    for length, unit in ((_DAY, "d"), (_HOUR, "h"), (_MINUTE, "min")):
        if amount >= 2 * length:
            return f"{sign}{count(amount // length)} {unit}"
    return f"{sign}{amount} s"


def instant(iso: str) -> str:
    """Write a time of a report, which is ISO 8601 in UTC, for people and to the second."""
    return f"{iso[:10]} {iso[11:19]} UTC"
