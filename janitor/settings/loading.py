"""From a path to settings: read, parse, fill in, validate, check, build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from janitor.settings import document, environment, source
from janitor.settings.build import build
from janitor.settings.credentials import collect
from janitor.settings.document import Document
from janitor.settings.file_checks import check_file
from janitor.settings.policy_checks import check_policies
from janitor.settings.problems import WHOLE_FILE, BadConfig, Finding, Problem, dotted
from janitor.settings.sections import Sections, validate
from janitor.settings.target_checks import check_targets
from janitor.settings.types import Settings
from janitor.targets import Credentials

STANDARD_INPUT = "-"


def load_file(path: Path | str, environ: Mapping[str, str]) -> Settings:
    """Read settings from a file, or raise `BadConfig` with all of its problems."""
    name = str(path)
    file = "<stdin>" if name == STANDARD_INPUT else name
    base = Path.cwd() if name == STANDARD_INPUT else Path(name).absolute().parent
    # Raised out here, the error carries no other one that might hold a secret.
    read = _read(name)
    outcome = read if isinstance(read, Finding) else _settings(read, environ, base)
    if isinstance(outcome, Settings):
        return outcome
    if isinstance(outcome, Finding):
        outcome = [(Document(), outcome)]
    raise BadConfig(_problem(file, found, finding) for found, finding in outcome)


def _read(name: str) -> Document | Finding:
    try:
        return document.parse(document.decode(source.read_config(name)))
    except source.Unreadable as error:
        return Finding((), str(error), place=WHOLE_FILE)
    except document.Broken as error:
        return error.finding


def _settings(
    found: Document, environ: Mapping[str, str], base: Path
) -> Settings | list[tuple[Document, Finding]]:
    data, unfilled = environment.fill(found.data, environ)
    early = [*found.findings, *unfilled]
    sections = validate(data, {finding.path for finding in early})
    credentials, late = _check(sections, base)
    # What is broken already is not told again in other words.
    told = {finding.path for finding in early}
    findings = [*early, *(f for f in (*sections.findings, *late) if f.path not in told)]
    if findings:
        return [(found, finding) for finding in findings]
    return build(sections, credentials, base)


def _check(sections: Sections, base: Path) -> tuple[dict[int, Credentials | None], list[Finding]]:
    credentials: dict[int, Credentials | None] = {}
    findings: list[Finding] = []
    for index, target in sections.targets.items():
        credentials[index], problems = collect(target, ("targets", index), base)
        findings += problems
    findings += _all_checks(sections)
    return credentials, findings


def _all_checks(sections: Sections) -> Iterator[Finding]:
    yield from check_file(sections)
    yield from check_targets(sections)
    yield from check_policies(sections)


def _problem(file: str, found: Document, finding: Finding) -> Problem:
    place = found.place(finding)
    return Problem(file, place.line, place.column, dotted(finding.path), finding.sentence)
