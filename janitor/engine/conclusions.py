"""How an abort ends up in a result and in the ledger, whoever sent it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from janitor.engine.memory import Memory
from janitor.errors import JanitorError
from janitor.model import Decision, Outcome, UploadResult, size_of


def freed(decision: Decision) -> UploadResult:
    """Say that an upload was aborted, and its parts are gone."""
    return UploadResult(decision, Outcome.ABORTED, bytes_freed=size_of(decision))


def concluded(
    memory: Memory, intent: int, at: datetime, word: str, result: UploadResult
) -> UploadResult:
    """Write down what became of an intent; where that fails, the result tells."""
    try:
        memory.conclude(intent, at, word, size_freed=result.bytes_freed, error=result.error)
    except JanitorError as error:
        told = f"{result.error}; {error}" if result.error else str(error)
        return replace(result, error=told)
    return result
