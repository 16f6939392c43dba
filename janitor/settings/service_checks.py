"""What no single key of http and push can know: contradictions, labels that clash."""

from __future__ import annotations

import re
from collections.abc import Iterator

from janitor.settings.problems import Finding
from janitor.settings.sections import Sections
from janitor.settings.service_fields import JOB, LABEL, OWN_LABELS
from janitor.settings.service_models import HttpModel, PushModel

_CERT, _KEY, _CLIENT_CA = "tls_cert", "tls_key", "tls_client_ca"
_OWN_WEB_KEYS = (_CERT, _KEY, _CLIENT_CA, "basic_auth_users_file")


def check_service(sections: Sections) -> Iterator[Finding]:
    """Check http against itself, and push against itself."""
    http = sections.usable.get("http")
    if http is not None:
        yield from _check_http(http)
    push = sections.usable.get("push")
    if push is not None:
        yield from _check_push(push)


def _check_http(http: HttpModel) -> Iterator[Finding]:
    if http.web_config_file is not None:
        for name in _OWN_WEB_KEYS:
            if getattr(http, name) is not None:
                sentence = "contradicts web_config_file, which says it: remove one"
                yield Finding(("http", name), sentence)
        return
    for name, other in ((_CERT, _KEY), (_KEY, _CERT)):
        if getattr(http, name) is not None and getattr(http, other) is None:
            sentence = f"is missing beside {name}: say it too"
            yield Finding(("http", other), sentence, at=("http", name))
    if http.tls_client_ca is not None and http.tls_cert is None and http.tls_key is None:
        sentence = f"is of no use without {_CERT} and {_KEY}: say them too"
        yield Finding(("http", _CLIENT_CA), sentence)


def _check_push(push: PushModel) -> Iterator[Finding]:
    for label in push.grouping or {}:
        sentence = _objection(label)
        if sentence is not None:
            yield Finding(("push", "grouping", label), sentence, on_key=True)
    if push.delete_on_success and push.pushgateway_url is None:
        sentence = "is of no use without pushgateway_url: say it too, or remove this"
        yield Finding(("push", "delete_on_success"), sentence)


def _objection(label: str) -> str | None:
    if label == JOB:
        return "is what push.job says: remove it here"
    if label in OWN_LABELS:
        return "is a label of the janitor's own metrics, which would be lost: rename it"
    if label.startswith("__"):
        return "is kept for Prometheus itself: rename it, without the two _"
    if re.fullmatch(LABEL, label) is None:
        return "is no label of Prometheus: say letters, digits and _, not with a digit first"
    return None
