"""Makes clients of boto3 that sign with the keys of whoever makes the call, and hide nothing."""

from __future__ import annotations

import functools
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Final, Protocol

import botocore.session
from botocore.credentials import Credentials
from botocore.handlers import BUILTIN_HANDLERS

from janitor.providers import aws
from janitor.providers.aws_models import Models
from janitor.targets import AwsIdentity

# Reading the service models is most of what a session costs, and they never
# change. Sessions are not safe to be made side by side either.
_LOADER = Models()
_MAKING = threading.Lock()
# Whose keys the call is signed with that this thread makes.
_caller: ContextVar[Any] = ContextVar("caller")


class _Caller:
    """What shared clients take for credentials: those of whoever makes the call."""

    method = "upload-janitor"

    def get_frozen_credentials(self) -> Any:
        """Give the caller's; None where nobody has any."""
        keys = _caller.get(None)
        return None if keys is None else keys.get_frozen_credentials()

    def get_deferred_property(self, name: str) -> Callable[[], Any]:
        """Give what tells one of their properties."""
        return lambda: getattr(self.get_frozen_credentials(), name, None)


class As:
    """A client of boto3 in the hands of one identity; safe to use from many threads."""

    def __init__(self, client: Any, keys: Any) -> None:
        self._client, self._keys = client, keys

    @property
    def meta(self) -> Any:
        """Give what the client knows of itself."""
        return self._client.meta

    @property
    def exceptions(self) -> Any:
        """Give the kinds of errors that it raises."""
        return self._client.exceptions

    def close(self) -> None:
        """Leave it open: it is not ours."""

    def __getattr__(self, name: str) -> Any:
        """Give a call of the client, to be made by the identity."""
        return functools.partial(self._call, getattr(self._client, name))

    def _call(self, call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        # Where that takes a request to somebody else, it is none in the middle of ours.
        self._keys.get_frozen_credentials()
        token = _caller.set(self._keys)
        try:
            return call(*arguments, **named)
        finally:
            _caller.reset(token)


# With whose keys a client is asked what it would send, which is never sent.
NOBODY: Final = Credentials("NOBODY", "nothing")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What sets one client apart from others; `options` go into botocore's Config.

    `allow` says what it may send. `transport` puts something before it; the same
    one for equal clients. `alone` is an identity that shares it with nobody.
    """

    service: str
    access: aws.Access
    allow: aws.Allow
    options: Mapping[str, Any] = field(default_factory=dict)
    transport: Transport | None = None
    alone: AwsIdentity | None = None

    @property
    def key(self) -> Hashable:
        """Give what is equal for clients that need not be two."""
        access = self.access
        way = (access.identity.profile, access.reach, access.region, access.execution)
        options = repr(sorted(self.options.items()))
        return self.service, way, self.allow, options, self.transport, self.alone


class Channel(ABC):
    """What calls go through, whoever makes them; safe to use from many threads."""

    def __init__(self) -> None:
        # What each remembers is as dear to it as if it were alone.
        self._users: dict[Any, Any] = {}

    def used_by(self, keys: Any) -> Any:
        """Give what makes calls with these keys, as a client of boto3 does."""
        found = self._users.get(keys)
        return self._users.setdefault(keys, self._for(keys)) if found is None else found

    @abstractmethod
    def _for(self, keys: Any) -> Any:
        """Make what makes calls with these keys; must not wait for anybody."""

    @abstractmethod
    def close(self) -> None:
        """Close all connections."""


class Transport(Protocol):
    """Puts something faster before a client of boto3, whose certificates are in `ca_bundle`."""

    def __call__(
        self, client: Any, ca_bundle: str | None, access: aws.Access, allow: aws.Allow
    ) -> Channel:
        """Make it; must not wait for anybody."""


def sdk_client(wanted: Wanted) -> tuple[Any, str | None]:
    """Make a client of boto3, and tell whose certificates its profile trusts.

    It signs with the keys of whoever has it, by `As`, and hides nothing.
    """
    access = wanted.access
    with _MAKING, aws.ErrorsOf("connect", aws.NO_CODES):
        inner = _session(access.identity.profile)
        # Instead of looking for some: that may take long.
        inner._credentials = _Caller()  # noqa: SLF001  # there is no public way
        client = _maker(inner, wanted)(
            wanted.service,
            region_name=access.region,
            endpoint_url=access.reach.endpoint_url,
            verify=access.reach.ca_file,
            config=aws.config_of(access, **wanted.options),
        )
        ca_bundle = inner.get_config_variable("ca_bundle")
    _harden(client, wanted)
    return client, ca_bundle


def _maker(inner: Any, wanted: Wanted) -> Callable[..., Any]:
    """Give what makes the client: boto3, where it is to make requests itself.

    Behind a wire botocore is enough, of which boto3's own clients are, too; what boto3
    puts around them takes long to import.
    """
    if wanted.transport is not None:
        make: Callable[..., Any] = inner.create_client
        return make
    session = import_module("boto3").Session(botocore_session=inner)
    # Every one adds the same folders to the loader that all share.
    _LOADER.search_paths[:] = dict.fromkeys(_LOADER.search_paths)
    found: Callable[..., Any] = session.client
    return found


def _harden(client: Any, wanted: Wanted) -> None:
    for event, handler, *_ in BUILTIN_HANDLERS:
        # One of them turns a 200 that it cannot read into a 500.
        if event == "before-parse.s3.*":
            client.meta.events.unregister(event, handler)
    aws.watch(client.meta.events, wanted.service, wanted.allow)


def _session(profile: str | None) -> Any:
    session = botocore.session.Session(profile=profile)
    session.register_component("data_loader", _LOADER)
    # dateutil reads "UTC" as the local zone where TZ says so; we parse ourselves.
    session.get_component("response_parser_factory").set_parser_defaults(timestamp_parser=str)
    return session


def find_keys(profile: str | None, region: str | None) -> Any:
    """Look for credentials where the SDK does, which may take long; None where there are none."""
    with _MAKING:
        session = _session(profile)
    if region is not None:
        session.set_config_variable("region", region)
    return session.get_credentials()
