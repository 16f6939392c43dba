"""`janitor explain`: for every kind of upload on every provider, what decides and why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.harness import HARNESSES, Harness, days, hours

from janitor import cli
from janitor.commands.sandbox import config_for
from janitor.sandbox import Sandbox

CONTAINER = "container"
TARGETS = {"archive": HARNESSES["glacier"], "media": HARNESSES["qingstor"], "lake": HARNESSES["s3"]}


class Bench:
    """A sandbox with one upload of each kind, and the command line."""

    def __init__(self, sandbox: Sandbox, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.sandbox = sandbox
        self.config = folder / "janitor.yaml"
        text = config_for(sandbox).replace("ledger: none", f"ledger: sqlite:///{folder}/janitor.db")
        text = text.replace("mode: enforce", "mode: enforce")
        self.config.write_text(text, encoding="utf-8")
        self._capsys = capsys

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Run one verb with the config."""
        self._capsys.readouterr()
        code = cli.run([*arguments, "-c", str(self.config)])
        return (code, *self._capsys.readouterr())

    def explained(self, *arguments: str) -> dict[str, Any]:
        """Explain, and give each upload by its id."""
        code, output, errors = self.run("explain", *arguments, "-o", "json")

        assert 0 == code, errors
        return {upload["upload_id"]: upload for upload in json.loads(output)["uploads"]}

    def edit(self, old: str, new: str) -> None:
        """Change the config."""
        text = self.config.read_text(encoding="utf-8")

        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")


@pytest.fixture
def bench(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Bench]:
    """Serve one upload of each kind on each provider, and accept no accusation."""
    with Sandbox.start() as sandbox:
        for harness in HARNESSES.values():
            harness.add_container(sandbox, CONTAINER)
            _fill(sandbox, harness)
        yield Bench(sandbox, tmp_path, capsys)

        assert [] == sandbox.accusations


def _fill(sandbox: Sandbox, harness: Harness) -> None:
    old = {"age": days(9)}

    def add(name: str, key: str | None = None, **facts: Any) -> None:
        harness.add(sandbox, CONTAINER, key or name, upload_id=name, **{**old, **facts})

    add("stale", parts=[days(8)])
    add("young", age=days(2))
    add("active", parts=[days(8), hours(2)])
    add("protected", key="a/__magic/b", parts=[days(8)])
    harness.store(sandbox).add_upload(
        CONTAINER, "undated" if harness.has_keys else "", initiated="soon", upload_id="undated"
    )


def deciding(upload: dict[str, Any]) -> list[str]:
    """Name the steps that keep."""
    return [step["step"] for step in upload["steps"] if step["answer"] == "keep"]


@pytest.mark.parametrize("target", TARGETS)
def test_each_upload_is_judged_as_a_sweep_would(bench: Bench, target: str) -> None:
    """Verdict, reason and the step that decides, on every provider."""
    bench.run("plan")
    found = bench.explained(target)
    by_parts = TARGETS[target].tells_part_times
    expected = {
        "stale": ("abort", "stale", []),
        "young": ("keep", "young", ["age"]),
        "active": ("keep", "active", ["idle"]) if by_parts else ("abort", "stale", []),
        "protected": ("keep", "protected", ["rules"]) if by_parts else ("abort", "stale", []),
        "undated": ("keep", "no_date", ["date"]),
    }

    assert expected == {
        name: (upload["verdict"], upload["reason"], deciding(upload))
        for name, upload in found.items()
    }


@pytest.mark.parametrize("target", TARGETS)
def test_an_explanation_agrees_with_the_sweep_that_follows(bench: Bench, target: str) -> None:
    """What is explained as stale is aborted by the next sweep, and nothing else."""
    bench.run("plan")
    found = bench.explained(target)
    bench.run("sweep")
    left = set(TARGETS[target].store(bench.sandbox).upload_ids(CONTAINER))

    assert {name for name, upload in found.items() if upload["verdict"] == "keep"} == left


@pytest.mark.parametrize("target", TARGETS)
def test_what_no_run_has_seen_is_a_first_sighting(bench: Bench, target: str) -> None:
    """Before the first run the grace has not begun, and looking does not begin it."""
    for _ in range(2):
        (stale,) = bench.explained(target, "--upload-id", "stale").values()

        assert ("keep", "first_sighting", ["grace"]) == (
            stale["verdict"],
            stale["reason"],
            deciding(stale),
        )


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_in_its_grace_says_until_when(bench: Bench, target: str) -> None:
    """First seen, by which run, and when the grace ends."""
    bench.edit("grace: 0", "grace: 24h")
    _, output, _ = bench.run("plan", "-o", "json")
    (stale,) = bench.explained(target, "--upload-id", "stale").values()
    (says,) = (step["says"] for step in stale["steps"] if step["step"] == "grace")

    assert ("keep", "in_grace", ["grace"]) == (stale["verdict"], stale["reason"], deciding(stale))
    assert f"in run {json.loads(output)['run_id']}" in says
    assert stale["eligible_at"] is not None
    assert "may be aborted after" in stale["says"]


def test_glacier_is_idle_when_its_parts_stand_still(bench: Bench) -> None:
    """Where parts have no times, two sightings must prove it."""
    bench.edit("    policy: {idle_for: off}", "    policy: {idle_for: 24h}")
    bench.run("plan")
    (stale,) = bench.explained("archive", "--upload-id", "stale").values()

    assert ("activity_unknown", ["idle"]) == (stale["reason"], deciding(stale))


def test_a_finished_object_keeps(bench: Bench) -> None:
    """On an unknown store a newer finished object of the same key is named."""
    bench.run("plan")
    bench.sandbox.s3.add_object(CONTAINER, "stale", b"whole")
    (stale,) = bench.explained("lake", "stale").values()

    assert ("finished_object", ["object"]) == (stale["reason"], deciding(stale))


def test_a_limit_that_is_used_up_keeps(bench: Bench) -> None:
    """A limit of nothing leaves no room for anything."""
    bench.edit("policy:\n  stale", "limits: {aborts_per_run: 0}\npolicy:\n  stale")
    bench.run("plan")
    (stale,) = bench.explained("lake", "stale").values()

    assert ("limit", ["limits"]) == (stale["reason"], deciding(stale))


def test_people_get_the_steps_line_by_line(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a page of 80 columns, one step after the other, the verdict first."""
    monkeypatch.setenv("COLUMNS", "80")
    bench.run("plan")
    code, output, _ = bench.run("explain", "lake", "stale")
    lines = output.splitlines()

    assert (0, "lake/container: stale", "upload id stale") == (code, *lines[:2])
    assert "=> would be aborted by the next enforcing run" == lines[2]
    assert max(map(len, lines)) <= 80
    assert [
        *("identity", "listing", "date", "rules", "age"),
        *("parts", "idle", "grace", "object", "limits"),
    ] == [line.split()[0] for line in lines[4:] if line[2:3].strip()]


def test_explaining_changes_nothing(bench: Bench) -> None:
    """Neither at the provider nor in the ledger."""
    bench.run("plan")
    before = bench.run("ledger", "check")
    bench.run("explain", "lake")

    assert before == bench.run("ledger", "check")
    assert {"GET", "HEAD"} >= {entry.method for entry in bench.sandbox.journal}


def test_without_a_ledger_there_is_no_grace(bench: Bench) -> None:
    """`ledger: none` says so, and goes on."""
    text = bench.config.read_text(encoding="utf-8")
    line = next(line for line in text.splitlines() if line.startswith("ledger:"))
    bench.edit(line, "ledger: none")
    (stale,) = bench.explained("lake", "stale").values()

    assert "abort" == stale["verdict"]
    assert ["ledger: none, so there is no grace"] in [step["says"] for step in stale["steps"]]


def test_nothing_found_says_where_was_searched(bench: Bench) -> None:
    """A key that no container has ends with 1, and names what was listed to its end."""
    expected = (
        "no upload with key 'nope' in target lake: container (5 uploads, listed to the end)\n"
    )

    assert (1, "", expected) == bench.run("explain", "lake", "nope")


def test_a_listing_that_fails_is_the_answer(bench: Bench) -> None:
    """Where the listing cannot be read, that is why nothing is aborted; exit code 3."""
    bench.sandbox.deny("s3.list_uploads")
    code, output, errors = bench.run("explain", "lake")

    assert (3, "") == (code, output)
    assert "container (0 uploads, not believed: Denied: " in errors


def test_a_container_that_no_sweep_lists_is_told(bench: Bench) -> None:
    """Who asks about the wrong bucket learns which there are."""
    expected = "janitor: no sweep looks into 'other' for lake; its containers are: container\n"

    assert (1, "", expected) == bench.run("explain", "lake", "--container", "other")
    assert 5 == len(bench.explained("lake", "--container", CONTAINER))


def test_wrong_questions_are_usage(bench: Bench) -> None:
    """A target that does not exist, and a key where there are none."""
    unknown = bench.run("explain", "pond")
    keyless = bench.run("explain", "archive", "key")

    assert (64, 64) == (unknown[0], keyless[0])
    assert "there are: archive, lake, media" in unknown[2]
    assert "use --upload-id" in keyless[2]


def test_what_is_not_shown_is_counted(bench: Bench) -> None:
    """No silent cut."""
    code, output, errors = bench.run("explain", "lake", "--rows", "2", "-o", "json")

    assert (0, 2) == (code, len(json.loads(output)["uploads"]))
    assert "3 more uploads not shown: name a key, an upload id or --rows\n" == errors
