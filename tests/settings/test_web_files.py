"""Certificates, users and Prometheus' web config file: what they mean, and what is refused."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Literal

import pytest
from support.debian import program
from support.settings_samples import HASH, LAKE, Load, Refuse, with_http

from janitor.settings import load
from janitor.settings.quantities import Unusable
from janitor.settings.types import Http, Tls, User
from janitor.settings.web_models import password_hash
from janitor.targets import Secret

ALICE = (User("alice", Secret(HASH)),)
USERS = f"basic_auth_users:\n  alice: {HASH}\n"
SERVER = "tls_server_config:\n  cert_file: server.pem\n  key_file: server.key\n"
MUTUAL = f"{SERVER}  client_ca_file: ca.pem\n"
OURS_ANYWAY = """\
  max_version: TLS13
  cipher_suites: []
  curve_preferences: []
  prefer_server_cipher_suites: true
http_server_config:
  http2: false
  headers: {}
"""
ClientAuth = Literal["none", "optional", "required"]
MinVersion = Literal["TLS12", "TLS13"]
Expected = tuple[ClientAuth, MinVersion] | None
PLAIN: Expected = ("none", "TLS12")

# Web configs, and what they mean: client certificates and least version, and users.
GOOD: dict[str, tuple[str, Expected, tuple[User, ...]]] = {
    "users": (USERS, None, ALICE),
    "users of nobody": ("basic_auth_users: {}\n", None, ()),
    "nothing": ("{}\n", None, ()),
    "TLS of nothing": ("tls_server_config: {}\n", None, ()),
    "TLS": (SERVER, PLAIN, ()),
    "TLS and users": (USERS + SERVER, PLAIN, ALICE),
    "TLS 1.2": (f"{SERVER}  min_version: TLS12\n", PLAIN, ()),
    "TLS 1.3": (f"{SERVER}  min_version: TLS13\n", ("none", "TLS13"), ()),
    "no clients": (f"{SERVER}  client_auth_type: NoClientCert\n", PLAIN, ()),
    "some clients": (
        f"{MUTUAL}  client_auth_type: VerifyClientCertIfGiven\n",
        ("optional", "TLS12"),
        (),
    ),
    "all clients": (
        f"{MUTUAL}  client_auth_type: RequireAndVerifyClientCert\n",
        ("required", "TLS12"),
        (),
    ),
    "what holds anyway": (SERVER + OURS_ANYWAY, PLAIN, ()),
    "a limit that is off": ("rate_limit: {interval: 0, burst: 20}\n", None, ()),
    "a limit of no seconds": ("rate_limit: {interval: 0s, burst: 1}\n", None, ()),
    "a name in quotes": (
        f'basic_auth_users: {{"0 1": {HASH}}}\n',
        None,
        (User("0 1", Secret(HASH)),),
    ),
}


@pytest.mark.parametrize(("text", "expected", "users"), GOOD.values(), ids=GOOD.keys())
def test_a_web_config_means_what_it_means_to_prometheus(
    text: str,
    expected: Expected,
    users: tuple[User, ...],
    web_directory: Path,
    load_text: Load,
) -> None:
    """Its paths begin at its own directory, not at the config's."""
    (web_directory / "web.yaml").write_text(text)

    http = load_text(with_http("web_config_file: web/web.yaml")).http

    assert (
        Http(
            tls=tls_in(web_directory, expected),
            users=users,
            web_config_file=str(web_directory / "web.yaml"),
        )
        == http
    )


def tls_in(directory: Path, expected: Expected) -> Tls | None:
    """Give the TLS of a directory's files."""
    if expected is None:
        return None
    client_auth, min_version = expected
    names = ("server.pem", "server.key", "ca.pem" if client_auth != "none" else None)
    cert, key, client_ca = (name and str(directory / name) for name in names)
    assert cert and key  # noqa: PT018  # both are there, for the type checker
    return Tls(cert, key, client_ca, client_auth, min_version)


# Debian's promtool is older than rate limits.
@pytest.mark.parametrize("name", [name for name in GOOD if "limit" not in name])
def test_what_is_accepted_is_accepted_by_prometheus_too(name: str, web_directory: Path) -> None:
    """The format is Prometheus' own: its tool takes every web config that we take."""
    (web_directory / "web.yaml").write_text(GOOD[name][0])
    promtool = program("prometheus", "promtool")
    command = [str(promtool), "check", "web-config", str(web_directory / "web.yaml")]

    run = subprocess.run(command, check=False, capture_output=True, text=True)  # noqa: S603  # ours

    assert run.returncode == 0, run.stderr
    assert run.stderr.endswith(" SUCCESS\n")


def test_a_file_of_users_is_beside_the_config(load_text: Load, tmp_path: Path) -> None:
    """Users stay in the order of the file."""
    (tmp_path / "users.yaml").write_text(f"{USERS}  Bob-2: {HASH}\n")

    http = load_text(with_http("basic_auth_users_file: users.yaml")).http

    assert (
        Http(users=(*ALICE, User("Bob-2", Secret(HASH))), users_file=str(tmp_path / "users.yaml"))
        == http
    )


def test_absolute_paths_stay(load_text: Load, web_directory: Path) -> None:
    """In the config as in the web config."""
    text = SERVER.replace("server.", f"{web_directory}/server.")
    (web_directory.parent / "web.yaml").write_text(text)

    http = load_text(with_http(f"web_config_file: {web_directory.parent}/web.yaml")).http

    assert http.tls == tls_in(web_directory, PLAIN)


@pytest.mark.parametrize(
    ("keys", "expected"),
    [("", PLAIN), (", tls_client_ca: web/ca.pem", ("required", "TLS12"))],
)
def test_an_authority_in_the_config_means_that_every_client_needs_a_certificate(
    keys: str, expected: Expected, load_text: Load, web_directory: Path
) -> None:
    """Whoever wants it optional says so in a web config."""
    files = "tls_cert: web/server.pem, tls_key: web/server.key"

    http = load_text(with_http(files + keys)).http

    assert Http(tls=tls_in(web_directory, expected)) == http


def test_files_of_standard_input_are_beside_the_current_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A problem of a side file is named as the operator named the file."""
    monkeypatch.chdir(tmp_path)
    Path("users.yaml").write_text("basic_auth_users: {alice: sesame}\n")
    Path("config").write_text(with_http("basic_auth_users_file: users.yaml"))
    with Path("config").open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)

        with pytest.raises(Exception, match=r"\Ausers\.yaml:1:27: basic_auth_users\.alice: must"):
            load("-", {})


def test_a_problem_names_a_file_as_the_config_was_named(
    load_text: Load, tmp_path: Path, refuse: Refuse
) -> None:
    """With an absolute path if the config has one, so that editors can jump to it."""
    (tmp_path / "users.yaml").write_text("basic_auth_users: {alice: sesame}\n")
    text = with_http("basic_auth_users_file: users.yaml")

    said = refuse(text)

    assert said.startswith("users.yaml:1:27: ")
    with pytest.raises(Exception, match=f"\\A{tmp_path}/users.yaml:1:27: "):
        load_text(text)


HASHES = {
    "$2a$": HASH.replace("$2b$", "$2a$"),
    "$2y$": HASH.replace("$2b$", "$2y$"),
    "the highest cost": HASH.replace("$04$", "$14$"),
}
NO_HASHES = {
    "of PHP's mistake": HASH.replace("$2b$", "$2x$"),
    "of the first version": HASH.replace("$2b$", "$2$"),
    "cost of 3": HASH.replace("$04$", "$03$"),
    "cost of 15": HASH.replace("$04$", "$15$"),
    "cost of 99": HASH.replace("$04$", "$99$"),
    "cost of one digit": HASH.replace("$04$", "$4$"),
    "cut off": HASH[:-1],
    "too long": f"{HASH}x",
    "line break": f"{HASH}\n",
    "salt with more bits than a salt has": f"{HASH[:28]}z{HASH[29:]}",
    "salted MD5": "$apr1$abcdefgh$0123456789abcdefghijkl",
    "SHA": "{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=",
    "password": "sesame",
    "nothing": "",
    "a number": 1234,
    "null": None,
}


@pytest.mark.parametrize("value", HASHES.values(), ids=HASHES.keys())
def test_a_hash_of_bcrypt_is_one(value: str) -> None:
    """Three spellings of its version are in use, and mean the same."""
    assert password_hash(value) == value


@pytest.mark.parametrize("value", NO_HASHES.values(), ids=NO_HASHES.keys())
def test_what_is_no_hash_of_bcrypt_is_refused(value: object) -> None:
    """Each with the command that makes one."""
    with pytest.raises(Unusable, match="htpasswd -nBC 10"):
        password_hash(value)


def test_a_broken_section_of_a_web_config_hides_no_other(
    refuse: Refuse, web_directory: Path
) -> None:
    """Users are checked where TLS is broken, and files where users are."""
    (web_directory / "web.yaml").write_text(
        "basic_auth_users: {alice: sesame}\ntls_server_config: {cert_file: a.pem, key_file: b}\n"
        "http_server_config: {http2: maybe}\nrate_limit: {burst: -1}\n"
    )

    said = refuse(with_http("web_config_file: web/web.yaml")).splitlines()

    assert [line.split(": ")[1] for line in said] == [
        "basic_auth_users.alice",
        "tls_server_config.cert_file",
        "tls_server_config.key_file",
        "http_server_config.http2",
        "rate_limit.burst",
    ]


def test_variables_are_not_filled_into_files_of_others(refuse: Refuse, web_directory: Path) -> None:
    """Prometheus does not do it either, so a web config means the same to both."""
    (web_directory / "web.yaml").write_text("basic_auth_users: {alice: '${HASH}'}\n")

    said = refuse(with_http("web_config_file: web/web.yaml"), {"HASH": HASH})

    assert said.startswith("web/web.yaml:1:27: basic_auth_users.alice: must be a hash of bcrypt")


def test_a_config_without_http_reads_no_other_file(load_text: Load) -> None:
    """And listens where it always did, for everybody on this machine."""
    assert load_text(f"version: 1\n{LAKE}").http == Http()
