"""Log lines: one pipeline for structlog and for the standard library, always to one stream."""

from __future__ import annotations

import logging
import os
import sys
import traceback
from contextlib import suppress
from types import TracebackType
from typing import Literal, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from janitor.observe import current_run
from janitor.observe.log_lines import LogObserver
from janitor.observe.redaction import redact, redacted, scrub

__all__ = ["LogObserver", "configure", "crashed", "redact"]

# The least that these may say, whatever the config asks for: below it botocore
# and qingstor-sdk print signatures, and qingstor-sdk sets its own level. alembic
# has a dozen lines to say of itself when it makes a ledger.
_FLOORS = {
    "alembic": logging.WARNING,
    "apscheduler": logging.WARNING,
    "boto3": logging.WARNING,
    "botocore": logging.WARNING,
    "qingstor-sdk": logging.WARNING,
    "s3transfer": logging.WARNING,
    "urllib3": logging.WARNING,
    "uvicorn": logging.ERROR,  # it warns of every malformed request that anybody sends
}


def configure(
    format: Literal["auto", "console", "json"] = "auto",  # noqa: A002  # the config's word
    level: str = "info",
    stream: TextIO | None = None,
) -> None:
    """Send every log line of this process to `stream` (standard error if None).

    `auto` is console on a terminal, else JSON. Calling it again replaces what
    was configured before.
    """
    stream = sys.stderr if stream is None else stream
    threshold = logging.getLevelNamesMapping()[level.upper()]
    console = stream.isatty() if format == "auto" else format == "console"
    structlog.configure(
        processors=[*_common(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream)
    handler.setFormatter(_formatter(_console(stream) if console else _json()))
    handler.addFilter(_loud_enough)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name, floor in _FLOORS.items():
        logging.getLogger(name).setLevel(max(threshold, floor))
    logging.captureWarnings(capture=True)


def crashed(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """Tell of a mistake of ours that ends the process, as `sys.excepthook` is asked to.

    Python's own way would print the error as it is, with whatever secret it quotes.
    """
    if any(isinstance(handler, _Handler) for handler in logging.getLogger().handlers):
        structlog.get_logger("janitor").critical("janitor.crashed", exc_info=(kind, error, trace))
    else:
        text = "".join(traceback.format_exception(kind, error, trace))
        sys.stderr.write(redacted(text))


class _Handler(logging.StreamHandler[TextIO]):
    """Loses a line rather than an upload: the default prints the arguments, unredacted."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # logging's name
        kind = type(sys.exception()).__name__
        with suppress(Exception):
            self.stream.write(f"a log line of {record.name} was lost: {kind}\n")


def _loud_enough(record: logging.LogRecord) -> bool:
    return record.levelno >= _FLOORS.get(record.name.partition(".")[0], logging.NOTSET)


def _common() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        _with_run_id,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        # Not `dict_tracebacks`, which prints the local variables.
        structlog.processors.format_exc_info,
    ]


def _formatter(renderers: list[Processor]) -> logging.Formatter:
    remove = structlog.stdlib.ProcessorFormatter.remove_processors_meta
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=_common(), processors=[remove, _without_secrets, _ordered, *renderers]
    )


def _json() -> list[Processor]:
    return [structlog.processors.JSONRenderer()]


def _console(stream: TextIO) -> list[Processor]:
    renderer = structlog.dev.ConsoleRenderer(
        colors=stream.isatty() and not os.environ.get("NO_COLOR"),
        exception_formatter=structlog.dev.plain_traceback,
        sort_keys=False,
        pad_level=False,
    )
    return [_without_controls, renderer]


def _with_run_id(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    for name, value in current_run.facts().items():
        line.setdefault(name, value)
    return line


def _without_secrets(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    cleaned = scrub(line)
    assert isinstance(cleaned, dict)  # noqa: S101  # for mypy: a mapping stays one
    return cleaned


def _ordered(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    first = ("timestamp", "level", "event", "run_id")
    return {name: line[name] for name in first if name in line} | {
        name: value for name, value in line.items() if name not in first
    }


def _without_controls(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Keep a line one line, and the terminal as it is, whatever keys and errors contain."""
    trace = line.pop("exception", None)
    escaped = scrub(line, _escaped)
    assert isinstance(escaped, dict)  # noqa: S101  # for mypy: a mapping stays one
    if trace is not None:
        # Indented, so that no line of an error's text can pose as a log line.
        lines = str(trace).rstrip("\n").split("\n")
        escaped["exception"] = "\n".join(f"    {_escaped(text)}" for text in lines)
    return escaped


def _escaped(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text
    )
