"""The column types of the ledger: exact text and exact times."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Dialect, Text
from sqlalchemy.types import TypeDecorator

from janitor.ledger.codec import escaped, instant, microseconds, unescaped, whole


class ExactText(TypeDecorator[str]):
    """Any text at all, NUL and lone surrogates included."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Escape what a database cannot store."""
        del dialect
        return None if value is None else escaped(value)

    def process_result_value(self, value: object, dialect: Dialect) -> str | None:
        """Give back what was stored."""
        del dialect
        return None if value is None else unescaped(value)


class Instant(TypeDecorator[datetime]):
    """A moment, as the microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """Count the microseconds."""
        del dialect
        return None if value is None else microseconds(value)

    def process_result_value(self, value: object, dialect: Dialect) -> datetime | None:
        """Give the moment, in UTC."""
        del dialect
        return None if value is None else instant(value)


class Whole(TypeDecorator[int]):
    """A number; SQLite would keep anything in such a column, and give it back."""

    impl = BigInteger
    cache_ok = True

    def process_result_value(self, value: object, dialect: Dialect) -> int | None:
        """Refuse what is no number."""
        del dialect
        return None if value is None else whole(value)
