"""Reads the files that `http` names: users, web config, and what they name in turn.

No sentence of this file says anything about a hash, and no path of a problem
has the name of a user that could be a password.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from janitor.settings.problems import Finding, Problem
from janitor.settings.sentences import Language
from janitor.settings.service_models import HttpModel
from janitor.settings.side_files import Beside, examine
from janitor.settings.source import Unreadable
from janitor.settings.tls_files import Part, objections
from janitor.settings.types import Tls, User
from janitor.settings.web_models import TlsServerModel, UsersModel, WebModel
from janitor.targets import Secret

_TLS, _USERS = "tls_server_config", "basic_auth_users"
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.@+-]{1,64}")
_WEB_CONFIG = Language(WebModel, {})
_USERS_FILE = Language(
    UsersModel,
    {
        ("", name): "say http.web_config_file instead of http.basic_auth_users_file for this file"
        for name in (_TLS, "http_server_config", "rate_limit")
    },
)
_STARTS = {
    _WEB_CONFIG: f"add {_TLS} or {_USERS}",
    _USERS_FILE: f"start with the line {_USERS}:",
}


@dataclass(slots=True)
class Web:
    """What `http` and its files say of TLS and users, and all that is wrong there.

    `findings` are about the config, `problems` about the files beside it.
    """

    tls: Tls | None = None
    users: tuple[User, ...] = ()
    findings: list[Finding] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def collect_web(http: HttpModel, beside: Beside) -> Web:
    """Read all files that `http` names; what it contradicts itself in is found elsewhere."""
    if http.web_config_file is not None:
        return _from_file("web_config_file", http.web_config_file, beside, _WEB_CONFIG)
    users = http.basic_auth_users_file
    web = Web()
    if users is not None:
        web = _from_file("basic_auth_users_file", users, beside, _USERS_FILE)
    files = _paths(http.tls_cert, http.tls_key, http.tls_client_ca, beside)
    web.findings += [Finding(("http", f"tls_{part}"), said) for part, said in objections(files)]
    web.tls = _tls(files, "required" if "client_ca" in files else "none")
    return web


def _from_file(key: str, said: str, beside: Beside, language: Language) -> Web:
    """Read one YAML file; where it cannot be read at all, the key that names it is wrong."""
    web = Web()
    try:
        found = examine(beside.path(said), language, _STARTS[language])
    except Unreadable as error:
        web.findings.append(Finding(("http", key), str(error)))
        return web
    model = WebModel.model_validate(found.usable)
    server = model.tls_server_config or TlsServerModel()
    files = _paths(server.cert_file, server.key_file, server.client_ca_file, beside.of(said))
    late = [*_check_users(model, language), *_check_tls(server), *_check_files(files)]
    web.problems = [
        found.problem(beside.shown(said), _without_odd_names(finding))
        for finding in (*found.findings, *late)
    ]
    users = model.basic_auth_users or {}
    web.users = tuple(User(name, Secret(hashed)) for name, hashed in users.items())
    web.tls = _tls(files, server.client_auth_type or "none", server.min_version or "TLS12")
    return web


def _paths(
    cert: str | None, key: str | None, client_ca: str | None, beside: Beside
) -> dict[Part, Path]:
    said: dict[Part, str | None] = {"cert": cert, "key": key, "client_ca": client_ca}
    return {part: beside.path(file) for part, file in said.items() if file is not None}


def _tls(
    files: Mapping[Part, Path],
    client_auth: Literal["none", "optional", "required"],
    min_version: Literal["TLS12", "TLS13"] = "TLS12",
) -> Tls | None:
    if not {"cert", "key"} <= files.keys():
        return None
    client_ca = files.get("client_ca")
    return Tls(
        cert=str(files["cert"]),
        key=str(files["key"]),
        client_ca=None if client_ca is None else str(client_ca),
        client_auth=client_auth,
        min_version=min_version,
    )


def _check_files(files: Mapping[Part, Path]) -> Iterator[Finding]:
    for part, sentence in objections(files):
        yield Finding((_TLS, f"{part}_file"), sentence)


def _check_users(model: WebModel, language: Language) -> Iterator[Finding]:
    for name in model.basic_auth_users or {}:
        if ":" in name:
            sentence = "has a user with a colon in the name: write name: hash, with a space"
            yield Finding((_USERS, name), sentence, on_key=True)
    # Prometheus takes a list of nobody for no list; a file of users only is a mistake then.
    if language is _USERS_FILE and model.basic_auth_users == {}:
        sentence = "is empty: say at least one user, or remove http.basic_auth_users_file"
        yield Finding((_USERS,), sentence)


def _check_tls(server: TlsServerModel) -> Iterator[Finding]:
    if not server.model_fields_set:
        return
    for name in ("cert_file", "key_file"):
        if getattr(server, name) is None:
            yield Finding((_TLS, name), f"is missing: say {name}, or remove {_TLS}")
    verifies = server.client_auth_type not in (None, "none")
    if verifies and server.client_ca_file is None:
        sentence = "verifies nothing without client_ca_file: say it too"
        yield Finding((_TLS, "client_auth_type"), sentence)
    if server.client_ca_file is not None and not verifies:
        sentence = "asks nothing of clients: say client_auth_type: RequireAndVerifyClientCert too"
        yield Finding((_TLS, "client_ca_file"), sentence)


def _without_odd_names(finding: Finding) -> Finding:
    """Name no key that is none of a user: somebody may have put a password there."""
    path = finding.path
    for length, step in enumerate(path):
        if isinstance(step, str) and _PLAIN_NAME.fullmatch(step) is None:
            return replace(finding, path=path[:length], at=finding.at or path)
    return finding
