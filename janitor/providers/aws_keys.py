"""Credentials that somebody has to be asked for: files, the machine's own service, or STS.

They are what botocore takes for credentials, and are asked for at their first
use, and again before they end. Nobody is asked twice at once: who needs an
answer that is on its way waits for it, in a fiber or in a thread, and no lock is
held meanwhile. So one identity whose service hangs takes as long as one request
may take, however many want it, and no other identity's time.
"""

from __future__ import annotations

import functools
import logging
import re
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import botocore.exceptions
from botocore.credentials import Credentials, ReadOnlyCredentials

from janitor import fibers
from janitor.errors import Denied, Transient, Unsent
from janitor.model import parse_time
from janitor.providers.aws import errors_of_sts
from janitor.providers.base import require
from janitor.targets import AssumeRole
from janitor.targets import Credentials as StaticKeys

# Temporary credentials are renewed so long before their end, or in the last quarter of their time
# if that is shorter; in the last tenth of that nobody uses the old ones any more.
AHEAD: Final = timedelta(minutes=10)
QUARTER: Final = 4
TENTH: Final = 10
# After a renewal that failed it is tried again so much later (seconds), if the old ones are good.
PAUSE: Final = 30.0
# A program of the operator's, or a service of the machine's, is waited for so long (seconds).
PATIENCE: Final = 120.0
# What is done on the strength of a look, or of a lease, does not wait longer for them (seconds).
PROMPT: Final = 1.0
_ASSUMED: Final = re.compile(r"arn:[^:]+:sts::([0-9]{12}):assumed-role/.+")
_NEVER: Final = datetime.max.replace(tzinfo=UTC)
_log = logging.getLogger(__name__)


class _Inquiry:
    """One question that is on its way, and those who wait for what comes of it.

    `patience` is for how many seconds the old credentials will do meanwhile.
    """

    def __init__(self, patience: float) -> None:
        self._old_end_at = time.monotonic() + patience
        self._lock = threading.Lock()
        self._waiting: list[fibers.Latch] = []
        self._is_over = False
        self._keys: ReadOnlyCredentials | None = None
        self._error: BaseException | None = None

    def old_will_do(self) -> bool:
        """Whether the old ones can be used still."""
        return time.monotonic() < self._old_end_at

    def end(self, keys: ReadOnlyCredentials | None, error: BaseException | None) -> None:
        """Tell all who wait."""
        with self._lock:
            self._keys, self._error = keys, error
            self._is_over = True
        for latch in self._waiting:
            latch.open()

    def answer(self) -> ReadOnlyCredentials:
        """Wait for the answer; raises what came instead of one."""
        latch = fibers.Latch()
        with self._lock:
            if not self._is_over:
                self._waiting.append(latch)
        if not self._is_over:
            latch.wait()
        if self._error is not None:
            raise self._error
        return self._keys


class Asked(ABC):
    """Credentials that have to be asked for, as botocore wants them."""

    # By which botocore counts how its users come by theirs; nobody else reads it.
    method = "upload-janitor"

    def __init__(self, whose: str) -> None:
        self._whose = whose
        self._lock = threading.Lock()
        self._keys: ReadOnlyCredentials | None = None
        self._inquiry: _Inquiry | None = None
        self._rests_until = 0.0

    @abstractmethod
    def ask(self) -> ReadOnlyCredentials:
        """Ask somebody, which may take long; never called by two at once."""

    @abstractmethod
    def is_due(self) -> bool:
        """Whether those that there are should be renewed; not asked while `ask` is at it."""

    @abstractmethod
    def good_for(self) -> float:
        """For how many seconds at least they can be used nevertheless; not asked then either."""

    def get_frozen_credentials(self) -> ReadOnlyCredentials:
        """Give credentials that do not change any more; raises what asking for them raises."""
        with self._lock:
            keys, inquiry = self._keys, self._inquiry
            if keys is not None and self._will_do(inquiry):
                return keys
            mine = None
            if inquiry is None:
                mine = inquiry = self._inquiry = _Inquiry(0.0 if keys is None else self.good_for())
        if mine is not None:
            self._end(mine, keys)
        return inquiry.answer()

    def _will_do(self, inquiry: _Inquiry | None) -> bool:
        """Whether the old ones will do for now; the lock is held."""
        if inquiry is not None:
            # All else may be said of the new ones already, which are not here yet.
            return inquiry.old_will_do()
        if not self.is_due():
            return True
        return time.monotonic() < self._rests_until and self.good_for() > 0

    def _end(self, inquiry: _Inquiry, old: ReadOnlyCredentials | None) -> None:
        """Ask, and tell all who wait what came of it."""
        keys, failure = old, None
        try:
            keys = fibers.offload(self.ask)
        except BaseException as error:  # noqa: BLE001  # raised by all who wait for it
            failure = error
        with self._lock:
            self._inquiry = None
            if failure is not None or self.is_due():
                self._rests_until = time.monotonic() + PAUSE
            if failure is None:
                self._keys = keys
            elif old is not None and isinstance(failure, Exception) and inquiry.old_will_do():
                message = "credentials of %s could not be renewed, and are used on: %s"
                _log.warning(message, self._whose, failure)
                failure = None
        inquiry.end(keys, failure)

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """Give what tells one of their properties."""
        return lambda: getattr(self.get_frozen_credentials(), name, None)


class Chain(Asked):
    """Those that the SDK finds: in its files, in the environment, or at the machine's own service.

    `find` gives botocore's own credentials, or None where nobody has any. It may
    start programs, to whose time nobody else sets an end.
    """

    # Botocore's own measure for those that cannot be used much longer (seconds).
    _MANDATORY: Final = 600

    def __init__(self, find: Callable[[], Any], whose: str = "the SDK's chain") -> None:
        super().__init__(whose)
        self._find = find
        self._found: Any = None
        # What is on its way, whether somebody waits for it or not.
        self._errand: Future[ReadOnlyCredentials] | None = None
        self._old_end_at = 0.0

    def ask(self) -> ReadOnlyCredentials:
        """Find them, or have them renewed; NoCredentialsError where there are none.

        Raises Transient where that takes too long. It goes on nevertheless, and
        whoever asks again waits for the same.
        """
        if self._errand is None:
            self._old_end_at = time.monotonic() + self.good_for()
            self._errand = _beside(self._look)
        if wait([self._errand], PATIENCE).not_done:
            message = f"the credentials were not there within {PATIENCE:.0f} s"
            raise Transient(message, code="no_credentials")
        done, self._errand = self._errand, None
        return done.result()

    def _look(self) -> ReadOnlyCredentials:
        if self._found is None:
            self._found = self._find()
        if self._found is None:
            raise botocore.exceptions.NoCredentialsError
        return self._found.get_frozen_credentials()

    def is_due(self) -> bool:
        """Whether botocore says so, or is at it."""
        return self._errand is not None or self._needs_renewal()

    def good_for(self) -> float:
        """So long at least, if botocore would use them."""
        if self._errand is not None:
            return max(0.0, self._old_end_at - time.monotonic())
        return 0.0 if self._needs_renewal(self._MANDATORY) else self._MANDATORY

    def _needs_renewal(self, *within: int) -> bool:
        # Those of files and of the environment never do.
        asks = getattr(self._found, "refresh_needed", None)
        return asks is not None and bool(asks(*within))


class Role(Asked):
    """Those of a role; `sts` asks STS to assume it, with its arguments, as whoever may.

    `account` is whose role it is, as STS said when it gave them; None where it did not.
    """

    def __init__(self, role: AssumeRole, sts: Callable[..., Mapping[str, Any]]) -> None:
        super().__init__(role.role_arn)
        self._sts = sts
        self._arguments = {"RoleArn": role.role_arn, "RoleSessionName": role.session_name}
        if role.external_id is not None:
            self._arguments["ExternalId"] = role.external_id
        self._due_at = self._ends_at = _NEVER
        self.account: str | None = None

    def ask(self) -> ReadOnlyCredentials:
        """Assume the role; raises Denied where it may not be, and whatever else a request may."""
        with errors_of_sts("assume_role"):
            reply = self._sts(**self._arguments)
        told = reply.get("Credentials") or {}
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken")
        key, secret, token = (told.get(name) for name in names)
        ends = parse_time(told.get("Expiration"))
        whole = bool(key and secret and token) and ends is not None
        require(whole, "no_witness", "the reply has no credentials, or does not say when they end")
        assert ends is not None  # noqa: S101  # for mypy: it was required
        left = ends - datetime.now(UTC)
        if left <= timedelta(0):
            message = f"assume_role: the credentials ended {-left} ago: see to the clock"
            raise Denied(message, code="ExpiredToken")
        ahead = min(AHEAD, left / QUARTER)
        self.account = _account_in(reply.get("AssumedRoleUser") or {})
        self._due_at, self._ends_at = ends - ahead, ends - ahead / TENTH
        return ReadOnlyCredentials(key, secret, token, None)

    def is_due(self) -> bool:
        """Whether they end soon."""
        return datetime.now(UTC) >= self._due_at

    def good_for(self) -> float:
        """Until they would end before a request with them arrives."""
        return max(0.0, (self._ends_at - datetime.now(UTC)).total_seconds())


def _beside(function: Callable[[], ReadOnlyCredentials]) -> Future[ReadOnlyCredentials]:
    """Run a function in a thread that nobody has to wait for, not even the end of the process."""
    told: Future[ReadOnlyCredentials] = Future()

    work = functools.partial(fibers.fulfil, told, function)
    try:
        threading.Thread(target=work, name="credentials", daemon=True).start()
    except RuntimeError:  # the system has no thread for it
        work()
    return told


def require_at_hand(keys: Any) -> None:
    """Raise Unsent where somebody had to be asked for credentials first, and took his time.

    They are at hand then, for whoever still wants to use them.
    """
    begun = time.monotonic()
    keys.get_frozen_credentials()
    took = time.monotonic() - begun
    if took > PROMPT:
        message = f"nothing was sent: new credentials were {took:.0f} s on their way"
        raise Unsent(message, code="stale_look")


def _account_in(user: Mapping[str, Any]) -> str | None:
    found = _ASSUMED.fullmatch(str(user.get("Arn", "")))
    return None if found is None else found[1]


def static(said: StaticKeys) -> Credentials:
    """Give the credentials that the config itself has."""
    token = said.session_token.reveal() if said.session_token is not None else None
    return Credentials(said.access_key_id, said.secret_access_key.reveal(), token)
