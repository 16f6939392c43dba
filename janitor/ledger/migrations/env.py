"""Runs the steps on the connection that is handed in; alembic imports this file."""

from __future__ import annotations

from alembic import context

from janitor.ledger.schema import VERSION_TABLE


def _run() -> None:
    """Run all steps inside the caller's transaction: all of them happen, or none."""
    context.configure(
        connection=context.config.attributes["connection"],
        version_table=VERSION_TABLE,
        transactional_ddl=True,
    )
    context.run_migrations()


_run()
