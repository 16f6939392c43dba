"""A small API server that knows nothing but Leases, and how to fail."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

_PREFIX = "/apis/coordination.k8s.io/v1/namespaces/"
Json = dict[str, Any]


@dataclass(slots=True)
class Fault:
    """What goes wrong with the next requests of a method (None: any), `times` times or for ever.

    `status` is answered instead of doing anything; `lose` does it and then
    hangs up; `hang` answers when `free` is set; `body` is sent as the answer.
    """

    method: str | None = None
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | None = None
    kind: Literal["answer", "lose", "hang"] = "answer"
    times: int | None = 1
    free: threading.Event = field(default_factory=threading.Event)


class LeaseServer:
    """Leases by (namespace, name), with resource versions; counts and remembers requests."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.leases: dict[tuple[str, str], Json] = {}
        self.requests: list[tuple[str, str]] = []
        self.tokens: list[str | None] = []
        self.written: list[Json] = []
        self.faults: list[Fault] = []
        self.namespaces = {"janitors"}
        self.port = 0
        self._version = 100

    @property
    def lease(self) -> Json:
        """The only Lease there is."""
        with self.lock:
            (found,) = self.leases.values()
            return json.loads(json.dumps(found))  # type: ignore[no-any-return]

    def put(self, name: str, spec: Json, namespace: str = "janitors", **metadata: Any) -> None:
        """Write a Lease as somebody else would."""
        with self.lock:
            old = self.leases.get((namespace, name), {"metadata": {}})["metadata"]
            body = {"metadata": old | metadata | {"name": name}, "spec": spec}
            self._store(namespace, body)

    def delete(self, name: str, namespace: str = "janitors") -> None:
        """Delete a Lease."""
        with self.lock:
            del self.leases[namespace, name]

    def answer(  # noqa: PLR0911  # one for each answer that a client must understand
        self, method: str, path: str, body: Json
    ) -> tuple[int, Json]:
        """Do what is asked for."""
        namespace, _, rest = path.removeprefix(_PREFIX).partition("/")
        name = rest.removeprefix("leases").removeprefix("/")
        if method == "POST":
            name = body["metadata"]["name"]
        with self.lock:
            found = self.leases.get((namespace, name))
            if namespace not in self.namespaces:
                return _no(404, "NotFound", namespace, "namespaces")
            if method == "POST" and found is not None:
                return _no(409, "AlreadyExists", name)
            if method == "POST":
                return 201, self._store(namespace, body)
            if found is None:
                return _no(404, "NotFound", name)
            if method == "GET":
                return 200, found
            if body["metadata"].get("resourceVersion") != found["metadata"]["resourceVersion"]:
                return _no(409, "Conflict", name)
            return 200, self._store(namespace, body)

    def fault_for(self, method: str) -> Fault | None:
        """Give the fault that this request meets."""
        with self.lock:
            for fault in self.faults:
                if fault.method in {None, method} and fault.times != 0:
                    if fault.times is not None:
                        fault.times -= 1
                    return fault
        return None

    def _store(self, namespace: str, body: Json) -> Json:
        self._version += 1
        metadata = body["metadata"] | {
            "namespace": namespace,
            "resourceVersion": str(self._version),
            "uid": body["metadata"].get("uid", f"uid-{self._version}"),
        }
        kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        stored = {**kind, "metadata": metadata, "spec": body["spec"]}
        self.leases[namespace, metadata["name"]] = stored
        self.written.append(body["spec"])
        return stored


def _no(code: int, reason: str, name: str, kind: str = "leases") -> tuple[int, Json]:
    message = f'{kind} "{name}": {reason}'
    status = {"kind": "Status", "status": "Failure", "message": message, "reason": reason}
    return code, status | {"code": code, "details": {"name": name, "kind": kind}}


def _handler(server: LeaseServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_any(self) -> None:
            length = int(self.headers.get("content-length", 0))
            body = json.loads(self.rfile.read(length) or b"{}")
            with server.lock:
                server.requests.append((self.command, self.path))
                server.tokens.append(self.headers.get("authorization"))
            fault = server.fault_for(self.command)
            if fault is None:
                self.reply(*server.answer(self.command, self.path, body))
                return
            if fault.kind == "hang":
                fault.free.wait(60)
            if fault.kind == "lose":
                server.answer(self.command, self.path, body)
            if fault.kind != "answer":
                self.close_connection = True
                return
            self.reply(fault.status or 200, fault.body or b"", fault.headers)

        do_GET = do_POST = do_PUT = handle_any  # noqa: N815  # the library's names

        def reply(
            self, code: int, body: Json | bytes, headers: dict[str, str] | None = None
        ) -> None:
            data = body if isinstance(body, bytes) else json.dumps(body).encode()
            self.send_response(code)
            for name, value in {"content-type": "application/json", **(headers or {})}.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    return Handler


class _Quiet(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing of clients that hang up, which is what is tested."""


@contextmanager
def serving(wrap: Callable[[Any], Any] | None = None, port: int = 0) -> Iterator[LeaseServer]:
    """Serve on a free port; `wrap` puts TLS around the socket."""
    server = LeaseServer()
    with _Quiet(("127.0.0.1", port), _handler(server)) as web:
        if wrap is not None:
            web.socket = wrap(web.socket)
        server.port = web.server_port
        thread = threading.Thread(target=web.serve_forever, args=[0.05], daemon=True)
        thread.start()
        try:
            yield server
        finally:
            for fault in server.faults:
                fault.free.set()
            web.shutdown()
            thread.join()


def tls(context: ssl.SSLContext) -> Callable[[Any], Any]:
    """Wrap a listening socket."""
    return lambda listening: context.wrap_socket(listening, server_side=True)
