from __future__ import annotations

import re
import unicodedata

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from support.report_samples import HOSTILE

from janitor.report.text import age, count, counted, instant, size, visible

any_text = st.text(st.characters(exclude_categories=()))
_ESCAPE = re.compile(
    r"\\(?:x[0-9a-f]{2}|u[0-9a-f]{4}|U[0-9a-f]{8}|[nrt\\])",
)


def _read_back(shown: str) -> str:
    return _ESCAPE.sub(lambda found: found[0].encode("ascii").decode("unicode_escape"), shown)


@given(any_text)
@example(HOSTILE)
@example("\\n\n\\\\x1b")
@example("\U000e0001\ufe0f\u200d\u3164\xad\xa0")
def test_whatever_is_shown_is_harmless(text: str) -> None:
    """Nothing that moves a cursor, turns the direction, ends a line or hides gets through."""
    forbidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}

    assert set() == forbidden & {unicodedata.category(character) for character in visible(text)}


@given(any_text)
@example(HOSTILE)
@example("\\n\n\\\\x1b\\u202e\u202e")
def test_different_texts_never_look_the_same(text: str) -> None:
    """What is shown can be read back, so that it stands for one text only."""
    assert text == _read_back(visible(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", ""),
        ("Movies/movie.mp4", "Movies/movie.mp4"),
        ("电影/🎬 été.mkv", "电影/🎬 été.mkv"),
        ("e\u0301", "e\u0301"),
        ("a\tb\r\nc\x00", r"a\tb\r\nc\x00"),
        ("\x1b[2J\x9b", r"\x1b[2J\x9b"),
        ("invoice\u202efdp.exe", r"invoice\u202efdp.exe"),
        ("a\u2028b\u2029c\x85", r"a\u2028b\u2029c\x85"),
        ("zero\u200bwidth\ufeff", r"zero\u200bwidth\ufeff"),
        ("\ud800", r"\ud800"),
        ("\u2764\ufe0f hangul\u3164filler", "\u2764" + r"\ufe0f hangul\u3164filler"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_texts_are_shown_as_they_are_unless_they_could_do_something(
    text: str, expected: str
) -> None:
    """Every script is shown as itself; only what acts or hides is escaped."""
    assert expected == visible(text)


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        (None, "?"),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1536 * 1024**2, "1.5 GiB"),
        (102_348, "99.9 KiB"),
        (102_349, "100 KiB"),
        (1024**2 - 513, "1023 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (1024**4, "1.0 TiB"),
        (5000 * 1024**6, "5000 EiB"),
    ],
)
def test_sizes_are_short_and_in_iec_units(number: int | None, expected: str) -> None:
    """At most eight characters, also where rounding reaches the next unit."""
    assert expected == size(number)


@given(st.integers(0, 9999 * 1024**6))
def test_no_size_is_wider_than_its_column(number: int) -> None:
    """Eight characters are enough for anything that exists."""
    assert len(size(number)) <= 8


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (None, "?"),
        (0, "0 s"),
        (119, "119 s"),
        (120, "2 min"),
        (7199, "119 min"),
        (26 * 3600, "26 h"),
        (2 * 86400 - 1, "47 h"),
        (9 * 86400 + 1, "9 d"),
        (5358 * 86400, "5,358 d"),
        (-26 * 3600, "-26 h"),
    ],
)
def test_ages_have_one_unit_and_never_look_older_than_they_are(
    seconds: int | None, expected: str
) -> None:
    """Rounded down, and unknown is neither nothing nor much."""
    assert expected == age(seconds)


def test_numbers_have_thousands_separators() -> None:
    """Whatever the locale."""
    assert ("4,980", "1 upload", "0 uploads", "1,000 uploads") == (
        count(4980),
        counted(1, "upload"),
        counted(0, "upload"),
        counted(1000, "upload"),
    )


def test_people_read_times_to_the_second() -> None:
    """With the zone, because nobody guesses it right."""
    assert "2026-11-20 05:00:00 UTC" == instant("2026-11-20T05:00:00.999Z")
