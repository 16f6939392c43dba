"""Looks after the ledger: what is in it, whether it is sound, and its upgrade."""

from __future__ import annotations

import os

import click

from janitor import ledger, settings
from janitor.engine.tally import EXIT_LOCKED
from janitor.errors import JanitorError
from janitor.ledger import LedgerError, Locked, open_ledger
from janitor.ledger.types import Head, OpenIntent, RunRecord
from janitor.report.text import counted, visible
from janitor.settings.ledger_url import without_passwords

EXIT_PROBLEMS = 1
LATEST = 5
SOUND = "the ledger is sound"


def run_check(path: str) -> int:
    """Print what is in the ledger, and everything that is wrong with it."""
    url = _url(path)
    problems = ledger.check(url)
    click.echo(without_passwords(url))
    try:
        with open_ledger(url, read_only=True) as opened:
            lines = _contents(opened.history(LATEST), opened.open_intents(), opened.head())
    except LedgerError as error:
        lines = []
        problems = problems or [str(error)]
    for line in lines:
        click.echo(f"  {line}")
    return _told(problems)


def run_upgrade(path: str) -> int:
    """Bring the ledger to the version of this janitor."""
    url = _url(path)
    try:
        done = ledger.upgrade(url)
    except Locked as error:
        click.echo(f"janitor: {error}", err=True)
        return EXIT_LOCKED
    if done.before is None:
        click.echo(f"made, at version {done.after}")
    elif done.before == done.after:
        click.echo(f"already at version {done.after}")
    else:
        click.echo(f"upgraded from version {done.before} to {done.after}")
    return 0


def run_audit(path: str, expected: str | None) -> int:
    """Follow the journal from its first row to its head, and print the head."""
    url = _url(path)
    problems = ledger.check(url)
    try:
        with open_ledger(url, read_only=True) as opened:
            head = opened.head()
    except LedgerError as error:
        return _told(problems or [str(error)])
    click.echo(_head(head))
    if expected is not None and expected.lower() != head.hash:
        problems = [*problems, f"the head is not the expected {expected}"]
    return _told(problems)


def _url(path: str) -> str:
    loaded = settings.load(path, os.environ)
    if loaded.ledger is None:
        msg = f"{path} says ledger: none, so there is no ledger to look after"
        raise JanitorError(msg)
    return loaded.ledger


def _told(problems: list[str]) -> int:
    for problem in problems:
        click.echo(f"problem: {visible(problem)}", err=True)
    if problems:
        return EXIT_PROBLEMS
    click.echo(SOUND)
    return 0


def _contents(runs: list[RunRecord], intents: list[OpenIntent], head: Head) -> list[str]:
    lines = [f"latest runs, newest first: {'' if runs else 'none'}".rstrip()]
    lines += [f"  {_run(run)}" for run in runs]
    lines.append(counted(len(intents), "open intent"))
    lines += [f"  what became of {_intent(intent)} is not known" for intent in intents]
    return [*lines, _head(head)]


def _run(run: RunRecord) -> str:
    ended = "did not end" if run.finished_at is None else f"exit code {run.exit_code}"
    return f"{run.run_id}  {run.mode}  {run.started_at:%F %T} UTC  {ended}"


def _intent(intent: OpenIntent) -> str:
    key = "" if intent.key is None else f" {intent.key}"
    named = f"{intent.where}{key} {intent.upload_id}"
    return f"{visible(named)}, {intent.at:%F %T} UTC, run {intent.run_id}"


def _head(head: Head) -> str:
    return f"journal of {counted(head.count, 'row')}, head {head.hash}"
