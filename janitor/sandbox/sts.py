"""AWS STS: AssumeRole and GetCallerIdentity, enough for cross-account configs."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from janitor.sandbox.aws import AwsService
from janitor.sandbox.context import whole_number
from janitor.sandbox.dates import seconds
from janitor.sandbox.signing import Flaw, NotBelieved
from janitor.sandbox.store import S3_HABITS, Store
from janitor.sandbox.wire import Call, Refusal, Reply, Request
from janitor.sandbox.xml import STS_NAMESPACE, document, leaf, tree

if TYPE_CHECKING:
    from collections.abc import Mapping

    from janitor.sandbox.identity import Principal
    from janitor.sandbox.world import Caller, World

FORM: Final = "application/x-www-form-urlencoded"
SHORTEST: Final = 900
LONGEST: Final = 43_200
_OPERATIONS: Final = {
    "AssumeRole": "sts.assume_role",
    "GetCallerIdentity": "sts.get_caller_identity",
}
_FLAWS: Final = {
    Flaw.MISSING: (403, "MissingAuthenticationToken", "Request is missing Authentication Token"),
    Flaw.MALFORMED: (400, "IncompleteSignature", "The signature is incomplete"),
    Flaw.UNKNOWN_KEY: (403, "InvalidClientTokenId", "The security token is invalid."),
    Flaw.BAD_SIGNATURE: (403, "SignatureDoesNotMatch", "The signature does not match."),
    Flaw.SKEWED: (403, "SignatureDoesNotMatch", "Signature expired or not yet current."),
    Flaw.EXPIRED: (403, "ExpiredToken", "The security token is expired"),
    Flaw.BAD_TOKEN: (403, "InvalidClientTokenId", "The security token is invalid."),
    Flaw.BODY_MISMATCH: (403, "SignatureDoesNotMatch", "The payload's hash does not match."),
}


def is_sts(request: Request) -> bool:
    """Tell whether a request on the S3 listener is meant for STS."""
    form = request.header("content-type").startswith(FORM)
    return request.method == "POST" and request.path in {b"", b"/"} and form


class Sts(AwsService):
    """The STS service."""

    name = "sts"
    operations = frozenset(_OPERATIONS.values()) | {"sts.unknown"}
    flaws = _FLAWS

    def __init__(self, world: World) -> None:
        # STS keeps nothing; the store is there for its lock.
        super().__init__(world, Store(S3_HABITS, world.clock))

    def route(self, request: Request) -> Call:
        """Understand a request."""
        action = _form(request).get("Action", "")
        return Call(operation=_OPERATIONS.get(action, "sts.unknown"), request=request)

    def disbelief(self, flaw: NotBelieved) -> Refusal:
        """Say what is wrong with a signature, but no details."""
        return Refusal(*_FLAWS[flaw.flaw])

    def denied(self, call: Call) -> Refusal:
        """Say AccessDenied."""
        return Refusal(403, "AccessDenied", f"User is not authorized to perform: {call.operation}")

    def perform(self, call: Call, caller: Caller) -> Reply:
        """Do what was asked."""
        if call.operation == "sts.assume_role":
            return self._assume(_form(call.request), caller.principal)
        if call.operation == "sts.get_caller_identity":
            return _identity(caller.principal)
        raise Refusal(400, "InvalidAction", "The sandbox does not know this action.")

    def refused(self, call: Call, refusal: Refusal) -> Reply:
        """Write an `<ErrorResponse>`."""
        del call
        error = tree(
            "Error",
            leaf("Type", "Sender"),
            leaf("Code", refusal.code),
            leaf("Message", refusal.message),
        )
        reply = document(
            "ErrorResponse",
            error,
            leaf("RequestId", "SANDBOX"),
            namespace=STS_NAMESPACE,
            status=refusal.status,
        )
        return reply.with_headers(refusal.headers)

    def _assume(self, form: Mapping[str, str], caller: Principal) -> Reply:
        arn, session = form.get("RoleArn", ""), form.get("RoleSessionName", "")
        role = self.world.keys.role(arn)
        if role is None or (role.external_id or "") != (form.get("ExternalId") or ""):
            message = f"User: {caller.arn} is not authorized to perform: sts:AssumeRole on {arn}"
            raise Refusal(403, "AccessDenied", message)
        if not re.fullmatch(r"[\w+=,.@-]{2,64}", session):
            raise Refusal(400, "ValidationError", "RoleSessionName is not valid")
        lifetime = whole_number(form.get("DurationSeconds") or "3600") or 0
        if not SHORTEST <= lifetime <= LONGEST:
            raise Refusal(400, "ValidationError", "DurationSeconds is not valid")
        now = self.world.clock.now()
        made = self.world.keys.assume(role, caller, session, now, timedelta(seconds=lifetime))
        return _assumed(made)


def _form(request: Request) -> Mapping[str, str]:
    return replace(request, query=request.body).params


def _assumed(made: Principal) -> Reply:
    ends = seconds(made.expires) if made.expires else ""
    credentials = tree(
        "Credentials",
        leaf("AccessKeyId", made.access_key_id),
        leaf("SecretAccessKey", made.secret_access_key),
        leaf("SessionToken", made.token),
        leaf("Expiration", ends),
    )
    user = tree(
        "AssumedRoleUser",
        leaf("AssumedRoleId", f"AROASANDBOX:{made.arn.rpartition('/')[2]}"),
        leaf("Arn", made.arn),
    )
    return _result("AssumeRole", user, credentials)


def _identity(caller: Principal) -> Reply:
    return _result(
        "GetCallerIdentity",
        leaf("Arn", caller.arn),
        leaf("UserId", caller.access_key_id),
        leaf("Account", caller.account_id),
    )


def _result(action: str, *children: str) -> Reply:
    return document(
        f"{action}Response",
        tree(f"{action}Result", *children),
        tree("ResponseMetadata", leaf("RequestId", "SANDBOX")),
        namespace=STS_NAMESPACE,
    )
