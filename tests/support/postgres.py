"""A real PostgreSQL server of our own, on loopback, for one test session."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

_DEBIAN = Path("/usr/lib/postgresql")
_SUPERUSER = "janitor"
_SETTINGS = (
    "listen_addresses=127.0.0.1",
    "unix_socket_directories=",
    "max_connections=50",
    "shared_buffers=16MB",
    "log_min_messages=panic",
)


class CannotInstall(Exception):  # noqa: N818  # it is the reason of a skip
    """There is no PostgreSQL here, and none can be had."""


@dataclass
class Server:
    """A running server; each test gets a schema of its own, or a database where that matters."""

    port: int
    password: str = "s3cret-of-the-ledger"  # only on loopback, only for a test
    _made: int = 0

    def new_url(self) -> str:
        """Make an empty schema and give the URL of a ledger in it."""
        name = self._new_name()
        with self.connect() as connection:
            connection.execute(sql.SQL("CREATE SCHEMA {}").format(sql.Identifier(name)))
        return f"{self.url('postgres')}?options=-csearch_path%3D{name}"

    def new_database(self, encoding: str = "UTF8") -> str:
        """Make an empty database and give the URL of a ledger in it."""
        name = self._new_name()
        statement = "CREATE DATABASE {} ENCODING {} TEMPLATE template0 LOCALE 'C'"
        with self.connect() as connection:
            connection.execute(
                sql.SQL(statement).format(sql.Identifier(name), sql.Literal(encoding))
            )
        return self.url(name)

    def url(self, database: str) -> str:
        """Give the URL of a ledger in a database."""
        return f"postgresql+psycopg://{_SUPERUSER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def _new_name(self) -> str:
        self._made += 1
        return f"ledger_{self._made}"

    def connect(self, url: str | None = None) -> psycopg.Connection:
        """Connect past the ledger; whoever asks closes."""
        plain = (url or self.url("postgres")).replace("+psycopg", "")
        return psycopg.connect(plain, autocommit=True)


@contextmanager
def running() -> Iterator[Server]:
    """Start a server in a directory that is removed afterwards."""
    binaries = _binaries()
    # Not pytest's own directory: that belongs to root, who must not run a server.
    with tempfile.TemporaryDirectory(prefix="janitor-postgres-") as directory:
        home = Path(directory)
        server = Server(_free_port())
        account = _account()
        if account is not None:
            shutil.chown(home, account)
        password = home / "password"
        password.write_text(server.password, encoding="ascii")
        data = home / "data"
        options = ["-A", "scram-sha-256", "-E", "UTF8", "--no-locale", "--no-sync"]
        identity = ["-U", _SUPERUSER, "--pwfile", str(password)]
        _run([str(binaries / "initdb"), "-D", str(data), *identity, *options], account)
        settings = " ".join(f"-c {setting}" for setting in (*_SETTINGS, f"port={server.port}"))
        control = [str(binaries / "pg_ctl"), "-D", str(data), "-w", "-t", "60"]
        _run([*control, "-l", str(data / "log"), "-o", settings, "start"], account)
        try:
            yield server
        finally:
            _run([*control, "-m", "immediate", "stop"], account)


def skip_loudly(reason: CannotInstall) -> None:
    """Skip, and say so where nobody can overlook it."""
    warnings.warn(f"PostgreSQL IS NOT TESTED: {reason}", RuntimeWarning, stacklevel=1)
    pytest.skip(f"PostgreSQL IS NOT TESTED: {reason}")


def _binaries() -> Path:
    """Find the server's programs, or install them from Debian's packages."""
    found = _find()
    if found is None:
        _install()
        found = _find()
    if found is None:
        msg = "the package postgresql brought no initdb"
        raise CannotInstall(msg)
    return found


def _find() -> Path | None:
    on_path = shutil.which("initdb")
    if on_path is not None:
        return Path(on_path).resolve().parent
    newest_first = sorted(_DEBIAN.glob("*/bin/initdb"), reverse=True)
    return newest_first[0].parent if newest_first else None


def _install() -> None:
    apt_get = shutil.which("apt-get")
    if os.geteuid() != 0 or apt_get is None:
        msg = "there is no initdb, and we cannot install the package postgresql"
        raise CannotInstall(msg)
    quiet = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    for arguments in (["update"], ["install", "-y", "--no-install-recommends", "postgresql"]):
        done = subprocess.run(  # noqa: S603  # our own command
            [apt_get, "-qq", *arguments], env=quiet, capture_output=True, check=False
        )
        if done.returncode:
            msg = f"apt-get {arguments[0]} failed: {done.stderr.decode(errors='replace')[-300:]}"
            raise CannotInstall(msg)


def _account() -> str | None:
    """Say whom to run as: the server refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


def _run(command: list[str], account: str | None) -> None:
    done = subprocess.run(  # noqa: S603  # our own command
        command,
        user=account,
        cwd="/",
        stdin=subprocess.DEVNULL,
        # The server keeps the output of pg_ctl open: a pipe would never end.
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        msg = f"{command[0]} failed with {done.returncode}"
        raise AssertionError(msg)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
