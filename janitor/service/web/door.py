"""Basic authentication by bcrypt, as Prometheus' web config file has it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict
from collections.abc import Callable, Sequence

import bcrypt

from janitor.service.web.gate import Gate
from janitor.settings.types import User

# Who guesses gets one core at most, and cannot stand in everybody's way.
_CHECKS_AT_ONCE = 1
_CHECKS = 32
_CHECKS_OF_A_CLIENT = 4
_REMEMBERED = 128
# What bcrypt looks at. Go's and Apache's leave out the rest silently; Python's raises.
_LONGEST = 72


def bcrypt_matches(password: bytes, hashed: bytes) -> bool:
    """Whether the password is the one that was hashed."""
    try:
        return bcrypt.checkpw(password[:_LONGEST], hashed)
    except ValueError:
        return False  # no hash of bcrypt; the config's reader says so


class Door:
    """Tells who may come in; everybody while there are no users.

    A password that was right is remembered (as a digest under a key of this
    process), because bcrypt is slow on purpose and a scrape comes every 15 s.
    Wrong ones are not: guesses would push out those who scrape. `matches` is
    what is slow: it compares a password with a hash.
    """

    def __init__(
        self,
        users: Callable[[], Sequence[User]],
        matches: Callable[[bytes, bytes], bool] = bcrypt_matches,
    ) -> None:
        self._users = users
        self._gate = Gate(_CHECKS_AT_ONCE, _CHECKS, _CHECKS_OF_A_CLIENT)
        self._matches = matches
        self._key = secrets.token_bytes(32)
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._known_of: tuple[User, ...] = ()

    async def admits(self, authorization: str | None, client: str) -> bool:
        """Whether this header opens; Busy if too many passwords are being checked."""
        users = tuple(self._users())
        if users != self._known_of:
            self._known.clear()
            self._known_of = users
        if not users:
            return True
        claim = _claim(authorization)
        return claim is not None and await self._proves(users, claim, client)

    async def _proves(
        self, users: tuple[User, ...], claim: tuple[bytes, bytes], client: str
    ) -> bool:
        name, password = claim
        expected, real = _hash_of(users, name)
        digest = self._digest(name, password, expected)
        if digest in self._known:
            self._known.move_to_end(digest)
            return True
        # The same work for a name that does not exist: how long it takes tells nothing.
        right = await self._gate.run(client, lambda: self._matches(password, expected))
        if not (right and real):
            return False
        self._known[digest] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return True

    def _digest(self, *parts: bytes) -> bytes:
        keyed = hashlib.blake2b(key=self._key, digest_size=32)
        for part in parts:
            keyed.update(len(part).to_bytes(8, "big") + part)
        return keyed.digest()


def _claim(authorization: str | None) -> tuple[bytes, bytes] | None:
    """Read name and password; None if that is no basic authentication."""
    scheme, _, encoded = (authorization or "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        name, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return None
    return (name, password) if colon else None


def _hash_of(users: Sequence[User], name: bytes) -> tuple[bytes, bool]:
    """Give the user's hash; for a stranger one that costs as much, which nothing matches."""
    hashes = {user.name.encode(): user.password_hash.reveal().encode() for user in users}
    if name in hashes:
        return hashes[name], True
    return max(hashes.values(), key=_cost), False


def _cost(hashed: bytes) -> bytes:
    """Give what sorts hashes by their work: the two digits in `$2y$10$...`."""
    return hashed[4:6]
