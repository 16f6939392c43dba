from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from janitor.observe import redaction
from janitor.observe.redaction import redact, redact_url, redacted, scrub

SIGNATURE = "fe5f80f77d5fa3beca038a248ff027d0445342fe2855ddc963176630326f1024"
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20120525/us-east-1/glacier/aws4_request, "
    f"SignedHeaders=host;x-amz-date, Signature={SIGNATURE}"
)


@pytest.fixture(autouse=True)
def _nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Forget what others registered, which may be any word."""
    monkeypatch.setattr(redaction, "_REGISTERED", redaction._Registered())  # noqa: SLF001  # there is one


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"Authorization: {SIGNED}", "Authorization: ***"),
        (f"sent {SIGNED}", "sent AWS4-HMAC-SHA256 ***"),
        (
            f"{{'Authorization': b'{SIGNED}', 'Host': 'x'}}",
            "{'Authorization': b'***', 'Host': 'x'}",
        ),
        ("authorization=whatever it is", "authorization=***"),
        ("QS PLLZOBTTZXGBNOWUFHZZ:tuXu/KcggHWPAfEmraUHDwEUdiIPSXVRsO+T2rxomBQ=", "QS ***"),
        ("AWS AKIDEXAMPLE:frJIUN8DYpKDtOLCwo//yllqDzg=", "AWS ***"),
        ("Bearer abc.def-ghi", "Bearer ***"),
        ("X-Amz-Security-Token: FQoGZXIvYXdzEJr//x", "X-Amz-Security-Token: ***"),
        ("'x-amz-security-token': 'FQoGZX/x=='", "'x-amz-security-token': '***'"),
        (
            "https://b/?a=1&X-Amz-Security-Token=FQo%2F&b=2",
            "https://b/?a=1&X-Amz-Security-Token=***&b=2",
        ),
        (f"https://b/?X-Amz-Signature={SIGNATURE}&b=2", "https://b/?X-Amz-Signature=***&b=2"),
        ("<SecretAccessKey>wJalr/XUt</SecretAccessKey>", "<SecretAccessKey>***</SecretAccessKey>"),
        ('"SessionToken": "AQoDYXdzE"', '"SessionToken": "***"'),
        ("aws_secret_access_key = wJalrXUt", "aws_secret_access_key = ***"),
        ("via http://user:hunter2@proxy.example:3128", "via http://***@proxy.example:3128"),
    ],
)
def test_what_looks_like_a_credential_is_taken_out(text: str, expected: str) -> None:
    """Nobody has to register what a header or a URL gives away by its form."""
    assert expected == redacted(text)


@pytest.mark.parametrize(
    "text",
    [
        "backup/2026-03-01/QS-report.pdf",
        "SignatureDoesNotMatch: the request signature is wrong",
        "AccessDenied: no authorization for that",
        "https://bucket.s3.example/key@2x.png",
        "the basic idea",
    ],
)
def test_what_only_sounds_like_one_is_left_alone(text: str) -> None:
    """Keys, error codes and plain words stay readable."""
    assert text == redacted(text)


def test_a_secret_that_is_a_word_hides_no_other() -> None:
    """It stands in the very name by which another one is found."""
    redact("secret")

    assert "aws_***_access_key = ***" == redacted("aws_secret_access_key = wJalrXUt")
    assert "session_token=*** and ***" == redacted("session_token=a-secret-b and secret")


def test_what_overlaps_is_hidden_together() -> None:
    """A secret that begins within what a pattern finds, and ends beyond it."""
    redact('hunter2" and more')

    assert '"SessionToken": "***!' == redacted('"SessionToken": "AQohunter2" and more!')


def test_a_registered_secret_is_found_in_every_spelling() -> None:
    """Quoted for a URL, for JSON or for Python, it is the same secret."""
    redact('open"sesame/now please')

    assert "*** *** *** ***" == redacted(
        'open"sesame/now please open%22sesame%2Fnow%20please '
        'open%22sesame%2Fnow+please open\\"sesame/now please'
    )


def test_the_longer_of_two_secrets_goes_whole() -> None:
    """A secret that begins another one leaves no rest of it."""
    redact("swordfish")
    redact("swordfish-and-chips")

    assert "***, ***" == redacted("swordfish, swordfish-and-chips")


def test_an_empty_secret_is_no_secret() -> None:
    """It would be found everywhere."""
    redact("")

    assert "plain" == redacted("plain")


def test_values_are_rebuilt_plain() -> None:
    """Mappings, sequences and instants keep their shape; anything else is what it prints."""
    moment = datetime(2026, 3, 1, tzinfo=UTC)
    value = {"a": (1, None, 2.5, True), "when": moment, "password": ["x"], "what": b"QS ab:cd"}

    assert {
        "a": [1, None, 2.5, True],
        "when": "2026-03-01T00:00:00+00:00",
        "password": "***",
        "what": "b'QS ***'",
    } == scrub(value)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql+psycopg://me:larkspur-1@db.example/janitor", "user me, larkspur-1"),
        ("postgresql+psycopg://me:larks%2Fpur-2@db.example/j", "larks/pur-2 larks%2Fpur-2"),
        ("postgresql+psycopg:///janitor?host=/run&password=larkspur-3", "it was larkspur-3"),
        ("http://user:lark@spur-4@proxy.example:3128", "Basic bGFyaw== lark@spur-4"),
    ],
)
def test_the_password_of_a_url_is_found_without_its_url(url: str, said: str) -> None:
    """What a driver says need not look like a credential."""
    redact_url(url)

    assert "larkspur" not in redacted(said)
    assert "pur-2" not in redacted(said)
    assert "spur-4" not in redacted(said)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql+psycopg://kestrel:kestrel@db.example/kestrel",
        "postgresql+psycopg://me@db.example/kestrel",
        "https://kestrel.example/a:kestrel@b",
        "kestrel",
    ],
)
def test_what_a_url_says_in_public_is_no_secret(url: str) -> None:
    """Else the name of a database would be stars in every line."""
    redact_url(url)

    assert "kestrel" == redacted("kestrel")


FRAGMENTS = [
    *(
        "Authorization",
        "proxy-authorization",
        "AWS4-HMAC-SHA256 ",
        "Credential=",
        "QS ",
        "QS-HMAC ",
    ),
    *("AWS ", "Bearer ", "basic ", "X-Amz-Security-Token", "securitytoken", "Signature"),
    *("aws_secret_access_key", "SecretAccessKey", "session_token", "SessionToken", "https", "://"),
    *(
        ": ",
        "=",
        '": "',
        "b'",
        "user",
        "@",
        "AKIDEXAMPLE1",
        "wJalrXUtnFEMI/K7MDENG",
        ":",
        " ",
        "\n",
    ),
]


@given(st.lists(st.sampled_from(FRAGMENTS), max_size=8).map("".join))
def test_a_text_that_looks_harmless_is(text: str) -> None:
    """The quick look lets nothing pass that one of the patterns would have found."""
    spans = [
        (found.end(1), found.end())
        for pattern in redaction._PATTERNS  # noqa: SLF001  # the slow way, by the same patterns
        for found in pattern.finditer(text)
    ]
    thorough = redaction._starred(text, sorted(spans))  # noqa: SLF001  # see above

    assert thorough == redacted(text)
