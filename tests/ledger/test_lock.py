"""One janitor at a time, on both databases, however the other one ends."""

from __future__ import annotations

import re
import socket
import subprocess
from pathlib import Path

import psycopg
import pytest
from support.ledger_child import child, lines
from support.ledger_samples import NOW, decision_of, header_of
from support.postgres import Server

from janitor.ledger import LedgerError, Locked, open_ledger, upgrade

_THIS_LOCK = """
    SELECT classid::bigint << 32 | objid::bigint FROM pg_locks
    WHERE locktype = 'advisory'
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""


def _kill(process: subprocess.Popen[str], url: str) -> None:
    """Kill a holder, and return when the system has seen it."""
    raw = None
    if url.startswith("postgres"):
        raw = psycopg.connect(url.replace("+psycopg", ""), autocommit=True)
        number = raw.execute(_THIS_LOCK).fetchone()
    process.kill()
    process.wait()
    if raw is not None:
        # The server notices a moment later; this waits for it.
        raw.execute("SELECT pg_advisory_lock(%s)", number)
        raw.close()


def test_the_second_janitor_is_refused_and_told_who_is_first(url: str) -> None:
    """Two janitors at once would spend two budgets."""
    open_ledger(url).close()
    with child("hold", url) as holder, open_ledger(url) as ledger:
        lines(holder, 1)

        with pytest.raises(Locked) as caught, ledger.lock():
            pass
    message = str(caught.value)

    assert "in use by another janitor" in message
    assert socket.gethostname()[:20] in caught.value.holder
    assert str(holder.pid) in caught.value.holder
    assert re.search(r"since 20\d\d-\d\d-\d\dT", caught.value.holder)


def test_a_killed_janitor_lets_go(url: str) -> None:
    """No lease must expire and nobody must clean up before the next can start."""
    with child("hold", url) as holder:
        lines(holder, 1)
        _kill(holder, url)
        with open_ledger(url) as ledger, ledger.lock():
            began = ledger.begin(header_of())

    assert 0 == began.runs_before


def test_a_forked_child_does_not_keep_the_lock(url: str) -> None:
    """What outlives the janitor must not stop the next one."""
    with child("fork", url) as holder:
        lines(holder, 1)
        _kill(holder, url)
        with open_ledger(url) as ledger, ledger.lock():
            began = ledger.begin(header_of())

    assert 0 == began.runs_before


def test_a_forked_child_that_unwinds_does_not_end_the_lock(url: str) -> None:
    """Only the janitor itself can end its lock."""
    with child("fork-and-go-on", url) as holder:
        said = lines(holder, 1)

    assert ["1"] == said


def test_the_lock_can_be_taken_again(url: str) -> None:
    """A daemon takes it for each sweep, and holds it only once."""
    with open_ledger(url) as ledger:
        with ledger.lock():
            with pytest.raises(Locked), ledger.lock():
                pass
            with pytest.raises(Locked):
                upgrade(url)
        with ledger.lock():
            ledger.begin(header_of())
            intent = ledger.intend("run-1", NOW, decision_of())

    assert 1 == intent


def test_a_ledger_for_reading_is_not_locked(url: str) -> None:
    """Whoever only reads has nothing to lock."""
    with (
        open_ledger(url, read_only=True) as ledger,
        pytest.raises(LedgerError, match="reading only"),
        ledger.lock(),
    ):
        pass


def test_a_lock_file_that_was_removed_stops_the_intents(tmp_path: Path) -> None:
    """Another janitor could hold a new one."""
    url = f"sqlite:///{tmp_path}/janitor.db"
    with open_ledger(url) as ledger, ledger.lock():
        ledger.begin(header_of())
        (tmp_path / "janitor.db.lock").unlink()

        with pytest.raises(LedgerError, match=r"no longer locked by us: .*janitor\.db\.lock was"):
            ledger.intend("run-1", NOW, decision_of())


def test_a_lock_file_with_rubbish_is_only_a_file(tmp_path: Path) -> None:
    """What is in it is for people; the lock is the kernel's."""
    url = f"sqlite:///{tmp_path}/janitor.db"
    lock_file = tmp_path / "janitor.db.lock"
    lock_file.write_bytes(b"\xff{")
    with open_ledger(url) as ledger, ledger.lock():
        lock_file.write_bytes(b"\xff{")
        with pytest.raises(Locked) as caught, ledger.lock():
            pass

    assert "unknown" == caught.value.holder


def test_a_lock_file_cannot_be_a_link(tmp_path: Path) -> None:
    """Writing our name through a planted link would destroy another file."""
    url = f"sqlite:///{tmp_path}/janitor.db"
    victim = tmp_path / "victim"
    victim.write_text("precious", encoding="ascii")
    (tmp_path / "janitor.db.lock").symlink_to(victim)
    with (
        open_ledger(url) as ledger,
        pytest.raises(LedgerError, match="cannot be used"),
        ledger.lock(),
    ):
        pass

    assert "precious" == victim.read_text(encoding="ascii")


def test_a_server_that_drops_the_lock_stops_the_intents(postgres: Server) -> None:
    """The lock is the connection: when that is gone, another janitor may be at work."""
    url = postgres.new_url()
    drop = "SELECT pg_terminate_backend(pid, 10000) FROM pg_locks WHERE locktype = 'advisory'"
    with open_ledger(url) as ledger, ledger.lock():
        ledger.begin(header_of())
        with postgres.connect(url) as raw:
            dropped = raw.execute(drop).fetchall()
        with pytest.raises(LedgerError, match="ended our connection"):
            ledger.intend("run-1", NOW, decision_of())
        with pytest.raises(LedgerError, match="is no longer locked by us"):
            ledger.intend("run-1", NOW, decision_of())

    assert [(True,)] == dropped
