"""Says why one upload is kept or would be aborted, with the evidence; changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import datetime

import click

from janitor import providers, settings
from janitor.commands.signals import stopping
from janitor.commands.sweep import Printing, log_to_stderr
from janitor.engine.calls import Caller, Deadline
from janitor.engine.discover import ALL, discover
from janitor.engine.inspect import Inspector, Pages
from janitor.engine.tally import EXIT_INCOMPLETE, EXIT_INTERRUPTED
from janitor.errors import JanitorError
from janitor.evidence import Budget, Listing, Place
from janitor.explain import Explanation, explain
from janitor.ledger import Ledger, open_ledger
from janitor.model import ContainerRef, Upload
from janitor.observe.hiding import hide_secrets
from janitor.providers.base import Connection
from janitor.report.explained import explanation_lines, explanations_json
from janitor.report.text import counted, visible
from janitor.settings.types import Settings
from janitor.sweep import DAY
from janitor.targets import Target, is_glob
from janitor.wiring import flow_of, steady, utc_now

EXIT_NOT_FOUND = 1
NARROWEST, WIDEST = 60, 100


@dataclass(frozen=True, slots=True)
class Question:
    """Which uploads to explain; None means any."""

    target: str
    key: str | None = None
    container: str | None = None
    upload_id: str | None = None

    def wants(self, upload: Upload) -> bool:
        """Whether it is about this upload."""
        return self.key in {None, upload.key} and self.upload_id in {None, upload.upload_id}

    def __str__(self) -> str:
        """Name what is looked for."""
        words = [f"key '{self.key}'"] if self.key is not None else []
        words += [f"upload id '{self.upload_id}'"] if self.upload_id is not None else []
        return " with " + " and ".join(words) if words else ""


def run_explain(path: str, question: Question, output: str, rows: int) -> int:
    """Explain what was asked for and give the exit code."""
    loaded = settings.load(path, os.environ)
    target = _target(loaded, question)
    log_to_stderr(loaded, Printing())
    hide_secrets(loaded)
    with stopping() as stop:
        pages = Pages()
        caller = Caller(pages, stop.event, flow=flow_of(loaded))
        search = _Search(loaded, target, question, caller, pages)
        with _memory(loaded) as memory:
            found, listings = search.explain(memory, rows)
    _print(found, listings, search, output)
    if any(listing.doubt is not None for listing in listings):
        return stop.code(EXIT_INTERRUPTED) if stop.number else EXIT_INCOMPLETE
    return 0 if found else EXIT_NOT_FOUND


def _target(loaded: Settings, question: Question) -> Target:
    by_name = {target.name: target for target in loaded.targets}
    if question.target not in by_name:
        known = ", ".join(sorted(by_name))
        msg = f"there is no target {question.target!r}; there are: {known}"
        raise click.BadParameter(msg, param_hint="TARGET")
    target = by_name[question.target]
    if question.key is not None and target.provider == "glacier":
        msg = "uploads to Glacier have no key: use --upload-id"
        raise click.BadParameter(msg, param_hint="KEY")
    return target


@contextmanager
def _memory(loaded: Settings) -> Iterator[Ledger | None]:
    if loaded.ledger is None:
        yield None
        return
    with open_ledger(loaded.ledger, read_only=True) as ledger:
        yield ledger


class _Search:
    def __init__(
        self, loaded: Settings, target: Target, question: Question, caller: Caller, pages: Pages
    ) -> None:
        self._loaded = loaded
        self._target = target
        self._caller = caller
        self._pages = pages
        self.question = question
        self.now: Callable[[], datetime] = steady(utc_now)
        self.more = 0
        self._deadline = Deadline(loaded.execution.target_timeout.total_seconds())

    def explain(self, memory: Ledger | None, rows: int) -> tuple[list[Explanation], list[Listing]]:
        """Search all containers, and explain at most `rows` uploads."""
        target, execution = self._target, self._loaded.execution
        found: list[Explanation] = []
        listings: list[Listing] = []
        with closing(providers.load(target.provider).connect(target, execution)) as connection:
            inspector = self._inspector(connection, memory)
            for name in self._containers(connection):
                reader = connection.reader(name)
                listing, uploads = inspector.find(reader, self.question.wants)
                listings.append(listing)
                shown = uploads[: max(0, rows - len(found))]
                self.more += len(uploads) - len(shown)
                found += [
                    explain(inspector.inspect(reader, upload, listing), target.policy)
                    for upload in shown
                ]
        return found, listings

    def _inspector(self, connection: Connection, memory: Ledger | None) -> Inspector:
        where = ContainerRef(self._target.name, self._target.provider, ALL)
        identity = self._caller.call(where, "identify", connection.identify, self._deadline)
        return Inspector(
            self._caller,
            self._pages,
            self._target.policy,
            Place(identity.endpoint, identity.region or "", identity.account),
            self.now,
            self._deadline,
            memory,
            self._budget(memory),
        )

    def _budget(self, memory: Ledger | None) -> Budget:
        limits = self._loaded.limits
        if memory is None:
            return Budget(limits)
        unfinished = memory.spent_by_unfinished_runs()
        left = replace(
            limits,
            aborts_per_run=_less(limits.aborts_per_run, unfinished.aborts),
            bytes_per_run=_less(limits.bytes_per_run, unfinished.bytes),
        )
        now = self.now()
        return Budget(left, memory.spent_since(now - DAY, now).aborts)

    def _containers(self, connection: Connection) -> list[str]:
        """Give the containers that a sweep would list, or the one that was asked for."""
        target, wanted = self._target, self.question.container
        names = {name for name in target.containers if not is_glob(name)}
        if wanted not in names and len(names) < len(target.containers):
            names |= set(discover(target, connection, self._caller, self._deadline))
        if wanted is None:
            return sorted(names)
        if wanted not in names:
            there = ", ".join(sorted(names)) or "none"
            msg = f"no sweep looks into {wanted!r} for {target.name}; its containers are: {there}"
            raise JanitorError(msg)
        return [wanted]


def _less(limit: int | None, spent: int) -> int | None:
    return None if limit is None else max(0, limit - spent)


def _print(
    found: Sequence[Explanation], listings: Sequence[Listing], search: _Search, output: str
) -> None:
    searched = [_searched(listing) for listing in listings]
    if output == "json":
        click.echo(explanations_json(found, searched, search.now()))
    else:
        width = min(WIDEST, max(NARROWEST, shutil.get_terminal_size().columns))
        texts = ["\n".join(explanation_lines(each, width)) for each in found]
        if texts:
            click.echo("\n\n".join(texts))
    if search.more:
        more = counted(search.more, "more upload")
        click.echo(f"{more} not shown: name a key, an upload id or --rows", err=True)
    if not found:
        where = "; ".join(searched) or "it has no container"
        says = f"no upload{search.question} in target {search.question.target}: {where}"
        click.echo(visible(says), err=True)
    sys.stdout.flush()


def _searched(listing: Listing) -> str:
    number = counted(listing.uploads, "upload")
    if listing.doubt is not None:
        return f"{listing.where.container} ({number}, not believed: {listing.doubt})"
    return f"{listing.where.container} ({number}, listed to the end)"
