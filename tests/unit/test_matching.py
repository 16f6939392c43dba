# ruff: noqa: RUF001  # letters that look alike are what over-protection is about
# expected == actual, in this order everywhere
from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from typing import Any

import pytest
import re2
from hypothesis import example, given
from hypothesis import strategies as st
from support.strategies import ARCHIVE, LAKE, MEDIA, law, upload_of

from janitor.matching import Match, Pattern, PatternError, Ternary, glob_to_regex
from janitor.model import ContainerRef, Upload

NO, MAYBE, YES = Ternary.NO, Ternary.MAYBE, Ternary.YES

GLOBS = [
    ("**/__magic/**", "__magic/job/x", YES),
    ("**/__magic/**", "t/__magic/job/x", YES),
    ("**/__magic/**", "a/b/c/__magic/x", YES),
    ("**/__magic/**", "__magic/", YES),
    ("**/__magic/**", "t/__magic", NO),
    ("**/__magic/**", "not__magic/x", NO),
    ("**/__magic/**", "t/__MAGIC/x", NO),
    ("backup/**", "backup/x", YES),
    ("backup/**", "backup/a/b", YES),
    ("backup/**", "backup/", YES),
    ("backup/**", "backup", NO),
    ("backup/**", "old/backup/x", NO),
    ("*", "", YES),
    ("*", "a", YES),
    ("*", "a/b", NO),
    ("*", "a\nb", YES),
    ("*/*", "a/b", YES),
    ("*/*", "a/b/c", NO),
    ("a*", "ab", YES),
    ("a*", "a/b", NO),
    ("a*c", "ac", YES),
    ("**", "", YES),
    ("**", "a/b\n\x00c", YES),
    ("**/x", "x", YES),
    ("**/x", "/x", YES),
    ("**/x", "a/b/x", YES),
    ("**/x", "ax", NO),
    ("**/**/x", "x", YES),
    ("a/**/b", "a/b", YES),
    ("a/**/b", "a/x/y/b", YES),
    ("a/**/b", "a/xb", NO),
    ("a**/b", "a/b", YES),
    ("a**/b", "axx/y/b", YES),
    ("a**/b", "ab", NO),
    ("***/b", "b", NO),
    ("***/b", "x/y/b", YES),
    ("?", "a", YES),
    ("?", "é", YES),
    ("?", "𝄞", YES),
    ("?", "\n", YES),
    ("?", "\x00", YES),
    ("?", "", NO),
    ("?", "/", NO),
    ("?", "ab", NO),
    (r"\*", "*", YES),
    (r"\*", "a", NO),
    (r"\?", "?", YES),
    (r"\?", "a", NO),
    (r"\[a\]", "[a]", YES),
    (r"\[a]", "[a]", YES),
    ("a]", "a]", YES),
    (r"\\", "\\", YES),
    (r"\a", "a", YES),
    (r"\/**/x", "/x", YES),
    ("a.b", "a.b", YES),
    ("a.b", "axb", NO),
    ("(a|b)+$", "(a|b)+$", YES),
    ("{a,b}", "a", NO),
    ("^a", "a", NO),
    ("a", "a\n", NO),
    ("a", "\na", NO),
    ("a\nb", "a\nb", YES),
    ("a\x00b", "a\x00b", YES),
    ("a\x00b", "ab", NO),
    ("", "", YES),
    ("", "a", NO),
    ("A", "a", NO),
    ("é", "e\u0301", NO),
    ("*", "k\ud800", MAYBE),
    ("*", None, MAYBE),
]

CLASSES = r"character classes are not part of globs here: say \[ for a bracket, or use key_regex"
BACKSLASH = r"ends with a lone backslash: say \\ for a backslash"
SURROGATE = (
    "is not a pattern that RE2 understands"
    r" ('utf-8' codec can't encode character '\ud800' in position 1: surrogates not allowed)"
)
BROKEN = {
    "[": CLASSES,
    "a[bc]": CLASSES,
    "\\": BACKSLASH,
    "a\\\\\\": BACKSLASH,
    "k\ud800": SURROGATE,
}
BROKEN_REGEXES = {
    "(": r"is not a pattern that RE2 understands (missing ): ()",
    "[z-a]": r"is not a pattern that RE2 understands (invalid character class range: z-a)",
    "(?=a)": r"is not a pattern that RE2 understands (invalid perl operator: (?=)",
    r"(a)\1": r"is not a pattern that RE2 understands (invalid escape sequence: \1)",
    "a{1001}": r"is not a pattern that RE2 understands (invalid repetition size: {1001})",
    "((a{999}){999}){999}": "is not a pattern that RE2 understands (",
    "é(": r"is not a pattern that RE2 understands (missing ): é()",
    "k\ud800": "is not a pattern that RE2 understands ('utf-8' codec can't encode ",
}

# The same text to somebody who wants it protected.
SAME = [
    ("backup/**", "BACKUP/x"),
    ("BACKUP/**", "backup/x"),
    ("é", "e\u0301"),
    ("e\u0301", "é"),
    ("É", "e\u0301"),
    ("e\u0301", "É"),
    ("?", "e\u0301"),
    ("ﬁle", "file"),
    ("ﬁle", "FILE"),
    ("file", "ﬁle"),
    ("FILE", "ﬁle"),
    ("straße", "STRASSE"),
    ("STRASSE", "straße"),
    ("straẞe", "strasse"),
    ("İzmir", "i\u0307zmir"),
    ("i\u0307zmir", "İzmir"),
    ("İ*", "i\u0307zmir"),
    ("ΣΊΣΥΦΟΣ", "σίσυφος"),
    ("σίσυφος", "ΣΊΣΥΦΟΣ"),
    ("ᾳ", "ΑΙ"),
    ("\u0345\u0301", "\u0301ι"),
    ("Å", "a\u030a"),
    ("\u212b", "å"),
    ("\u212a", "k"),
    ("①", "1"),
    ("ａｂｃ", "ABC"),
    ("abc", "ＡＢＣ"),
    ("한", "\u1112\u1161\u11ab"),
    ("a\u0323\u0307", "a\u0307\u0323"),
    ("\u0344?", "\u0344\u0323"),
    ("\u0344?A", "\u0344\u0323a"),
    ("ss?", "ße\u0301"),
    ("ßẹ*", "SSỆ"),
    ("é*", "E\u0301/"[:-1] + "x"),
    ("**/Ünïcode/**", "a/U\u0308NI\u0308CODE/b"),
]


@pytest.mark.parametrize(("glob", "key", "expected"), GLOBS)
def test_a_glob_means_what_the_docstring_says(
    glob: str, key: str | None, expected: Ternary
) -> None:
    """Stars stop at slashes, double stars do not, and everything else is itself."""
    assert expected is Pattern(glob).test(key)


@pytest.mark.parametrize(("glob", "sentence"), BROKEN.items())
def test_a_broken_glob_says_why_and_what_to_write(glob: str, sentence: str) -> None:
    """A glob that two readers would read differently is refused when the config is read."""
    with pytest.raises(PatternError, match=f"^{re.escape(sentence)}$"):
        Pattern(glob)


@pytest.mark.parametrize(("regex", "sentence"), BROKEN_REGEXES.items())
def test_a_broken_regular_expression_says_why(regex: str, sentence: str) -> None:
    """RE2's own words reach the operator, as text."""
    with pytest.raises(PatternError, match=f"^{re.escape(sentence)}"):
        Pattern(regex, regex=True)


def test_a_glob_that_grows_too_large_in_another_form_is_refused() -> None:
    """What would hold in some spellings only is no protection: the config's author is told."""
    # One letter, and eighteen in its compatibility form.
    glob = "*" + "\N{ARABIC LIGATURE SALLALLAHOU ALAYHE WASALLAM}" * 40_000

    with pytest.raises(PatternError, match=r"^is not a pattern .* \(pattern too large"):
        Pattern(glob)


def test_a_regular_expression_that_grows_too_large_without_case_is_refused() -> None:
    """Ignoring case must not fail in silence: the config's author is told."""
    # To RE2 a k is a K and a Kelvin sign too.
    regex = "(?:" + "k" * 200 + "){1000}"

    with pytest.raises(PatternError, match=r"^is not a pattern .* \(pattern too large"):
        Pattern(regex, regex=True)


def test_a_glob_is_anchored_and_a_regular_expression_is_not() -> None:
    """`b` as a glob is the key "b"; as a regular expression it is any key with a b."""
    assert (NO, YES) == (Pattern("b").test("abc"), Pattern("b", regex=True).test("abc"))


def test_a_translated_glob_is_plain_to_read() -> None:
    """What RE2 gets can be shown to a person who wonders why a key matched."""
    assert glob_to_regex(r"**/a.b/*\*?") == r"(?s)\A(?:.*/)?a\.b\/[^/]*\*[^/]\z"


def _fits(glob: str, text: str, *, at_start: bool = True) -> bool:
    """Match as a child would: by trying every way to cut the text."""
    if not glob:
        return not text
    tails = [text[cut:] for cut in range(len(text) + 1)]
    if at_start and glob.startswith("**/"):
        folders = [tail for tail in tails[1:] if text[: -len(tail) or None].endswith("/")]
        return any(_fits(glob[3:], rest) for rest in [text, *folders])
    if glob.startswith("**"):
        return any(_fits(glob[2:], tail, at_start=False) for tail in tails)
    if glob.startswith("*"):
        within = [tail for tail in tails if "/" not in text[: len(text) - len(tail)]]
        return any(_fits(glob[1:], tail, at_start=False) for tail in within)
    if glob.startswith("?"):
        return text[:1] not in ("", "/") and _fits(glob[1:], text[1:], at_start=False)
    literal, rest = (glob[1], glob[2:]) if glob[0] == "\\" else (glob[0], glob[1:])
    return text[:1] == literal and _fits(rest, text[1:], at_start=literal == "/")


_pieces = st.sampled_from(["a", "/", "/", "**", "**/", "*", "?", r"\*", r"\\", ".", "é", "\n"])


@law
@given(
    st.lists(_pieces, max_size=6).map("".join),
    st.text(st.sampled_from("aaa//*\\.é\n"), max_size=7),
)
@example("**/", "")
@example("**/", "a/")
@example("a/**/**/a", "a/a")
@example("***/a", "a")
@example("****", "a/a")
def test_two_matchers_agree_on_every_glob(glob: str, text: str) -> None:
    """A matcher that shares nothing with ours, not even regular expressions, says the same."""
    assert _fits(glob, text) is (Pattern(glob).test(text) is YES)


def _as_glob(text: str) -> str:
    return re.sub(r"([*?\[\\])", r"\\\1", text)


@law
@given(st.text(max_size=20))
@example("a*b?[c]\\")
@example("\x00\n")
@example("＊［＼")
def test_an_escaped_text_matches_itself(text: str) -> None:
    """Every key can be named exactly."""
    pattern = Pattern(_as_glob(text))

    assert (YES, YES) == (pattern.test(text), pattern.test(text, over_protect=True))


@pytest.mark.parametrize(
    ("text", "regex", "key"),
    [
        ("(a+)+$", True, "a" * 100_000 + "!"),
        ("(a|a)*b", True, "a" * 100_000),
        ("(.*)(.*)(.*)(.*)(.*)x$", True, "a" * 100_000),
        ("*a" * 50, False, "a" * 49 + "b" * 100_000),
        ("**/" * 50 + "x", False, "a/" * 50_000),
    ],
)
def test_a_hostile_pattern_on_a_huge_key_is_answered(text: str, regex: bool, key: str) -> None:  # noqa: FBT001  # a column
    """What takes a backtracking matcher longer than the universe lasts is an ordinary no."""
    pattern = Pattern(text, regex=regex)

    assert (NO, NO) == (pattern.test(key), pattern.test(key, over_protect=True))


@pytest.mark.parametrize(("glob", "key"), SAME)
def test_protection_holds_across_case_and_unicode_forms(glob: str, key: str) -> None:
    """A key that looks the same to a person is protected, however it is written."""
    assert Pattern(glob).test(key, over_protect=True) is YES


@pytest.mark.parametrize(("text", "key"), [(glob, key) for glob, key in SAME if "*" not in glob])
def test_regular_expressions_protect_across_forms_as_globs_do(text: str, key: str) -> None:
    """Which of the two an operator writes makes no difference to protection."""
    pattern = Pattern("^" + text.replace("?", ".") + "$", regex=True)

    assert pattern.test(key, over_protect=True) is YES


@pytest.mark.parametrize(
    ("glob", "key"), [pair for pair in SAME if pair[0] not in {"?", "\u0344?"}]
)
def test_without_over_protection_a_form_is_just_another_text(glob: str, key: str) -> None:
    """Thresholds change for exactly the keys that the rule names."""
    assert Pattern(glob).test(key) is NO


@pytest.mark.parametrize(
    ("glob", "key"), [("a", "b"), ("é", "e"), ("i", "ı"), ("＊", "anything"), ("？", "x")]
)
def test_protection_does_not_reach_other_texts(glob: str, key: str) -> None:
    """Over-protection has an end: other letters, and wide signs that only look like wildcards."""
    assert Pattern(glob).test(key, over_protect=True) is NO


@pytest.mark.parametrize("glob", ["［draft］*", "＊", "＼", "a＼"])
def test_full_width_signs_are_literals(glob: str) -> None:
    """Their narrow twins are syntax, they are not, in any spelling of the rule."""
    assert Pattern(glob).test(glob, over_protect=True) is YES


@pytest.mark.parametrize(
    ("regex", "key"),
    [
        ("^[^a-z]", "ABC"),
        ("^[^a]$", "A"),
        (r"^\P{Lu}", "a"),
        ("^[à-ü]$", "é"),
        ("^[à-ü]$", "e\u0301"),
        ("^（$", "（"),
        ("^（$", "("),
        ("^．$", "．"),
        # Each of these holds in one normal form of the key only.
        ("^[ﬁ].$", "ﬁe\u0301"),
        ("^[ﬁ]e\u0301$", "ﬁé"),
        ("^[ß].$", "ß\uff25\u0301"),
        ("^[ß]e\u0301$", "ß\uff25\u0301"),
    ],
)
def test_protection_never_loses_what_a_regular_expression_matches(regex: str, key: str) -> None:
    """Ignoring case turns [^a] into "neither a nor A"; the plain reading still protects."""
    assert Pattern(regex, regex=True).test(key, over_protect=True) is YES


def test_a_wide_dot_does_not_become_any_character() -> None:
    """Respelling a regular expression makes no syntax of its literals."""
    assert Pattern("^．$", regex=True).test("x", over_protect=True) is NO


_near = st.text(st.sampled_from("aAéÉ\u0301ß\u0345İı\u212bﬁ\u0344\u0323[^-]．*?/x"), max_size=6)


@law
@given(
    _near.map(_as_glob).flatmap(lambda text: st.sampled_from([text, text + "?", "*" + text])), _near
)
@example("\u0344?", "\u0344\u0323")
def test_what_a_glob_matches_it_also_protects(glob: str, key: str) -> None:
    """Over-protection only ever adds."""
    pattern = Pattern(glob)

    assert pattern.test(key).value <= pattern.test(key, over_protect=True).value


@law
@given(st.one_of(_near, st.text(max_size=10)), st.data())
def test_protection_holds_for_every_form_of_every_text(text: str, data: st.DataObject) -> None:
    """Any chain of normal forms and case foldings of a text is protected by the text, and back."""
    steps: list[Callable[[str], str]] = [
        # Unicode folds canonical text; U+0345 would change its place otherwise.
        lambda t: unicodedata.normalize("NFD", t).casefold(),
        *(lambda t, f=form: unicodedata.normalize(f, t) for form in ("NFC", "NFD", "NFKC", "NFKD")),
    ]
    other = text
    for step in data.draw(st.lists(st.sampled_from(steps), max_size=3)):
        other = step(other)

    forth = Pattern(_as_glob(text)).test(other, over_protect=True)
    back = Pattern(_as_glob(other)).test(text, over_protect=True)

    assert (YES, YES) == (forth, back)


@pytest.mark.parametrize("over_protect", [True, False])
@pytest.mark.parametrize("value", [None, "\ud800", "a\udfffb", "é\ud800"])
def test_a_value_that_cannot_be_compared_may_match(value: str | None, over_protect: bool) -> None:  # noqa: FBT001  # a column
    """Unknown values and lone surrogates are doubt, for protection and for thresholds."""
    assert Pattern("b*").test(value, over_protect=over_protect) is MAYBE


def test_a_perhaps_is_more_than_a_no_and_less_than_a_yes() -> None:
    """The least answer of several conditions is the answer of all."""
    assert [NO, MAYBE, YES] == sorted(Ternary, key=lambda answer: answer.value)


def test_patterns_are_equal_when_their_texts_are() -> None:
    """Two readings of one config give equal rules, and a glob is not a regular expression."""
    first = Pattern("a*")
    re2.purge()  # what is compiled is another object now
    second = Pattern("a*")

    assert (True, True, False, False) == (
        first == second,
        hash(first) == hash(second),
        first == Pattern("a*", regex=True),
        first == Pattern("b*"),
    )


def test_a_pattern_prints_as_it_was_written() -> None:
    """What RE2 made of it stays out of logs."""
    assert repr(Pattern("a*")) == "Pattern(text='a*', regex=False)"


def test_a_broken_pattern_is_told_once(capfd: pytest.CaptureFixture[str]) -> None:
    """RE2 prints nothing to stderr on its own."""
    with pytest.raises(PatternError):
        Pattern("(never seen before", regex=True)

    assert capfd.readouterr() == ("", "")


UPLOAD = Upload(
    ContainerRef("media-eu", "qingstor", "movies"),
    key="backup/Film.mov",
    upload_id="id",
    initiated=None,
    description="nightly 7",
    initiator="arn:alice",
    storage_class="GLACIER",
)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({}, YES),
        ({"target": Pattern("media*")}, YES),
        ({"target": Pattern("media")}, NO),
        ({"provider": "qingstor"}, YES),
        ({"provider": "s3"}, NO),
        ({"container": Pattern("movies")}, YES),
        ({"container": Pattern("movie")}, NO),
        ({"key": Pattern("backup/**")}, YES),
        ({"key": Pattern("backup")}, NO),
        ({"key_regex": Pattern(r"\.mov$", regex=True)}, YES),
        ({"key_regex": Pattern(r"\.mp4$", regex=True)}, NO),
        ({"description": Pattern("nightly*")}, YES),
        ({"description": Pattern("weekly*")}, NO),
        ({"initiator": Pattern("arn:*")}, YES),
        ({"initiator": Pattern("bob")}, NO),
        ({"storage_class": Pattern("GLACIER")}, YES),
        ({"storage_class": Pattern("STANDARD")}, NO),
        ({"larger_than": 9}, YES),
        ({"larger_than": 10}, NO),
        ({"larger_than": 0}, YES),
        ({"smaller_than": 11}, YES),
        ({"smaller_than": 10}, NO),
        ({"smaller_than": 0}, NO),
        ({"larger_than": 9, "smaller_than": 11}, YES),
        ({"key": Pattern("backup/**"), "key_regex": Pattern("mp4", regex=True)}, NO),
        ({"key": Pattern("BACKUP/**")}, NO),
    ],
)
def test_a_rule_matches_when_all_its_conditions_hold(
    conditions: dict[str, Any], expected: Ternary
) -> None:
    """Each condition counts, sizes are compared strictly, and no condition at all is a yes."""
    assert expected is Match(**conditions).test(UPLOAD, 10)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ({"larger_than": 9}, MAYBE),
        ({"smaller_than": 9}, MAYBE),
        ({"description": Pattern("*")}, MAYBE),
        ({"storage_class": Pattern("*")}, MAYBE),
        ({"key": Pattern("a/b"), "larger_than": 9}, MAYBE),
        ({"key": Pattern("x"), "larger_than": 9}, NO),
        ({"larger_than": 9, "provider": "glacier"}, NO),
        ({"provider": "s3"}, YES),
    ],
)
def test_an_unknown_field_may_match_but_cannot_overrule_a_no(
    conditions: dict[str, Any], expected: Ternary
) -> None:
    """One condition that surely fails settles it, whatever is unknown."""
    upload = upload_of(LAKE, description=None, storage_class=None)

    assert expected is Match(**conditions).test(upload, None)


@pytest.mark.parametrize("text", ["", "*", "**", "?"])
@pytest.mark.parametrize("condition", ["key", "key_regex"])
@pytest.mark.parametrize("over_protect", [True, False])
def test_no_key_condition_matches_where_there_are_no_keys(
    text: str,
    condition: str,
    over_protect: bool,  # noqa: FBT001  # a column
) -> None:
    """An upload to a vault has no key, which is not the same as an empty or unknown one."""
    conditions: dict[str, Any] = {condition: Pattern(text)}
    match = Match(**conditions)

    assert match.test(upload_of(ARCHIVE), None, over_protect=over_protect) is NO


@pytest.mark.parametrize(
    "field",
    ["target", "container", "key", "key_regex", "description", "initiator", "storage_class"],
)
def test_every_text_condition_over_protects_when_asked(field: str) -> None:
    """A protect rule ignores case in whichever field it looks at."""
    upload = Upload(ContainerRef("ab", "s3", "ab"), "ab", "i", None, None, "ab", "ab", "ab")
    conditions: dict[str, Any] = {field: Pattern("AB")}
    match = Match(**conditions)

    assert (NO, YES) == (match.test(upload, None), match.test(upload, None, over_protect=True))


def test_a_match_leaves_fields_that_do_not_matter_alone() -> None:
    """A rule without conditions on them matches uploads with unknown fields, or without keys."""
    unknown = upload_of(MEDIA, description=None, storage_class=None)
    keyless = upload_of(ARCHIVE)

    assert (YES, YES) == (
        Match(key=Pattern("a/*")).test(unknown, None),
        Match(target=Pattern("archive")).test(keyless, None),
    )
