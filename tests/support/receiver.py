"""A webhook receiver: hears what Alertmanager has to tell."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """Everything that was heard, in order."""

    url: str = ""
    notes: list[dict[str, Any]] = field(default_factory=list)

    def heard(self, alert: str, status: str) -> list[dict[str, Any]]:
        """Give what was told of an alert in this status: firing or resolved."""
        return [
            told
            for note in list(self.notes)
            for told in note["alerts"]
            if told["labels"]["alertname"] == alert and told["status"] == status
        ]

    def firing(self) -> set[str]:
        """Name every alert that was ever told to fire."""
        return {
            told["labels"]["alertname"]
            for note in list(self.notes)
            for told in note["alerts"]
            if told["status"] == "firing"
        }


@contextmanager
def receiver() -> Iterator[Receiver]:
    """Listen between `with` and its end."""
    heard = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            heard.notes.append(json.loads(body))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    heard.url = f"http://127.0.0.1:{server.server_port}/"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
