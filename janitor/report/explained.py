"""Writes explanations for people and for programs. Pure; what a provider sent is made harmless."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from janitor.explain import Answer, Explanation, Step
from janitor.model import UploadResult, Verdict
from janitor.report.rows import SCHEMA_VERSION, upload_row
from janitor.report.text import visible
from janitor.report.words import KEPT_BECAUSE

WOULD = "would be aborted by the next enforcing run"
WIDTH = 80
_NAME, _ANSWER = 8, 4


def explanation_lines(explained: Explanation, width: int = WIDTH) -> list[str]:
    """Write one explanation for people, in lines of at most `width`."""
    upload = explained.decision.upload
    what = str(upload.where) if upload.key is None else f"{upload.where}: {upload.key}"
    lines = [*_wrapped(what, "", width), *_wrapped(f"upload id {upload.upload_id}", "", width)]
    lines += [*_wrapped(outcome(explained), "", width), ""]
    for step in explained.steps:
        lines += _step_lines(step, width)
    return lines


def outcome(explained: Explanation) -> str:
    """Say in one sentence what would become of the upload."""
    decision = explained.decision
    if decision.verdict is Verdict.ABORT:
        return f"=> {WOULD}"
    listing = next(step for step in explained.steps if step.name == "listing")
    if listing.answer is Answer.KEEP:
        return "=> kept: the listing of its container is not believed"
    says = f"=> kept because {decision.reason}: {KEPT_BECAUSE[decision.reason]}"
    if decision.eligible_at is None:
        return says
    return f"{says}; may be aborted after {_shown(decision.eligible_at)}"


def explanations_json(
    explained: Iterable[Explanation], searched: Sequence[str], now: datetime
) -> str:
    """Write all explanations as one document, pure ASCII."""
    uploads = [_row(each, now) for each in explained]
    document = {"schema_version": SCHEMA_VERSION, "searched": list(searched), "uploads": uploads}
    return json.dumps(document, indent=1)


def _row(explained: Explanation, now: datetime) -> dict[str, object]:
    steps = [
        {"step": step.name, "answer": step.answer.value, "says": list(step.says)}
        for step in explained.steps
    ]
    row = upload_row(UploadResult(explained.decision), now)
    return {**row, "says": outcome(explained).removeprefix("=> "), "steps": steps}


def _step_lines(step: Step, width: int) -> Iterator[str]:
    head = f"  {step.name:<{_NAME}}  {step.answer:<{_ANSWER}}  "
    indent = " " * len(head)
    for sentence in step.says:
        for line in _wrapped(sentence, indent, width):
            yield head + line[len(indent) :]
            head = indent


def _wrapped(text: str, indent: str, width: int) -> list[str]:
    """Break a text at spaces, and where it has none, anywhere; only its first line is flush."""
    return textwrap.wrap(
        visible(text),
        width,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_on_hyphens=False,
        drop_whitespace=True,
    )


def _shown(moment: datetime) -> str:
    return f"{moment.isoformat(sep=' ', timespec='seconds')[:19]} UTC"
