"""Clients of AWS that all targets of a run share, whoever they are there.

To make a client takes ten milliseconds and half a megabyte, and each has
connections of its own; and those of a thousand accounts would differ in nothing
but whose keys they sign with. So there is one client for each service, region
and way to get there, which signs with the keys of whoever makes the call. It is
lent for each call, and closed when many others were used since.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Hashable
from dataclasses import replace
from typing import Any, Final

from janitor import fibers
from janitor.errors import ProviderError, WrongIdentity
from janitor.providers import aws
from janitor.providers.aws_keys import Chain, Role, static
from janitor.providers.aws_sdk import As, Channel, Wanted, find_keys, sdk_client
from janitor.providers.base import Identity, require
from janitor.providers.lending import Lending, Place
from janitor.targets import AssumeRole

# More than all that the targets need that are listed side by side, and STS for each of them.
CLIENTS: Final = 256


class _Sdk(Channel):
    """Boto3 itself."""

    def __init__(self, client: Any) -> None:
        super().__init__()
        self._client = client

    def _for(self, keys: Any) -> As:
        return As(self._client, keys)

    def close(self) -> None:
        """Close all connections."""
        self._client.close()


class Client:
    """A client as one identity has it: lent for each call, and made anew where it was closed."""

    def __init__(self, lending: Lending[Channel], place: Place[Channel], keys: Any) -> None:
        self._lending, self._place, self._keys = lending, place, keys

    @property
    def meta(self) -> Any:
        """Give what the client knows of itself."""
        return self._lent(lambda client: client.meta)

    def __getattr__(self, name: str) -> Any:
        """Give a call."""
        return functools.partial(self._call, name)

    def _call(self, name: str, **arguments: Any) -> Any:
        return self._lent(lambda client: getattr(client, name)(**arguments))

    def _lent(self, use: Callable[[Any], Any]) -> Any:
        lending, place = self._lending, self._place
        channel = lending.take(place)
        if channel is None:
            # Making one reads files.
            channel = fibers.offload(lambda: lending.made(place))
        try:
            return use(channel.used_by(self._keys))
        finally:
            lending.give(place)


class AwsCommon:
    """The identities of a run, and the clients that they share; so many of these are kept."""

    def __init__(self, most: int = CLIENTS) -> None:
        self._lock = threading.Lock()
        self._keys: dict[Hashable, Any] = {}
        self.clients: Lending[Channel] = Lending(most)

    def client(self, wanted: Wanted, keys: Any) -> Client:
        """Give a client in the hands of an identity; what is wrong is raised by its first call."""
        place = self.clients.place(wanted.key, functools.partial(_channel, wanted))
        return Client(self.clients, place, keys)

    def keys(self, access: aws.Access) -> Any:
        """Give the credentials of an identity: the same ones to all who are it."""
        identity = access.identity
        chain = (identity.profile, access.region)
        said = identity.credentials
        if said is not None:
            found = self._one(said, lambda: static(said))
        else:
            found = self._one(chain, lambda: _chain(*chain))
        role = identity.assume_role
        if role is None:
            return found
        source = found
        who = (chain, identity.credentials, role, access.reach)
        return self._one(who, lambda: Role(role, self._sts(access, role, source)))

    def identify(
        self, access: aws.Access, endpoint: str, region: str | None, expected: str | None
    ) -> Identity:
        """Make sure of the credentials, and ask STS whose they are.

        A store of its own has no STS, unless the config names one. Where no
        account is `expected`, not knowing it is no error; otherwise another
        account raises WrongIdentity, and every failure to ask is raised.
        """
        keys = self.keys(access)
        with aws.ErrorsOf("credentials", aws.NO_CODES):
            keys.get_frozen_credentials()
        if access.reach.endpoint_url is not None and access.identity.sts_endpoint_url is None:
            return Identity(endpoint, region)
        try:
            # Of a role STS has said it already.
            account = getattr(keys, "account", None) or self._caller_account(access)
        except ProviderError:
            if expected is not None:
                raise
            return Identity(endpoint, region)
        if expected not in {None, account}:
            message = f"the credentials belong to account {account}, the config expects {expected}"
            raise WrongIdentity(message, code="wrong_account")
        return Identity(endpoint, region, account)

    def close(self) -> None:
        """Close all clients, as soon as nobody uses them; calling twice is fine."""
        self.clients.close()

    def _one(self, who: Hashable, make: Callable[[], Any]) -> Any:
        with self._lock:
            if who not in self._keys:
                self._keys[who] = make()
            return self._keys[who]

    def _sts(self, access: aws.Access, role: AssumeRole, source: Any) -> Callable[..., Any]:
        """Give what assumes a role, as whoever may."""
        # An STS of AWS's own has certificates that everybody knows.
        ca_file = access.reach.ca_file if role.sts_endpoint_url is not None else None
        reach = replace(access.reach, endpoint_url=role.sts_endpoint_url, ca_file=ca_file)
        client = self.client(Wanted("sts", replace(access, reach=reach), _only_post), source)

        def assume(**arguments: Any) -> Any:
            return client.assume_role(**arguments)

        return assume

    def _caller_account(self, access: aws.Access) -> str:
        reach = replace(access.reach, endpoint_url=access.identity.sts_endpoint_url)
        wanted = Wanted("sts", replace(access, reach=reach), _only_post)
        client = self.client(wanted, self.keys(access))
        with aws.errors_of_sts("get_caller_identity"):
            reply = client.get_caller_identity()
        require(reply.get("Account"), "no_witness", "the reply does not name the account")
        return str(reply["Account"])


def _channel(wanted: Wanted) -> Channel:
    client, ca_bundle = sdk_client(wanted)
    if wanted.transport is None:
        return _Sdk(client)
    return wanted.transport(client, ca_bundle, wanted.access, wanted.allow)


def _chain(profile: str | None, region: str | None) -> Chain:
    find = functools.partial(find_keys, profile, region)
    return Chain(find) if profile is None else Chain(find, f"profile {profile}")


def _only_post(method: str, _url: str) -> bool:
    return method == "POST"
