"""A server that cannot be trusted is told in one sentence, without the password."""

from __future__ import annotations

import socket
import traceback
from datetime import timedelta

import pytest
from psycopg import sql
from support.ledger_samples import HOUR, NOW, decision_of, header_of
from support.postgres import Server

from janitor.ledger import LedgerError, check, open_ledger
from janitor.ledger.types import Beginning


def _told(url: str, *, read_only: bool = False) -> str:
    with pytest.raises(LedgerError) as caught:
        open_ledger(url, read_only=read_only)
    trace = "".join(traceback.format_exception(caught.value))

    assert "s3cret" not in trace
    return str(caught.value)


def test_a_wrong_password_is_told_without_it(postgres: Server) -> None:
    """Neither the right nor the wrong one is repeated, not even in a traceback."""
    url = postgres.new_url().replace(postgres.password, "wr0ng-s3cret")

    told = _told(url)

    assert told.startswith("the ledger postgresql+psycopg://janitor:***@127.0.0.1:")
    assert "cannot be reached: check the address, the server and the password" in told


def test_a_password_among_the_options_is_hidden_too(postgres: Server) -> None:
    """Wherever it stands in the URL."""
    url = postgres.new_url().replace(f":{postgres.password}", "") + "&password=wr0ng-s3cret"

    assert "cannot be reached" in _told(url)


def test_a_server_that_is_not_there_is_told(postgres: Server) -> None:
    """The address is named."""
    del postgres
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]

        told = _told(f"postgresql+psycopg://u:s3cret@127.0.0.1:{port}/x")

    assert f"127.0.0.1:{port}/x cannot be reached" in told


def test_a_database_that_does_not_exist_is_told(postgres: Server) -> None:
    """We make tables, not databases."""
    told = _told(postgres.url("nowhere"))

    assert 'database "nowhere" does not exist' in told


def test_a_schema_that_does_not_exist_is_told(postgres: Server) -> None:
    """We make tables, not schemas."""
    url = f"{postgres.url('postgres')}?options=-csearch_path%3Dnowhere"

    assert "has no schema to use: create it, or correct search_path" in _told(url)


def test_two_schemas_are_two_ledgers(postgres: Server) -> None:
    """Neither their records nor their locks mix."""
    with open_ledger(postgres.new_url()) as one, open_ledger(postgres.new_url()) as other:
        with one.lock(), other.lock():
            one.begin(header_of())
        histories = [ledger.history(1) for ledger in (one, other)]

    assert [1, 0] == [len(history) for history in histories]


def test_another_encoding_is_refused(postgres: Server) -> None:
    """Keys could not be stored as they are."""
    url = postgres.new_database("SQL_ASCII")

    assert "is encoded in SQL_ASCII: create the database with UTF8" in _told(url)


def test_a_user_without_rights_is_told(postgres: Server) -> None:
    """The sentence says whom to grant what."""
    url = postgres.new_database()
    with postgres.connect() as raw:
        raw.execute(sql.SQL("DROP ROLE IF EXISTS reader"))
        raw.execute(sql.SQL("CREATE ROLE reader LOGIN PASSWORD 's3cret-reader'"))
    url = url.replace(f"janitor:{postgres.password}", "reader:s3cret-reader")

    assert "denied a right: grant it to the user of the janitor" in _told(url)


def test_a_server_that_may_forget_is_refused(postgres: Server) -> None:
    """Without fsync, a confirmed intent can be lost with the power."""
    url = postgres.new_url()
    with postgres.connect() as raw:
        raw.execute("ALTER SYSTEM SET fsync = off")
        raw.execute("SELECT pg_reload_conf()")
        try:
            # The setting comes by a signal: ask until a new session has it.
            while _setting(postgres, "fsync") != "off":
                pass
            told = _told(url)
            with open_ledger(url, read_only=True) as reader:
                history = reader.history(1)
        finally:
            raw.execute("ALTER SYSTEM RESET fsync")
            raw.execute("SELECT pg_reload_conf()")
            while _setting(postgres, "fsync") != "on":
                pass

    assert "may forget what it confirmed: set fsync = on in the server" in told
    assert [] == history


def _setting(postgres: Server, name: str) -> str:
    with postgres.connect() as raw:
        row = raw.execute(sql.SQL("SHOW {}").format(sql.Identifier(name))).fetchone()
    assert row is not None
    return str(row[0])


def test_commits_are_synchronous_whatever_the_server_says(postgres: Server) -> None:
    """A server that was tuned for speed does not weaken the promise."""
    url = postgres.new_database()
    with postgres.connect(url) as raw:
        name = url.rpartition("/")[2]
        slack = "ALTER DATABASE {} SET synchronous_commit = off"
        raw.execute(sql.SQL(slack).format(sql.Identifier(name)))
    with open_ledger(url) as ledger, ledger._session.reading() as connection:  # noqa: SLF001
        setting = connection.exec_driver_sql("SHOW synchronous_commit").scalar_one()

    assert "on" == setting


def test_a_connection_that_was_lost_is_made_anew(postgres: Server) -> None:
    """One error is told, the next step goes on; nothing confirmed is lost."""
    url = postgres.new_url()
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        intent = ledger.intend("run-1", NOW, decision_of())
        with postgres.connect(url) as raw:
            raw.execute(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid != pg_backend_pid()"
            )
        with pytest.raises(LedgerError, match="ended our connection"):
            ledger.conclude(intent, NOW, "aborted")
        ledger.conclude(intent, NOW, "aborted")

    assert [] == check(url)


def test_a_table_that_somebody_locks_is_told(postgres: Server) -> None:
    """We wait a while, and then say so instead of hanging."""
    url = postgres.new_url()
    with open_ledger(url, patience=timedelta(milliseconds=1)) as ledger:
        ledger.begin(header_of())
        with postgres.connect(url) as raw, raw.transaction():
            raw.execute("LOCK TABLE janitor_journal_head")
            with pytest.raises(LedgerError, match="is locked by another program"):
                ledger.intend("run-1", NOW, decision_of())
        intent = ledger.intend("run-1", NOW, decision_of())

    assert 1 == intent


def test_reading_cannot_write(postgres: Server) -> None:
    """The server itself would refuse."""
    url = postgres.new_url()
    open_ledger(url).close()
    with open_ledger(url, read_only=True) as ledger:
        with pytest.raises(LedgerError, match="was opened for reading only"):
            ledger.begin(header_of())
        with (
            pytest.raises(LedgerError, match="is read-only"),
            ledger._session.reading() as connection,  # noqa: SLF001
        ):
            connection.exec_driver_sql("DELETE FROM janitor_plans")


def test_reading_a_missing_ledger_makes_none(postgres: Server) -> None:
    """An empty database stays empty, and acts as an empty ledger."""
    url = postgres.new_database()
    with open_ledger(url, read_only=True) as ledger:
        history = ledger.history(1)
    problems = check(url)
    with open_ledger(url) as ledger:
        began = ledger.begin(header_of())

    assert [] == history
    assert [True] == ["there is no ledger" in problem for problem in problems]
    assert Beginning(fresh=True, changed_targets=frozenset(), runs_before=0) == began


def test_tables_of_others_do_not_matter(postgres: Server) -> None:
    """A database that is shared with another program is shared in peace."""
    url = postgres.new_url()
    with postgres.connect(url) as raw:
        raw.execute("CREATE TABLE runs (x int)")
        raw.execute("CREATE TABLE alembic_version (version_num text)")
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
        ledger.finish("run-1", NOW + HOUR, 0)
        history = ledger.history(2)

    assert ["run-1"] == [run.run_id for run in history]
