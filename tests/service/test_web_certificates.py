from __future__ import annotations

import os
import shutil
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import pytest
from structlog.testing import capture_logs
from support.certificates import write_certificates
from support.website import TIMEOUT, Authority, Site, site

from janitor.errors import JanitorError
from janitor.service.web import Bounds
from janitor.service.web.tls import Certificates, context_of
from janitor.settings.types import Http, Tls


@pytest.fixture(name="authority")
def _authority(tmp_path: Path) -> Authority:
    """Give somebody whom everybody here trusts."""
    return Authority(tmp_path)


def certificate(made: Site) -> bytes:
    """Give the certificate that a new connection sees."""
    with made.line() as line:
        assert isinstance(line, ssl.SSLSocket)
        seen = line.getpeercert(binary_form=True)

    assert seen is not None
    return seen


def wait_for_another(made: Site, former: bytes) -> None:
    """Connect until another certificate is shown."""
    until = time.monotonic() + TIMEOUT
    while certificate(made) == former:
        assert time.monotonic() < until


def in_place(authority: Authority, _: Path) -> None:
    """Write over the files."""
    authority.issue("server")


def by_swap(authority: Authority, tmp_path: Path) -> None:
    """Turn a symbolic link to another directory, as Kubernetes does with a Secret."""
    for name in authority.issue("renewed"):
        shutil.copy(name, tmp_path / "new" / f"server{Path(name).suffix}")
    (tmp_path / "link.new").symlink_to("new")
    os.replace(tmp_path / "link.new", tmp_path / "link")  # noqa: PTH105  # the call that is atomic


@pytest.mark.parametrize("renew", [in_place, by_swap])
def test_renewed_certificates_are_used_without_a_restart(
    tmp_path: Path, authority: Authority, renew: Callable[[Authority, Path], None]
) -> None:
    """Written over, or by a symbolic link that is turned; an older connection ends."""
    (tmp_path / "old").mkdir()
    (tmp_path / "new").mkdir()
    tls = Tls(*authority.issue("server"))
    if renew is by_swap:
        (tmp_path / "link").symlink_to("old")
        for name in (tls.cert, tls.key):
            shutil.move(name, tmp_path / "old")
        tls = Tls(str(tmp_path / "link/server.pem"), str(tmp_path / "link/server.key"))
    with site(Http(tls=tls), Bounds(header=300, idle=300)) as made, ExitStack() as stack:
        made.serve()
        made.trust = authority.client()
        older = stack.enter_context(made.line())
        older.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        first = certificate(made)
        renew(authority, tmp_path)
        wait_for_another(made, first)
        told = b"".join(iter(lambda: older.recv(65536), b""))

    assert told.endswith(b"ok\n")


class Clock:
    """Time that a test moves."""

    now = 0.0

    def tell(self) -> float:
        """Give the time, in seconds."""
        return self.now


def test_a_broken_renewal_keeps_what_worked_and_is_told_once(authority: Authority) -> None:
    """Until it is mended; each new mistake is told again."""
    clock = Clock()
    tls = Tls(*authority.issue("server"))
    certificates = Certificates(tls, clock.tell)
    good = certificates.context()
    contexts: list[bool] = []
    troubles: list[str | None] = []
    with capture_logs() as lines:
        for step in ("", "junk", "junk", None, "good", "good"):
            clock.now += 10
            if step == "junk":
                Path(tls.key).write_text(step)
            elif step is None:
                Path(tls.key).unlink()
            elif step == "good" and troubles[-1] is not None:
                authority.issue("server")
            contexts.append(certificates.context() is good)
            troubles.append(certificates.trouble)
    kept = "; the former certificate stays in use"
    junk = f"cannot use the certificate {tls.cert} with the key {tls.key}: it is no PEM{kept}"
    gone = f"cannot read {tls.key}: No such file or directory{kept}"

    assert ([True, True, True, True, False, False], [None, junk, junk, gone, None, None]) == (
        contexts,
        troubles,
    )
    assert [("error", junk), ("error", junk), ("error", gone), ("info", None)] == [
        (line["log_level"], line.get("error")) for line in lines
    ]


def test_files_are_looked_at_every_few_seconds_only(authority: Authority) -> None:
    """However many connect."""
    clock = Clock()
    certificates = Certificates(Tls(*authority.issue("server")), clock.tell)
    good = certificates.context()
    authority.issue("server")
    seen = []
    for clock.now in (0, 1, 2.9, 3):
        seen.append(certificates.context() is good)

    assert [True, True, True, False] == seen


def test_a_server_with_a_broken_renewal_answers_and_says_so(
    authority: Authority,
) -> None:
    """By its former certificate."""
    tls = Tls(*authority.issue("server"))
    with site(Http(tls=tls)) as made:
        made.serve()
        made.trust = authority.client()
        first = certificate(made)
        Path(tls.cert).write_text("half a file")
        until = time.monotonic() + TIMEOUT
        while made.web.trouble is None:
            assert (time.monotonic() < until, first) == (True, certificate(made))
        seen = made.ask("/healthz")[1]

    assert ("ok\n", True) == (seen, made.web.trouble.endswith("stays in use"))


def test_a_reload_takes_other_files_at_once(authority: Authority) -> None:
    """From the next connection on; what is open ends."""
    with site(Http(tls=Tls(*authority.issue("one"))), Bounds(header=300, idle=300)) as made:
        made.serve()
        made.trust = authority.client()
        first = certificate(made)
        with made.line() as older:
            other = Http(port=made.http.port, tls=Tls(*authority.issue("two")))
            problem = made.web.reload(other)
            second = certificate(made)
            older.sendall(b"")
            end = older.recv(1)

    assert (None, True, b"") == (problem, first != second, end)


def test_a_reload_can_begin_and_end_tls(authority: Authority) -> None:
    """The address says which."""
    with site() as made:
        made.serve()
        plain = made.ask("/healthz")[1], made.web.url
        made.web.reload(replace(made.http, tls=Tls(*authority.issue("server"))))
        made.trust = authority.client()
        secure = made.ask("/healthz")[1], made.web.url
        made.web.reload(made.http)
        made.trust = None
        again = made.ask("/healthz")[1]

    assert (("ok\n", f"http://{address(made)}"), ("ok\n", f"https://{address(made)}"), "ok\n") == (
        plain,
        secure,
        again,
    )


def address(made: Site) -> str:
    """Give host and port."""
    return f"127.0.0.1:{made.port}"


def test_a_reload_shuts_out_who_is_not_trusted_any_more(
    tmp_path: Path, authority: Authority
) -> None:
    """Even on a connection that was made before."""
    server, client = authority.issue("server"), authority.issue("client", "prometheus")
    required = Tls(*server, client_ca=authority.path, client_auth="required")
    with site(Http(tls=required), Bounds(header=300, idle=300)) as made:
        made.serve()
        made.trust = authority.client(client)
        with closing(made.connection()) as before:
            before.request("GET", "/healthz")
            first = before.getresponse().read()
            other = replace(required, client_ca=Authority(tmp_path).path)
            made.web.reload(replace(made.http, tls=other))
            assert before.sock is not None
            end = before.sock.recv(1)
        with pytest.raises((ssl.SSLError, ConnectionError)):
            made.ask("/healthz")

    assert (b"ok\n", b"") == (first, end)


def test_a_reload_with_broken_files_changes_nothing(authority: Authority) -> None:
    """And says what is wrong."""
    with site(Http(tls=Tls(*authority.issue("server")))) as made:
        made.serve()
        made.trust = authority.client()
        first = certificate(made)
        with pytest.raises(JanitorError, match=r"cannot read /no/such/file: No such file"):
            made.web.reload(Http(tls=Tls("/no/such/file", "/no/such/file")))
        second = certificate(made)

    assert first == second


def test_a_reload_does_not_move() -> None:
    """Another address needs a restart, and that is said."""
    with site() as made:
        made.serve()
        problem = made.web.reload(Http(host="0.0.0.0", port=1))  # noqa: S104  # nobody listens there
        seen = made.ask("/healthz")[1]

    told = "http.listen is 0.0.0.0 port 1 now, but still served at 127.0.0.1 port 0"

    assert (f"{told}: it needs a restart", "ok\n") == (problem, seen)


PAIR = "cannot use the certificate {0}/%s with the key {0}/%s: %s"
ENCRYPTED = "the key is encrypted, and nobody is here to type its passphrase"
NONE = "cannot read {0}/none: No such file or directory"


@pytest.mark.parametrize(
    ("cert", "key", "ca", "sentence"),
    [
        ("none", "server.key", None, NONE),
        ("server.pem", "none", None, NONE),
        ("server.pem", "server.key", "none", NONE),
        (
            "server.pem",
            "other.key",
            None,
            PAIR % ("server.pem", "other.key", "key values mismatch"),
        ),
        ("server.pem", "encrypted.key", None, PAIR % ("server.pem", "encrypted.key", ENCRYPTED)),
        ("empty", "server.key", None, PAIR % ("empty", "server.key", "it is no PEM")),
        (
            "server.pem",
            "server.key",
            "empty",
            "cannot use the client CA {0}/empty: no certificate or crl found",
        ),
    ],
)
def test_files_that_cannot_be_used_are_told_by_name(
    tmp_path: Path, cert: str, key: str, ca: str | None, sentence: str
) -> None:
    """And why, without a word of what is in them."""
    write_certificates(tmp_path)
    (tmp_path / "empty").touch()
    folder = str(tmp_path)
    tls = Tls(f"{folder}/{cert}", f"{folder}/{key}", None if ca is None else f"{folder}/{ca}")
    with pytest.raises(JanitorError) as caught:
        context_of(tls)

    assert sentence.format(folder) == str(caught.value)


def test_a_server_with_such_files_does_not_start(authority: Authority) -> None:
    """Nothing listens by then."""
    cert, _ = authority.issue("server")
    with (
        pytest.raises(JanitorError, match="cannot read /no/key"),
        site(Http(tls=Tls(cert, "/no/key"))),
    ):
        pass
