from __future__ import annotations

import asyncio
import base64
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from http.client import HTTPConnection

import bcrypt
import pytest
from structlog.testing import capture_logs
from support.website import TIMEOUT, Site, site

from janitor.service.web.door import Door, bcrypt_matches
from janitor.service.web.gate import Busy
from janitor.settings.types import Http, User
from janitor.targets import Secret

LOCKED = ("/", "/metrics", "/config")
OPEN = ("/-/healthy", "/healthz", "/-/ready", "/readyz")


def user(name: str, password: str, rounds: int = 4) -> User:
    """Hash a password, as cheaply as bcrypt allows unless said otherwise."""
    return User(name, Secret(bcrypt.hashpw(password.encode(), bcrypt.gensalt(rounds)).decode()))


def basic(claim: str) -> str:
    """Give the header's value for `name:password`."""
    return "Basic " + base64.b64encode(claim.encode()).decode()


@pytest.fixture(name="daemon")
def _daemon() -> Iterator[Site]:
    """Serve to two users."""
    with site(Http(users=(user("prometheus", "open sesame"), user("anna", "päss:wörd")))) as made:
        made.serve()
        yield made


@pytest.mark.parametrize("path", LOCKED)
def test_a_page_needs_a_password(daemon: Site, path: str) -> None:
    """Without one, the answer says which kind, and nothing else."""
    response, text = daemon.ask(path)

    assert (401, 'Basic realm="upload janitor", charset="UTF-8"', "who are you?\n") == (
        response.status,
        response.headers["www-authenticate"],
        text,
    )


@pytest.mark.parametrize("path", LOCKED)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize(
    ("claim", "expected"),
    [
        ("prometheus:open sesame", 200),
        ("anna:päss:wörd", 200),
        ("prometheus:päss:wörd", 401),
        ("prometheus:", 401),
        ("prometheus:open sesame ", 401),
        ("Prometheus:open sesame", 401),
        ("nobody:open sesame", 401),
        (":", 401),
    ],
)
def test_the_right_password_opens(
    daemon: Site, path: str, method: str, claim: str, expected: int
) -> None:
    """The user's own, to the letter."""
    assert daemon.ask(path, method, Authorization=basic(claim))[0].status == expected


@pytest.mark.parametrize("path", OPEN)
def test_health_is_told_to_everybody(daemon: Site, path: str) -> None:
    """A kubelet brings no password, and learns no more than one sentence."""
    assert daemon.ask(path)[1] == "ok\n"


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ((), "401"),
        (("-u", "prometheus:open sesame"), "200"),
        (("-u", "prometheus:wrong"), "401"),
        (("--oauth2-bearer", "open sesame"), "401"),
        (("--digest", "-u", "prometheus:open sesame"), "401"),
    ],
)
def test_curl_gets_in_by_basic_authentication_only(
    daemon: Site, options: tuple[str, ...], expected: str
) -> None:
    """As others write the header."""
    curl = shutil.which("curl") or pytest.skip("there is no curl")
    command = [curl, "-sS", "--max-time", str(TIMEOUT), "-o", "/dev/null", "-w", "%{http_code}"]
    ran = subprocess.run(  # noqa: S603  # our own words
        [*command, *options, f"{daemon.web.url}/metrics"],
        capture_output=True,
        text=True,
        check=True,
    )

    assert expected == ran.stdout


@pytest.mark.parametrize(
    "header",
    [
        "Basic",
        "Basic ",
        "Basic ====",
        "Basic \u00e4",
        "Basic " + base64.b64encode(b"prometheus").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b"prometheus:" + b"x" * 5000).decode(),
        "Basic " + base64.b64encode(b"prometheus:open sesame\0").decode(),
        "Bearer " + base64.b64encode(b"prometheus:open sesame").decode(),
        base64.b64encode(b"prometheus:open sesame").decode(),
    ],
)
def test_a_header_that_is_none_does_not_open(daemon: Site, header: str) -> None:
    """However broken, it is a refusal and no error."""
    assert daemon.ask("/metrics", Authorization=header)[0].status == 401


def test_refused_passwords_are_logged_once_without_their_words(daemon: Site) -> None:
    """With the client's address; people type passwords where names belong."""
    with capture_logs() as lines:
        for _ in range(5):
            daemon.ask("/metrics", Authorization=basic("open sesame:prometheus"))

    assert [
        {
            "event": "web.password_refused",
            "client": "127.0.0.1",
            "left_out": 0,
            "log_level": "warning",
        }
    ] == lines


def test_without_users_everybody_may_come() -> None:
    """That is the default."""
    with site() as made:
        assert [200] * 3 == [made.ask(path)[0].status for path in LOCKED]


def test_users_can_change_while_it_serves(daemon: Site) -> None:
    """Who has gone is out at once, remembered or not; who is new is in."""
    anna = basic("anna:päss:wörd")
    before = [daemon.ask("/metrics", Authorization=anna)[0].status for _ in range(2)]
    daemon.users = (user("eve", "eve"),)
    after = daemon.ask("/metrics", Authorization=anna)[0].status
    eve = daemon.ask("/metrics", Authorization=basic("eve:eve"))[0].status

    assert ([200, 200], 401, 200) == (before, after, eve)


@pytest.mark.parametrize("kind", ["2a", "2b", "2y"])
def test_every_kind_of_bcrypt_is_known(kind: str) -> None:
    """`htpasswd -B` writes 2y, Go 2a, Python 2b."""
    hashed = user("x", "open sesame").password_hash.reveal().replace("$2b$", f"${kind}$").encode()

    assert (True, False) == (
        bcrypt_matches(b"open sesame", hashed),
        bcrypt_matches(b"open", hashed),
    )


def test_only_72_bytes_count() -> None:
    """As with every bcrypt: what is longer neither fails nor counts."""
    hashed = user("x", "x" * 72).password_hash.reveal().encode()

    assert (True, True, False) == (
        bcrypt_matches(b"x" * 72, hashed),
        bcrypt_matches(b"x" * 100, hashed),
        bcrypt_matches(b"x" * 71, hashed),
    )


@pytest.mark.parametrize("hashed", [b"", b"plain", b"$2b$10$", b"$2b$99$" + b"x" * 53])
def test_what_is_no_hash_matches_nothing(hashed: bytes) -> None:
    """Not even itself."""
    assert not bcrypt_matches(hashed, hashed)


class Checks:
    """Counts what is checked; a password matches if the hash ends with it."""

    def __init__(self) -> None:
        self.made: list[tuple[bytes, bytes]] = []

    def __call__(self, password: bytes, hashed: bytes) -> bool:
        """Note it."""
        self.made.append((password, hashed))
        return hashed.endswith(password)


CHEAP = User("cheap", Secret("$2b$04$cheap"))
DEAR = User("dear", Secret("$2b$12$dear"))


def admitted(
    claims: Sequence[str], users: Callable[[], Sequence[User]] = lambda: (CHEAP, DEAR)
) -> tuple[list[bool], list[tuple[bytes, bytes]]]:
    """Come with these, one after the other; give who was let in, and what was checked."""
    checks = Checks()
    door = Door(users, checks)

    async def come() -> list[bool]:
        return [await door.admits(claim, "client") for claim in claims]

    return asyncio.run(come()), checks.made


def test_a_right_password_is_checked_once() -> None:
    """A scrape every few seconds must not cost bcrypt each time."""
    right = basic("dear:dear")

    assert ([True] * 3, [(b"dear", b"$2b$12$dear")]) == admitted([right] * 3)


def test_a_wrong_password_is_checked_each_time() -> None:
    """It is not remembered: guesses would push out what is."""
    wrong = basic("dear:wrong")

    assert ([False] * 3, [(b"wrong", b"$2b$12$dear")] * 3) == admitted([wrong] * 3)


def test_a_stranger_costs_as_much_as_the_dearest_user_and_never_gets_in() -> None:
    """Not even with the password of the hash that stands in; time tells no names."""
    stranger = basic("stranger:dear")

    assert ([False] * 2, [(b"dear", b"$2b$12$dear")] * 2) == admitted([stranger] * 2)


def test_another_user_with_the_same_password_is_checked_too() -> None:
    """What is remembered is of one user."""
    twin = User("twin", Secret("$2b$04$dear"))
    claims = [basic("dear:dear"), basic("twin:dear"), basic("cheap:dear")]
    seen, checks = admitted(claims, lambda: (CHEAP, DEAR, twin))

    assert ([True, True, False], 3) == (seen, len(checks))


def test_what_is_remembered_ends_with_a_change_of_users() -> None:
    """Even one that brings the user back with the same hash."""
    turns = iter([(DEAR,), (DEAR,), (CHEAP,), (DEAR,)])
    seen, checks = admitted([basic("dear:dear")] * 4, lambda: next(turns))

    assert ([True, True, False, True], 3) == (seen, len(checks))


def test_no_more_is_remembered_than_has_room() -> None:
    """What was used last stays."""
    generous = User("x", Secret("$2b$04$" + "x" * 200))
    claims = [basic("x:" + "x" * length) for length in range(1, 201)]
    _, checks = admitted([*claims, claims[-1], claims[0]], lambda: [generous])

    assert [200, 1] == [len(checks) - 1, len(checks[-1][0])]


def test_guessers_cannot_keep_out_the_others() -> None:
    """One client has few places; others come to their turn, and health is told meanwhile."""
    slow = user("prometheus", "open sesame", rounds=10)
    with site(Http(users=(slow,))) as made, ExitStack() as stack:
        made.serve()
        guessers = [stack.enter_context(closing(made.connection())) for _ in range(50)]
        for number, guesser in enumerate(guessers):
            guesser.request("GET", "/metrics", headers={"Authorization": basic(f"x:{number}")})
        health = made.ask("/healthz")[0].status
        scrape = stack.enter_context(
            closing(
                HTTPConnection(
                    "127.0.0.1", made.port, timeout=TIMEOUT, source_address=("127.0.0.2", 0)
                )
            )
        )
        opens = {"Authorization": basic("prometheus:open sesame")}
        scrape.request("GET", "/metrics", headers=opens)
        seen = scrape.getresponse().status
        told = {guesser.getresponse().status for guesser in guessers}

    assert (200, 200, {401, 503}) == (health, seen, told)


def test_few_passwords_are_checked_at_once_and_few_wait() -> None:
    """One thread works; of each client four have a place, of all thirty-two."""
    go, working = threading.Event(), threading.Semaphore(0)

    def check(_: bytes, __: bytes) -> bool:
        working.release()
        return go.wait(TIMEOUT)

    async def crowd() -> list[bool | BaseException]:
        door = Door(lambda: (DEAR,), check)
        claims = [basic(f"dear:{number}") for number in range(50)]
        clients = ["loud"] * 10 + [f"client {number}" for number in range(40)]
        comers = [door.admits(*each) for each in zip(claims, clients, strict=True)]
        waiting = asyncio.gather(*comers, return_exceptions=True)
        await asyncio.to_thread(working.acquire)
        alone.append(not working.acquire(blocking=False))
        go.set()
        return await waiting

    alone: list[bool] = []
    seen = asyncio.run(crowd())

    told = [type(each) if isinstance(each, BaseException) else each for each in seen]

    assert ([True], [True] * 4 + [Busy] * 6 + [True] * 28 + [Busy] * 12) == (alone, told)
