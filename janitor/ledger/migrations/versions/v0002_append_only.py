"""The journal refuses every change to what is in it, whoever asks."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

_REFUSAL = "the journal is append-only"

_SQLITE = (
    f"""
    CREATE TRIGGER janitor_journal_no_update BEFORE UPDATE ON janitor_journal
    BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
    """,
    f"""
    CREATE TRIGGER janitor_journal_no_delete BEFORE DELETE ON janitor_journal
    BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
    """,
    # INSERT OR REPLACE deletes without asking the trigger above.
    f"""
    CREATE TRIGGER janitor_journal_no_replace BEFORE INSERT ON janitor_journal
    WHEN EXISTS (SELECT 1 FROM janitor_journal
                 WHERE seq = NEW.seq OR (NEW.intent IS NOT NULL AND intent = NEW.intent))
    BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
    """,  # noqa: S608  # a constant
)

_POSTGRES = (
    f"""
    CREATE FUNCTION janitor_journal_refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION '{_REFUSAL}' USING ERRCODE = 'restrict_violation'; END $$
    """,
    """
    CREATE TRIGGER janitor_journal_no_change BEFORE UPDATE OR DELETE ON janitor_journal
    FOR EACH ROW EXECUTE FUNCTION janitor_journal_refuse()
    """,
    """
    CREATE TRIGGER janitor_journal_no_truncate BEFORE TRUNCATE ON janitor_journal
    FOR EACH STATEMENT EXECUTE FUNCTION janitor_journal_refuse()
    """,
)


def upgrade() -> None:
    """Add the triggers."""
    statements = _SQLITE if op.get_bind().dialect.name == "sqlite" else _POSTGRES
    for statement in statements:
        op.execute(statement)
