"""One request from its bytes to its reply: hooks, faults, signature, action, journal."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from fnmatch import fnmatchcase
from threading import Lock
from typing import TYPE_CHECKING, Final

from janitor.sandbox.dates import http_date
from janitor.sandbox.faults import Fault, FaultKind
from janitor.sandbox.journal import Entry, accuse
from janitor.sandbox.wire import Call, Refusal, Reply, Request
from janitor.sandbox.world import fault_code

if TYPE_CHECKING:
    from collections.abc import Callable

    from janitor.sandbox.world import WireProtocol, World

_HTML: Final = b"<!DOCTYPE html><html><body><h1>Welcome</h1><p>Please log in.</p></body></html>"
_UNDONE: Final = frozenset(
    {FaultKind.STATUS, FaultKind.DROP_BEFORE, FaultKind.REDIRECT, FaultKind.HTML_BODY}
)
_DROPPED: Final = frozenset({FaultKind.DROP_BEFORE, FaultKind.DROP_AFTER})
_REQUEST_IDS: Final = {
    "s3": "x-amz-request-id",
    "sts": "x-amzn-RequestId",
    "glacier": "x-amzn-RequestId",
    "qingstor": "x-qs-request-id",
}


class Hooks:
    """Callbacks that run right before an operation is handled. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._hooks: list[tuple[str, Callable[[Call], object]]] = []

    def add(self, operation: str, callback: Callable[[Call], object]) -> None:
        """Call `callback` before every call of `operation`, a name or a pattern."""
        with self._lock:
            self._hooks.append((operation, callback))

    def of(self, operation: str) -> list[Callable[[Call], object]]:
        """Copy the callbacks of an operation."""
        with self._lock:
            return [hook for pattern, hook in self._hooks if fnmatchcase(operation, pattern)]


class Exchange:
    """Answers requests of any protocol."""

    def __init__(self, world: World, hooks: Hooks) -> None:
        self.world = world
        self.hooks = hooks

    async def answer(self, protocol: WireProtocol, request: Request) -> Reply | None:
        """Answer one request; None means that the connection shall be dropped."""
        call = protocol.route(request)
        for hook in self.hooks.of(call.operation):
            # In a thread of its own, so that a hook may talk to the sandbox itself.
            await asyncio.to_thread(hook, call)
        fault = self.world.faults.take(call)
        if fault is not None:
            call = replace(call, fault=fault)
            if fault.latency:
                await asyncio.sleep(fault.latency)
        reply = self._faulty(protocol, call, fault)
        self._record(protocol, call, reply)
        return reply

    def _faulty(self, protocol: WireProtocol, call: Call, fault: Fault | None) -> Reply | None:
        if fault is None:
            return self._dressed(protocol, self._true(protocol, call), None)
        kind = fault.kind
        true = None if kind in _UNDONE else self._true(protocol, call)
        if kind in _DROPPED:
            return None
        reply = _replaced(protocol, call, fault) if true is None else _changed(true, fault)
        if kind is FaultKind.STATUS_AFTER:
            reply = _replaced(protocol, call, fault)
        return self._dressed(protocol, reply, fault)

    def _true(self, protocol: WireProtocol, call: Call) -> Reply:
        try:
            caller = protocol.authenticate(call)
            if self.world.denials.holds(call):
                raise protocol.denied(call)
            with protocol.store.lock:
                return protocol.perform(call, caller)
        except Refusal as refusal:
            return protocol.refused(call, refusal)

    def _dressed(self, protocol: WireProtocol, reply: Reply, fault: Fault | None) -> Reply:
        headers: dict[str, str | None] = {
            "Date": http_date(self.world.clock.now()),
            "Server": "janitor-sandbox",
            _REQUEST_IDS[protocol.name]: "SANDBOX",
            **reply.headers,
            **(fault.headers if fault is not None else {}),
        }
        kept = {name: value for name, value in headers.items() if value is not None}
        return replace(reply, headers=kept)

    def _record(self, protocol: WireProtocol, call: Call, reply: Reply | None) -> None:
        claimed = protocol.claimed_key(call.request)
        entry = Entry(
            when=self.world.clock.now(),
            provider=protocol.name,
            operation=call.operation,
            method=call.request.method,
            target=call.request.target,
            container=call.container,
            key=call.key,
            upload_id=call.upload_id,
            status=reply.status if reply is not None else None,
            access_key_id=claimed,
            fault=call.fault.kind.value if call.fault is not None else None,
        )
        self.world.journal.add(entry)
        known = self.world.keys.find(claimed)
        accusation = accuse(entry, owner=known is not None and known.owner)
        if accusation is not None:
            self.world.accusations.append(accusation)


def _replaced(protocol: WireProtocol, call: Call, fault: Fault) -> Reply:
    if fault.kind is FaultKind.HTML_BODY:
        return Reply(fault.status or 200, {"Content-Type": "text/html"}, _HTML)
    if fault.kind is FaultKind.REDIRECT:
        location = fault.location or call.request.target
        return Reply(fault.status or 307, {"Location": location})
    status = fault.status or 500
    code = fault.code or fault_code(protocol.name, status)
    return protocol.refused(call, Refusal(status, code, fault.message or "A planned fault."))


def _changed(true: Reply, fault: Fault) -> Reply:
    kept = true.body[: len(true.body) // 2 if fault.keep is None else fault.keep]
    if fault.kind is FaultKind.CUT_BODY:
        return replace(true, body=kept, length=max(len(true.body), len(kept) + 1))
    if fault.kind is FaultKind.CUT_DOCUMENT:
        return replace(true, body=kept)
    if fault.kind is FaultKind.EMPTY_BODY:
        return replace(true, body=b"")
    if fault.kind is FaultKind.WRONG_TYPE:
        return replace(true, headers={**true.headers, "Content-Type": "text/plain"})
    return true
