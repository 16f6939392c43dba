"""Who may talk to the sandbox: two public key pairs, and temporary ones from its STS."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock
from typing import Final

ACCOUNT_ID: Final = "012345678901"
OWNER_ARN: Final = f"arn:aws:iam::{ACCOUNT_ID}:user/uploader"
JANITOR_ARN: Final = f"arn:aws:iam::{ACCOUNT_ID}:user/janitor"


@dataclass(frozen=True)
class Principal:
    """A key pair and whose it is. `owner` marks the uploaders, who may change everything.

    `token` and `expires` are set for temporary credentials only.
    """

    access_key_id: str
    secret_access_key: str
    arn: str
    account_id: str = ACCOUNT_ID
    owner: bool = False
    token: str | None = None
    expires: datetime | None = None


JANITOR: Final = Principal(
    "SANDBOXJANITORKEY001", "public-janitor-secret-of-the-sandbox-001", JANITOR_ARN
)
OWNER: Final = Principal(
    "SANDBOXUPLOADERKEY01", "public-uploader-secret-of-the-sandbox-01", OWNER_ARN, owner=True
)


@dataclass(frozen=True)
class Role:
    """A role that AssumeRole knows; `external_id` None asks for none."""

    arn: str
    external_id: str | None = None

    @property
    def account_id(self) -> str:
        """The account in the role's ARN."""
        return self.arn.split(":")[4]

    @property
    def name(self) -> str:
        """The role's name, without its path."""
        return self.arn.rpartition("/")[2]


class KeyRing:
    """Every key pair that the sandbox accepts."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._principals = {known.access_key_id: known for known in (JANITOR, OWNER)}
        self._roles: dict[str, Role] = {}

    def find(self, access_key_id: str) -> Principal | None:
        """Look a principal up; None if nobody has that key."""
        with self._lock:
            return self._principals.get(access_key_id)

    def add_role(self, arn: str, external_id: str | None = None) -> None:
        """Make a role that can be assumed; ValueError unless it is an IAM role's ARN."""
        if not arn.startswith("arn:") or ":role/" not in arn:
            msg = f"not the ARN of a role: {arn!r} (arn:aws:iam::012345678901:role/janitor is one)"
            raise ValueError(msg)
        with self._lock:
            self._roles[arn] = Role(arn, external_id)

    def role(self, arn: str) -> Role | None:
        """Look a role up by its ARN."""
        with self._lock:
            return self._roles.get(arn)

    def assume(
        self, role: Role, caller: Principal, session: str, now: datetime, lifetime: timedelta
    ) -> Principal:
        """Issue temporary credentials of `role` that end `lifetime` after `now`."""
        made = Principal(
            access_key_id="SANDBOXTEMP" + secrets.token_hex(5).upper(),
            secret_access_key=secrets.token_urlsafe(30),
            arn=f"arn:aws:sts::{role.account_id}:assumed-role/{role.name}/{session}",
            account_id=role.account_id,
            owner=caller.owner,
            token=secrets.token_urlsafe(60),
            expires=now + lifetime,
        )
        with self._lock:
            self._principals[made.access_key_id] = made
        return made
