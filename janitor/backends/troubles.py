"""Errors of our own tree, as something that travels and comes back as what it was."""

from __future__ import annotations

from janitor import errors
from janitor.backends.pieces import Trouble
from janitor.errors import JanitorError, ProviderError
from janitor.observe.redaction import redacted


def trouble_of(error: JanitorError) -> Trouble:
    """Pack an error, as the nearest class that `janitor.errors` has.

    Who reads it there does not know our secrets, and could not take them out.
    """
    kind = next(one.__name__ for one in type(error).__mro__ if one.__module__ == errors.__name__)
    if isinstance(error, ProviderError):
        return Trouble(kind, redacted(str(error)), error.code, error.status)
    return Trouble(kind, redacted(str(error)))


def error_of(trouble: Trouble) -> JanitorError:
    """Give back an error that was packed."""
    kind = getattr(errors, trouble.kind)
    if issubclass(kind, ProviderError):
        found: JanitorError = kind(trouble.message, code=trouble.code, status=trouble.status)
        return found
    plain: JanitorError = kind(trouble.message)
    return plain


def provider_error_of(trouble: Trouble | None) -> ProviderError | None:
    """Give back the error of one upload; None where there was none."""
    found = None if trouble is None else error_of(trouble)
    return found if isinstance(found, ProviderError) else None
