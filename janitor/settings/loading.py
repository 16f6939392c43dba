"""From a path to settings: read, parse, fill in, validate, check, build."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from janitor.settings import document, environment, source
from janitor.settings.build import build
from janitor.settings.credentials import collect
from janitor.settings.document import Document
from janitor.settings.file_checks import check_file
from janitor.settings.fleet import check_fleets, collect_accounts
from janitor.settings.policy_checks import check_policies
from janitor.settings.problems import WHOLE_FILE, BadConfig, Finding, Problem, dotted
from janitor.settings.sections import Sections, validate
from janitor.settings.service_checks import check_service
from janitor.settings.service_models import HttpModel
from janitor.settings.side_files import Beside
from janitor.settings.target_checks import check_targets
from janitor.settings.types import Settings
from janitor.settings.web_files import collect_web
from janitor.targets import Credentials

STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class _Refused:
    """What was found in the config itself, and what in the files that it names."""

    document: Document
    findings: list[Finding]
    elsewhere: tuple[Problem, ...] = ()

    def problems(self, file: str) -> Iterator[Problem]:
        for finding in self.findings:
            place = self.document.place(finding)
            path = dotted(finding.path)
            yield Problem(file, place.line, place.column, path, finding.sentence)
        yield from self.elsewhere


def load_file(path: Path | str, environ: Mapping[str, str]) -> Settings:
    """Read settings from a file, or raise `BadConfig` with all of its problems."""
    name = str(path)
    file = "<stdin>" if name == STANDARD_INPUT else name
    read = _read(name)
    # Raised out here, the error carries no other one that might hold a secret.
    if isinstance(read, Document):
        outcome = _settings(read, environ, Beside.file(file))
    else:
        outcome = _Refused(Document(), [read])
    if isinstance(outcome, _Refused):
        raise BadConfig(outcome.problems(file))
    return outcome if name == STANDARD_INPUT else replace(outcome, file=str(Path(name).absolute()))


def _read(name: str) -> Document | Finding:
    try:
        return document.parse(document.decode(source.read_config(name)))
    except source.Unreadable as error:
        return Finding((), str(error), place=WHOLE_FILE)
    except document.Broken as error:
        return error.finding


def _settings(found: Document, environ: Mapping[str, str], beside: Beside) -> Settings | _Refused:
    data, unfilled = environment.fill(found.data, environ)
    early = [*found.findings, *unfilled]
    sections = validate(data, {finding.path for finding in early})
    credentials, late = _collect(sections, beside.directory)
    web = collect_web(sections.usable.get("http") or HttpModel(), beside)
    fleets = collect_accounts(sections, beside)
    sections.accounts = fleets.by_index
    late += [*web.findings, *fleets.findings, *_all_checks(sections)]
    elsewhere = (*web.problems, *fleets.problems)
    # What is broken already is not told again in other words.
    told = {finding.path for finding in early}
    findings = [*early, *(f for f in (*sections.findings, *late) if f.path not in told)]
    if findings or elsewhere:
        return _Refused(found, findings, elsewhere)
    return build(sections, credentials, web, beside)


def _collect(sections: Sections, base: Path) -> tuple[dict[int, Credentials | None], list[Finding]]:
    credentials: dict[int, Credentials | None] = {}
    findings: list[Finding] = []
    for index, target in sections.targets.items():
        credentials[index], problems = collect(target, ("targets", index), base)
        findings += problems
    return credentials, findings


def _all_checks(sections: Sections) -> Iterator[Finding]:
    yield from check_file(sections)
    yield from check_service(sections)
    yield from check_targets(sections)
    yield from check_fleets(sections)
    yield from check_policies(sections)
