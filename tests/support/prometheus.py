"""A real Prometheus and a real Alertmanager of our own, on loopback, and promtool."""

from __future__ import annotations

import json
import socket
import subprocess
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from support.debian import CACHE, program

_SHARE = Path("/usr/share/prometheus/alertmanager")
_PATIENCE = 60.0
_STEP = 0.05

Found = TypeVar("Found")


@dataclass(frozen=True, slots=True)
class Sample:
    """One series of an instant query, and its value."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Prometheus:
    """A running Prometheus."""

    url: str

    def query(self, expression: str) -> list[Sample]:
        """Ask for the value of an expression right now; AssertionError if it is none."""
        asked = urllib.parse.urlencode({"query": expression})
        answer = get_json(f"{self.url}/api/v1/query?{asked}")
        assert answer["status"] == "success", f"{expression}: {answer.get('error')}"
        data = answer["data"]
        if data["resultType"] == "scalar":
            return [Sample({}, float(data["result"][1]))]
        return [Sample(one["metric"], float(one["value"][1])) for one in data["result"]]

    def alerts(self) -> list[dict[str, Any]]:
        """Give every alert that is pending or firing."""
        found: list[dict[str, Any]] = get_json(f"{self.url}/api/v1/alerts")["data"]["alerts"]
        return found

    def troubled_rules(self) -> list[str]:
        """Name the rules whose last evaluation failed, and why."""
        groups = get_json(f"{self.url}/api/v1/rules")["data"]["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
        return [f"{rule['name']}: {rule['lastError']}" for rule in rules if rule.get("lastError")]


@contextmanager
def prometheus(config: Path, data: Path) -> Iterator[Prometheus]:
    """Run Prometheus with a config; what it gathers goes to a folder of its own."""
    port = free_port()
    arguments = [
        str(program("prometheus", "prometheus")),
        f"--config.file={config}",
        f"--storage.tsdb.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--log.level=warn",
    ]
    url = f"http://127.0.0.1:{port}"
    with _running(arguments, data.with_suffix(".log"), f"{url}/-/ready"):
        yield Prometheus(url)


@contextmanager
def alertmanager(config: Path, data: Path) -> Iterator[str]:
    """Run an Alertmanager that has no peers; give its URL."""
    port = free_port()
    binary, share = _relocated(program("prometheus-alertmanager", "prometheus-alertmanager"))
    arguments = [
        str(binary),
        f"--config.file={config}",
        f"--storage.path={data}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]
    url = f"http://127.0.0.1:{port}"
    with _running(arguments, data.with_suffix(".log"), f"{url}/-/ready", share):
        yield url


def promtool(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run promtool to its end; what it says on standard error is in `stdout`, too."""
    command = [program("prometheus", "promtool"), *arguments]
    return subprocess.run(  # noqa: S603  # a program of Debian's
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=110,
    )


def wait_for(what: str, look: Callable[[], Found], patience: float = _PATIENCE) -> Found:
    """Look until there is something to be seen, and give it; AssertionError if that takes long."""
    deadline = time.monotonic() + patience
    pause = threading.Event()
    while not (found := look()):
        assert time.monotonic() < deadline, f"waited in vain for {what}"
        pause.wait(_STEP)
    return found


def free_port() -> int:
    """Give a port that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def get_json(url: str) -> Any:
    """Ask for JSON, also where it comes with an error."""
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:  # noqa: S310  # loopback
            return json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return json.load(error)


def _relocated(binary: Path) -> tuple[Path, Path | None]:
    """Give an Alertmanager that finds its templates, and the folder it must run in, if any.

    Debian's looks for them in one fixed folder. Where the package is only unpacked, a copy of the
    program looks in the current folder instead: a path of the same length.
    """
    if CACHE not in binary.parents:
        return binary, None
    copy = binary.with_name("alertmanager-relocated")
    if not copy.exists():
        fixed = str(_SHARE).encode()
        here = b"." + b"/" * (len(fixed) - 1)
        content = binary.read_bytes()

        assert fixed in content
        with tempfile.NamedTemporaryFile(dir=binary.parent, delete=False) as file:
            file.write(content.replace(fixed, here))
        Path(file.name).chmod(0o755)
        Path(file.name).rename(copy)  # at once: another worker may do the same
    return copy, binary.parents[2] / _SHARE.relative_to("/")


@contextmanager
def _running(
    arguments: list[str], log: Path, ready: str, folder: Path | None = None
) -> Iterator[None]:
    """Run a program between `with` and its end; its log is shown if it does not start."""
    with log.open("w") as sink:
        process = subprocess.Popen(  # noqa: S603  # a program of Debian's
            arguments, cwd=folder, stdout=sink, stderr=sink
        )
    try:
        wait_for(f"{ready}: {arguments}", lambda: _answers(process, ready, log))
        yield
    finally:
        process.kill()
        process.wait()


def _answers(process: subprocess.Popen[bytes], url: str, log: Path) -> bool:
    assert process.poll() is None, log.read_text("utf-8")
    try:
        with urllib.request.urlopen(url, timeout=5):  # noqa: S310  # loopback
            return True
    except OSError:
        return False
