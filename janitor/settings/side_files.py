"""Reads YAML files that a config names. Fills in no variables: others read these files too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from janitor.settings import document, source
from janitor.settings.document import Document
from janitor.settings.problems import Finding, Problem, dotted
from janitor.settings.sentences import Language, findings_of


@dataclass(frozen=True, slots=True)
class Beside:
    """Where the files beside another one are: really, and in the words of its user."""

    directory: Path
    said: Path

    @classmethod
    def file(cls, name: str) -> Beside:
        """Give the place of the files beside one."""
        return cls(Path(name).absolute().parent, Path(name).parent)

    def path(self, said: str) -> Path:
        """Give the file that a relative or absolute path means."""
        return self.directory / said

    def shown(self, said: str) -> str:
        """Name a file as its user would: relative if the other file's name is."""
        return str(self.said / said)

    def of(self, said: str) -> Beside:
        """Give the place of what is beside a file that is itself beside another."""
        return Beside(self.path(said).parent, (self.said / said).parent)


@dataclass(frozen=True, slots=True)
class SideFile:
    """What of a file can be used, by its keys, and what was found in it."""

    document: Document
    usable: Mapping[str, Any]
    findings: tuple[Finding, ...]

    def problem(self, name: str, finding: Finding) -> Problem:
        """Say a finding with its place in this file."""
        place = self.document.place(finding)
        return Problem(name, place.line, place.column, dotted(finding.path), finding.sentence)


def examine(path: Path, language: Language, start: str) -> SideFile:
    """Read a file in its language, or raise `Unreadable`.

    `start` is the remedy for a file without any key.
    """
    raw = source.read_beside(path)
    try:
        found = document.parse(document.decode(raw), start)
    except document.Broken as error:
        return SideFile(Document(), {}, (error.finding,))
    told = {finding.path for finding in found.findings}
    new = [finding for finding in _findings(found.data, language) if finding.path not in told]
    findings = (*found.findings, *new)
    bad = {finding.path[0] for finding in findings if finding.path}
    known = language.model.model_fields
    usable = {name: found.data[name] for name in found.data if name in known and name not in bad}
    return SideFile(found, usable, findings)


def _findings(data: object, language: Language) -> list[Finding]:
    try:
        language.model.model_validate(data)
    except ValidationError as error:
        return list(findings_of(error, language))
    return []
