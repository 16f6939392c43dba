from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Mapping
from typing import Any

import html5lib
import pytest
from support.website import Site, site

from janitor import __version__
from janitor.service.web.page import landing_page

FACTS = {
    "mode": "enforce",
    "role": "leader",
    "last sweep": "2026-11-20 06:17 UTC",
    "next sweep": "2026-11-20 12:17 UTC",
    "last outcome": "2 complete, 1 forbidden",
}
HOSTILE = (
    "</style><script>alert(1)</script>\"'&amp;<img src=x onerror=alert(1)>\u2028\u202e\x00\x1b"
)


@pytest.fixture(name="daemon")
def _daemon() -> Iterator[Site]:
    """Serve, impatiently."""
    with site() as made:
        made.serve()
        yield made


def parsed(text: str) -> Any:
    """Read a page as strictly as the standard does: every parse error raises."""
    return html5lib.HTMLParser(strict=True, namespaceHTMLElements=False).parse(text)


def tags(text: str) -> set[str]:
    """Give the names of all elements."""
    return {element.tag for element in parsed(text).iter()}


@pytest.mark.parametrize("facts", [{}, FACTS, {"mode": "report"}, {"mode": "unheard of"}])
def test_the_page_is_valid_html_without_scripts_or_foreign_resources(
    facts: Mapping[str, str],
) -> None:
    """Nothing is loaded, nothing runs."""
    text = landing_page(facts)
    allowed = {
        *("html", "head", "meta", "title", "style", "body", "main", "h1", "h2", "small", "p"),
        *("strong", "dl", "div", "dt", "dd", "a"),
    }

    assert (set(), False, False) == (tags(text) - allowed, "//" in text, "url(" in text)


def test_the_page_says_what_is_handed_in(daemon: Site) -> None:
    """Every fact, in its order, and the version."""
    daemon.facts = FACTS
    response, text = daemon.ask("/")
    words = [__version__, *FACTS.values()]
    places = [text.find(word, text.find("<body>")) for word in words]

    assert (200, "text/html; charset=utf-8", True, sorted(places)) == (
        response.status,
        response.headers["content-type"],
        min(places) > 0,
        places,
    )


@pytest.mark.parametrize(
    ("mode", "kind", "meaning"),
    [
        ("report", "mode", "changes nothing"),
        ("enforce", "mode enforce", "aborts stale uploads"),
    ],
)
def test_the_mode_cannot_be_overlooked(mode: str, kind: str, meaning: str) -> None:
    """It stands before all else, in a colour of its own, and says what it means."""
    told = landing_page({"last sweep": "never", "mode": mode})
    place = told.find(f'<p class="{kind}"><strong>{mode}</strong>')

    assert (True, True) == (0 < place < told.find("last sweep"), meaning in told)


def test_every_link_leads_to_a_page_and_every_page_is_linked(daemon: Site) -> None:
    """With a word on what it is."""
    page = parsed(daemon.ask("/")[1])
    links = [str(link.get("href")) for link in page.iter("a")]

    assert (
        {"/metrics", "/config", "/-/healthy", "/healthz", "/-/ready", "/readyz"},
        {200},
        len(links),
    ) == (set(links), {daemon.ask(link)[0].status for link in links}, len(list(page.iter("dd"))))


@pytest.mark.parametrize("label", ["mode", "role", HOSTILE])
def test_hostile_names_are_text_and_nothing_else(label: str) -> None:
    """Whatever a target is called, the page has the same elements as ever."""
    innocent = landing_page({label.replace(HOSTILE, "name"): "text"})
    hostile = landing_page({label: HOSTILE})

    shown = "".join(parsed(hostile).itertext())

    assert (tags(innocent), True) == (tags(hostile), HOSTILE[:-4] + "\ufffd" * 4 in shown)


def test_a_browser_may_show_the_page_and_its_own_style_only(daemon: Site) -> None:
    """The policy names the style by its hash; nobody may frame the page."""
    response, text = daemon.ask("/")
    style = text.partition("<style>")[2].partition("</style>")[0]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = response.headers["content-security-policy"].split("; ")

    assert [
        "default-src 'none'",
        f"style-src 'sha256-{digest}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    ] == policy


@pytest.mark.parametrize("path", ["/", "/config", "/metrics", "/healthz", "/no/such/page"])
def test_every_answer_forbids_what_is_not_needed(daemon: Site, path: str) -> None:
    """Errors as well."""
    headers = daemon.ask(path)[0].headers

    assert {
        "cache-control": "no-store",
        "x-frame-options": "DENY",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "cross-origin-resource-policy": "same-origin",
    } == {
        name: headers[name]
        for name in (
            *("cache-control", "x-frame-options", "x-content-type-options", "referrer-policy"),
            "cross-origin-resource-policy",
        )
    }


def test_the_configuration_is_shown_as_it_is_handed_in(daemon: Site) -> None:
    """As plain text; a browser must not take it for anything else."""
    daemon.config = "mode: report  # <script>alert('ä')</script>\n"
    response, text = daemon.ask("/config")

    assert (200, "text/plain; charset=utf-8", daemon.config) == (
        response.status,
        response.headers["content-type"],
        text,
    )
