"""The landing page: what this is, how it is, and where to look. No scripts, nothing foreign."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from html import escape as escape_html

from janitor import __version__

# Every page, and a word on what it is.
LINKS = {
    "/metrics": "figures for Prometheus",
    "/config": "the configuration in force, secrets left out",
    "/-/healthy": "whether it does its work, or needs a restart",
    "/healthz": "the same, by the name that Kubernetes uses",
    "/-/ready": "whether it is up, and neither starting nor stopping",
    "/readyz": "the same, by the name that Kubernetes uses",
}
_MODES = {
    "report": "watches and reports, changes nothing",
    "enforce": "aborts stale uploads",
}

_STYLE = """
:root { color-scheme: light dark; --text: #1d2329; --soft: #57616b; --back: #f6f7f8; --card: #fff;
  --edge: #d9dee3; --link: #0a58a8; --calm: #1b6e3c; --alert: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --text: #e3e7eb; --soft: #9aa5b1; --back: #14181c;
  --card: #1d2329; --edge: #343d46; --link: #79b8f8; --calm: #57c785; --alert: #ff8a80; } }
* { box-sizing: border-box; }
body { margin: 0; padding: 1.5rem 1rem; color: var(--text); background: var(--back);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere; }
main { max-width: 44rem; margin: 0 auto; }
h1 { margin: 0; font-size: 1.6rem; line-height: 1.2; }
h2 { margin: 1.75rem 0 .5rem; font-size: 1.05rem; }
small { color: var(--soft); font-size: .95rem; font-weight: 400; white-space: nowrap; }
.mode { margin: 1rem 0 0; padding: .7rem 1rem; background: var(--card);
  border: 1px solid var(--edge); border-left: .4rem solid var(--calm); border-radius: .4rem; }
.mode strong { display: inline-block; margin-right: .5rem; padding: 0 .55rem; border-radius: .25rem;
  color: var(--card); background: var(--calm); text-transform: uppercase; letter-spacing: .04em; }
.enforce { border-left-color: var(--alert); }
.enforce strong { background: var(--alert); }
dl { margin: 0; background: var(--card); border: 1px solid var(--edge); border-radius: .4rem; }
dl div { display: grid; grid-template-columns: 11rem 1fr; gap: 0 1rem; padding: .5rem 1rem; }
dl div + div { border-top: 1px solid var(--edge); }
dt { color: var(--soft); }
dd { margin: 0; white-space: pre-line; }
a { color: var(--link); }
dt a { font-family: ui-monospace, monospace; }
@media (max-width: 34rem) { dl div { grid-template-columns: 1fr; } }
"""

_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

# What a browser may do with a page of ours: show it, and use this one style.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_HASH}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)


def landing_page(facts: Mapping[str, str]) -> str:
    """Write the page; `facts` are labels and texts in the order to show, `mode` stands out."""
    shown = {label: text for label, text in facts.items() if label != "mode"}
    title = _escape(f"upload janitor {__version__}")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"<h1>upload janitor <small>{_escape(__version__)}</small></h1>\n"
        f"{_mode(facts.get('mode'))}{_state(shown)}"
        f"<h2>Pages</h2>\n{_list({_link(path): _escape(text) for path, text in LINKS.items()})}"
        "</main>\n</body>\n</html>\n"
    )


def _escape(text: str) -> str:
    """Give HTML that shows this text; what cannot be seen, or turns the line round, shows as �."""
    seen = (each if each.isprintable() or each == "\n" else "\ufffd" for each in text)
    return escape_html("".join(seen))


def _mode(mode: str | None) -> str:
    if mode is None:
        return ""
    kind = "mode enforce" if mode == "enforce" else "mode"
    meaning = _escape(_MODES.get(mode, ""))
    return f'<p class="{kind}"><strong>{_escape(mode)}</strong> {meaning}</p>\n'


def _state(facts: Mapping[str, str]) -> str:
    if not facts:
        return ""
    return (
        f"<h2>State</h2>\n{_list({_escape(label): _escape(text) for label, text in facts.items()})}"
    )


def _list(rows: Mapping[str, str]) -> str:
    """Set a list of terms; both sides are HTML already."""
    body = "".join(f"<div><dt>{term}</dt><dd>{told}</dd></div>\n" for term, told in rows.items())
    return f"<dl>\n{body}</dl>\n"


def _link(path: str) -> str:
    return f'<a href="{_escape(path)}">{_escape(path)}</a>'
