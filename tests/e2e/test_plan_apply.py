"""`janitor plan` and `janitor apply`: exactly what was planned, and nothing that came alive."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.clients import Clients
from support.harness import HARNESSES, days

from janitor import cli
from janitor.commands.sandbox import config_for
from janitor.ledger import open_ledger
from janitor.planfile import decode, encode
from janitor.sandbox import Sandbox

CONTAINER = "container"
OLD: dict[str, Any] = {"age": days(9), "parts": [days(8), days(8.5)]}
REMEDY = "make a new one with janitor plan --out FILE\n"


class Done(NamedTuple):
    """How a verb ended."""

    code: int
    stdout: str
    stderr: str


class Desk:
    """A folder with a config, a ledger and plans, and the command line in it."""

    def __init__(self, sandbox: Sandbox, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.sandbox = sandbox
        self.folder = folder
        self.ledger = f"sqlite:///{folder}/janitor.db"
        self.plan = folder / "plan.jsonl"
        self.config = folder / "janitor.yaml"
        self._capsys = capsys
        text = config_for(sandbox).replace("ledger: none", f"ledger: {self.ledger}")
        text = text.replace("mode: enforce", "mode: report")
        self.config.write_text(text, encoding="utf-8")

    def run(self, verb: str, *arguments: str | Path) -> Done:
        """Run one verb with the config."""
        self._capsys.readouterr()
        code = cli.run([verb, "-c", str(self.config), *map(str, arguments)])
        return Done(code, *self._capsys.readouterr())

    def make_plan(self, *arguments: str) -> Done:
        """Mark in one run, and plan in the next."""
        self.run("plan")
        return self.run("plan", "--out", self.plan, *arguments)

    def edit(self, old: str, new: str) -> None:
        """Change the config."""
        text = self.config.read_text(encoding="utf-8")

        assert old in text
        self.config.write_text(text.replace(old, new), encoding="utf-8")

    def left(self) -> set[str]:
        """Give the ids of all uploads that are still there."""
        return {
            name for h in HARNESSES.values() for name in h.store(self.sandbox).upload_ids(CONTAINER)
        }


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    """Serve one stale and one young upload on each provider, and accept no accusation."""
    with Sandbox.start() as sandbox:
        for name, harness in HARNESSES.items():
            harness.add_container(sandbox, CONTAINER)
            harness.add(sandbox, CONTAINER, "old", upload_id=f"{name}-old", **OLD)
            harness.add(sandbox, CONTAINER, "young", upload_id=f"{name}-young", age=days(2))
        yield Desk(sandbox, tmp_path, capsys)

        assert [] == sandbox.accusations


OLD_ONES = {f"{name}-old" for name in HARNESSES}
YOUNG_ONES = {f"{name}-young" for name in HARNESSES}


def test_exactly_the_plan_is_applied(desk: Desk) -> None:
    """Plan, then apply: what was planned is gone, and nothing else, whatever the mode says."""
    planned = desk.make_plan()
    applied = desk.run("apply", desk.plan, "--yes", "-o", "json")
    document = json.loads(applied.stdout)

    assert (0, 0) == (planned.code, applied.code)
    assert YOUNG_ONES == desk.left()
    assert "enforce" == document["mode"]
    assert dict.fromkeys(OLD_ONES, "aborted") == {
        upload["upload_id"]: upload["outcome"] for upload in document["uploads"]
    }
    assert "Applying a plan is the explicit act" in applied.stderr
    assert "Of the 3 uploads of the plan: 3 aborted." in applied.stderr


def test_a_plan_says_all_that_it_rests_on(desk: Desk) -> None:
    """The header, the evidence of each upload, the end; readable by the owner alone."""
    desk.make_plan()
    data = desk.plan.read_bytes()
    header, *uploads, _ = map(json.loads, data.splitlines())
    sealed = decode(data)
    with open_ledger(desk.ledger, read_only=True) as ledger:
        known = ledger.plan(sealed.digest)

    assert known is not None
    assert (sealed.plan.run_id, 3) == (known.run_id, header["uploads"])
    assert timedelta(hours=24) == sealed.plan.expires_at - sealed.plan.created_at
    assert ["archive", "lake", "media"] == sorted(t["target"] for t in header["targets"])
    assert OLD_ONES == {upload["upload_id"] for upload in uploads}
    assert {(2, 16 * 2**20, "stale")} == {(u["parts"], u["bytes"], u["reason"]) for u in uploads}
    assert all(upload["fingerprint"] and upload["eligible_at"] for upload in uploads)
    assert 0o600 == desk.plan.stat().st_mode & 0o777
    assert {"plan.jsonl"} == {file.name for file in desk.folder.glob("*plan*")}


def test_planning_changes_nothing_but_the_ledger(desk: Desk) -> None:
    """Marks are made, and only reading requests are sent."""
    first = desk.run("plan", "-o", "json")
    second = desk.run("plan", "-o", "json")

    assert OLD_ONES | YOUNG_ONES == desk.left()
    assert set() == {entry.method for entry in desk.sandbox.journal} - {"GET", "HEAD"}
    assert ({"first_sighting"}, {"stale"}) == (_reasons(first), _reasons(second))


def _reasons(done: Done) -> set[str]:
    return {upload["reason"] for upload in json.loads(done.stdout)["uploads"]}


def test_the_exit_code_can_tell_whether_there_is_something(desk: Desk) -> None:
    """With `--detailed-exitcode`, 2 says that the plan is not empty."""
    empty = desk.run("plan", "--detailed-exitcode")
    full = desk.run("plan", "--detailed-exitcode")
    plain = desk.run("plan")

    assert (0, 2, 0) == (empty.code, full.code, plain.code)


def test_an_incomplete_run_is_told_before_a_full_plan(desk: Desk) -> None:
    """What went wrong counts more than what was found; the rest is planned all the same."""
    desk.run("plan")
    desk.sandbox.deny("qingstor.list_uploads")
    done = desk.run("plan", "--out", desk.plan, "--detailed-exitcode")

    assert 3 == done.code
    assert {"glacier-old", "s3-old"} == {
        upload.upload_id for upload in decode(desk.plan.read_bytes()).plan.uploads
    }


def test_a_plan_can_go_to_standard_output(desk: Desk) -> None:
    """With `--out -` the plan is the data, and the report is for people."""
    desk.run("plan")
    done = desk.run("plan", "--out", "-")
    desk.plan.write_text(done.stdout, encoding="ascii")

    assert 3 == len(decode(done.stdout.encode()).plan.uploads)
    assert "3 would be aborted" in " ".join(done.stderr.split())
    assert 0 == desk.run("apply", desk.plan, "--yes").code
    assert YOUNG_ONES == desk.left()


def test_an_empty_plan_is_applied_by_doing_nothing(desk: Desk) -> None:
    """There is nothing to ask about and nothing to do, and it is said."""
    desk.run("plan", "--out", desk.plan)
    done = desk.run("apply", desk.plan)

    assert (0, "", "the plan holds no uploads: there is nothing to do\n") == done


@pytest.mark.parametrize("name", sorted(HARNESSES))
def test_what_came_alive_is_kept(desk: Desk, name: str) -> None:
    """A part that arrived between plan and apply saves its upload, and only that."""
    desk.make_plan()
    HARNESSES[name].store(desk.sandbox).add_part(CONTAINER, f"{name}-old", 8 * 2**20)
    done = desk.run("apply", desk.plan, "--yes", "-o", "json")
    kept = {
        u["upload_id"]: u["reason"]
        for u in json.loads(done.stdout)["uploads"]
        if u["outcome"] is None
    }

    assert 0 == done.code
    assert YOUNG_ONES | {f"{name}-old"} == desk.left()
    assert {f"{name}-old": "active"} == kept
    assert "Of the 3 uploads of the plan: 2 aborted, 1 kept (active)." in done.stderr


def test_parts_that_came_with_an_old_date_are_a_sign_of_life(desk: Desk) -> None:
    """The part set must be what it was, whatever the dates of new parts say."""
    desk.make_plan()
    old = desk.sandbox.clock.now() - days(8)
    desk.sandbox.s3.add_part(CONTAINER, "s3-old", 8 * 2**20, old)
    done = desk.run("apply", desk.plan, "--yes")

    assert 0 == done.code
    assert YOUNG_ONES | {"s3-old"} == desk.left()


def test_what_is_gone_is_told(desk: Desk) -> None:
    """An upload that was completed meanwhile is no failure, and not counted as aborted."""
    desk.make_plan()
    desk.sandbox.qingstor.complete(CONTAINER, "qingstor-old")
    done = desk.run("apply", desk.plan, "--yes")

    assert 0 == done.code
    assert "Of the 3 uploads of the plan: 2 aborted, 1 no longer there." in done.stderr


def test_what_was_not_planned_is_left_alone(desk: Desk) -> None:
    """Another upload became stale since: it is not in the plan."""
    desk.make_plan()
    HARNESSES["s3"].add(desk.sandbox, CONTAINER, "late", upload_id="late", **OLD)
    desk.run("plan")
    desk.run("plan")
    done = desk.run("apply", desk.plan, "--yes", "-o", "json")
    outcomes = {u["upload_id"]: u["outcome"] for u in json.loads(done.stdout)["uploads"]}

    assert 0 == done.code
    assert YOUNG_ONES | {"late"} == desk.left()
    assert {**dict.fromkeys(OLD_ONES, "aborted"), "late": "withheld"} == outcomes


def test_a_plan_is_applied_once(desk: Desk) -> None:
    """The second time it is refused, also after the uploads came back."""
    desk.make_plan()
    desk.run("apply", desk.plan, "--yes")
    HARNESSES["s3"].add(desk.sandbox, CONTAINER, "old", upload_id="s3-old", **OLD)
    done = desk.run("apply", desk.plan, "--yes")

    assert (1, "") == done[:2]
    assert done.stderr.startswith("janitor: the plan was applied before, by run 2")
    assert "s3-old" in desk.left()


def _truncate(desk: Desk) -> None:
    data = desk.plan.read_bytes()
    desk.plan.write_bytes(data[: data.rindex(b"\n", 0, -1) + 1])


def _edit(desk: Desk) -> None:
    data = desk.plan.read_bytes()
    desk.plan.write_bytes(data.replace(b"s3-old", b"s3-young"))


def _edit_and_seal(desk: Desk) -> None:
    body = desk.plan.read_bytes().rpartition(b'{"type":"end"')[0].replace(b"s3-old", b"s3-young")
    end = {"type": "end", "digest": sha256(body).hexdigest()}
    desk.plan.write_bytes(body + json.dumps(end, separators=(",", ":")).encode() + b"\n")


def _use_another_ledger(desk: Desk) -> None:
    desk.edit("janitor.db", "another.db")


def _let_expire(desk: Desk) -> None:
    plan = decode(desk.plan.read_bytes()).plan
    ended = datetime.now(UTC) - timedelta(hours=1)
    _forge(desk, encode(replace(plan, expires_at=ended)))


def _make_in_the_future(desk: Desk) -> None:
    plan = decode(desk.plan.read_bytes()).plan
    _forge(desk, encode(replace(plan, created_at=plan.created_at + timedelta(hours=1))))


def _move_a_target(desk: Desk) -> None:
    plan = decode(desk.plan.read_bytes()).plan
    moved = [
        replace(t, endpoint="https://elsewhere") if t.target == "lake" else t for t in plan.targets
    ]
    _forge(desk, encode(replace(plan, targets=tuple(moved))))


def _forge(desk: Desk, data: bytes) -> None:
    """Put another plan in place, as if the ledger had seen it being made."""
    sealed = decode(data)
    with open_ledger(desk.ledger) as ledger:
        ledger.record_plan(sealed.digest, "run-0", sealed.plan.created_at, sealed.plan.expires_at)
    desk.plan.write_bytes(data)


def _remove(desk: Desk) -> None:
    desk.plan.unlink()


def _change_the_policy(desk: Desk) -> None:
    desk.edit("stale_after: 7d", "stale_after: 8d")


def _rename_a_target(desk: Desk) -> None:
    desk.edit("name: lake", "name: pond")


def _change_something_else(desk: Desk) -> None:
    desk.edit("schedule: {every: 6h}", "schedule: {every: 7h}")


def _forget_everything(desk: Desk) -> None:
    desk.edit(f"ledger: {desk.ledger}", "ledger: none")


REFUSALS: list[tuple[Callable[[Desk], None], int, str]] = [
    (_remove, 1, "janitor: the plan {plan} cannot be read: No such file or directory\n"),
    (_truncate, 1, f"janitor: the file is not a plan, or its end is missing: {REMEDY}"),
    (
        _edit,
        1,
        f"janitor: the file was changed after it was written: its digest does not fit: {REMEDY}",
    ),
    (
        _edit_and_seal,
        1,
        f"janitor: this ledger knows no such plan, so it was made or changed elsewhere: {REMEDY}",
    ),
    (
        _use_another_ledger,
        1,
        f"janitor: this ledger knows no such plan, so it was made or changed elsewhere: {REMEDY}",
    ),
    (_let_expire, 1, "janitor: the plan expired at 2"),
    (_make_in_the_future, 1, "janitor: the plan was made at 2"),
    (
        _move_a_target,
        1,
        (
            f"janitor: the endpoint of lake is {{s3}}, and was https://elsewhere"
            f" when the plan was made: {REMEDY}"
        ),
    ),
    (
        _change_the_policy,
        1,
        f"janitor: the policy of archive, lake, media is not what the plan was made with: {REMEDY}",
    ),
    (
        _rename_a_target,
        1,
        (
            "janitor: the plan was made for the targets archive, lake, media,"
            f" the config has archive, media, pond: {REMEDY}"
        ),
    ),
    (
        _change_something_else,
        1,
        f"janitor: the config is not the one that the plan was made with: {REMEDY}",
    ),
    (
        _forget_everything,
        78,
        (
            "ledger: none remembers nothing, and janitor apply needs a ledger:"
            " say for example ledger: sqlite:///janitor.db\n"
        ),
    ),
]


@pytest.mark.parametrize(
    ("spoil", "code", "sentence"), REFUSALS, ids=lambda v: getattr(v, "__name__", "")
)
def test_what_is_not_as_it_was_is_refused(
    desk: Desk, spoil: Callable[[Desk], None], code: int, sentence: str
) -> None:
    """Each refusal has its sentence, nothing is aborted, and the plan is not used up by it."""
    desk.make_plan()
    spoil(desk)
    sent = len(desk.sandbox.journal)
    done = desk.run("apply", desk.plan, "--yes")
    told = [line for line in done.stderr.splitlines(keepends=True) if not line.startswith("{")]
    expected = sentence.format(plan=desk.plan, s3=desk.sandbox.s3_url)

    assert (code, "") == done[:2]
    assert told[-1].startswith(expected)
    assert OLD_ONES | YOUNG_ONES == desk.left()
    assert not any("list" in entry.operation for entry in list(desk.sandbox.journal)[sent:])


def test_a_plan_of_another_account_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The credentials come from the environment, and now belong to somebody else."""
    _take_keys_from_the_environment(desk, monkeypatch)
    desk.make_plan()
    role = "arn:aws:iam::999999999999:role/janitor"
    desk.sandbox.add_role(role)
    mine = Clients(desk.sandbox)
    found = mine.sts().assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
    mine.close()
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", found["AccessKeyId"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", found["SecretAccessKey"])
    monkeypatch.setenv("AWS_SESSION_TOKEN", found["SessionToken"])
    done = desk.run("apply", desk.plan, "--yes")
    expected = (
        "janitor: the account of lake is 999999999999, and was 012345678901"
        f" when the plan was made: {REMEDY}"
    )

    assert (1, "") == done[:2]
    assert done.stderr.endswith(expected)
    assert OLD_ONES | YOUNG_ONES == desk.left()


def _take_keys_from_the_environment(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = desk.sandbox
    text = desk.config.read_text(encoding="utf-8")
    head, lake = text.split("  - name: lake\n")
    for line in (
        f"    access_key_id: {sandbox.access_key_id}\n",
        f"    secret_access_key: {sandbox.secret_access_key}\n",
    ):
        assert line in lake
        lake = lake.replace(line, "")
    lake += f"    sts_endpoint_url: {sandbox.sts_url}\n"
    desk.config.write_text(f"{head}  - name: lake\n{lake}", encoding="utf-8")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", sandbox.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", sandbox.secret_access_key)


def test_a_refused_plan_can_still_be_applied(desk: Desk) -> None:
    """A refusal is no use of the plan: put right what was wrong, and apply it."""
    desk.make_plan()
    desk.edit("every: 6h", "every: 7h")
    refused = desk.run("apply", desk.plan, "--yes")
    desk.edit("every: 7h", "every: 6h")
    applied = desk.run("apply", desk.plan, "--yes")

    assert (1, 0) == (refused.code, applied.code)
    assert YOUNG_ONES == desk.left()


def test_planning_needs_a_ledger(desk: Desk) -> None:
    """Without a memory nobody could say later that the plan is ours."""
    _forget_everything(desk)
    done = desk.run("plan", "--out", desk.plan)

    assert (78, "") == done[:2]
    assert "janitor plan needs a ledger" in done.stderr
    assert not desk.plan.exists()


@pytest.mark.parametrize("text", ["24", "1m", "never", ""])
def test_a_plan_must_end_some_day(desk: Desk, text: str) -> None:
    """A lifetime is written as in the config."""
    done = desk.run("plan", "--expires-in", text)

    assert (64, "") == done[:2]
    assert "Invalid value for --expires-in" in done.stderr


def test_while_another_janitor_works_there_is_no_plan(desk: Desk) -> None:
    """Locked out, a run neither writes a plan nor uses one up."""
    desk.make_plan()
    with open_ledger(desk.ledger) as ledger, ledger.lock():
        planned = desk.run("plan", "--out", desk.folder / "other.jsonl")
        locked = desk.run("apply", desk.plan, "--yes")
    applied = desk.run("apply", desk.plan, "--yes")

    assert (75, 75, 0) == (planned.code, locked.code, applied.code)
    assert "no plan was made" in planned.stderr
    assert not (desk.folder / "other.jsonl").exists()
    assert "3 not reached" in locked.stderr
    assert YOUNG_ONES == desk.left()


def test_off_a_terminal_somebody_must_have_said_yes(desk: Desk) -> None:
    """Nobody can be asked, so nothing is done."""
    desk.make_plan()
    done = desk.run("apply", desk.plan)
    expected = (
        "janitor: there is no terminal to ask on: say --yes to apply the plan without being asked\n"
    )

    assert (1, "", expected) == done
    assert OLD_ONES | YOUNG_ONES == desk.left()


@pytest.mark.parametrize(
    ("answer", "code", "left"),
    [("y", 0, YOUNG_ONES), ("n", 1, YOUNG_ONES | OLD_ONES), ("", 1, YOUNG_ONES | OLD_ONES)],
)
def test_on_a_terminal_the_operator_is_asked(
    desk: Desk, answer: str, code: int, left: set[str]
) -> None:
    """The numbers are shown, and only a yes goes on."""
    desk.make_plan()
    done = _at_a_terminal(answer, "apply", "-c", desk.config, desk.plan, "-o", "json")

    assert code == done.returncode, done.stderr
    assert "archive: 1 upload, 16.0 MiB, the oldest of 2" in done.stderr
    assert "3 uploads in 3 targets, 48.0 MiB." in done.stderr
    assert "Abort these 3 uploads? [y/N]: " in done.stderr
    assert left == desk.left()
    assert ("nothing was aborted" in done.stderr) == (code == 1)


def _at_a_terminal(answer: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the janitor with a terminal as its standard input, and type one line."""
    ours, theirs = pty.openpty()
    os.write(ours, f"{answer}\n".encode())
    try:
        return subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-m", "janitor", *arguments],
            stdin=theirs,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(sys.path)},
        )
    finally:
        os.close(ours)
        os.close(theirs)


def test_a_plan_can_come_from_standard_input(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """`janitor apply - --yes` reads what another job has made."""
    desk.make_plan()
    with desk.plan.open(encoding="ascii") as file:
        monkeypatch.setattr(sys, "stdin", file)
        done = desk.run("apply", "-", "--yes")

    assert 0 == done.code
    assert YOUNG_ONES == desk.left()


def test_an_old_plan_stays_whole_when_a_new_one_cannot_be_written(desk: Desk) -> None:
    """A plan is replaced at once or not at all."""
    desk.make_plan()
    before = desk.plan.read_bytes()
    nowhere = desk.folder / "no" / "plan.jsonl"
    done = desk.run("plan", "--out", nowhere)

    assert 1 == done.code
    assert before == desk.plan.read_bytes()


def test_limits_hold_for_plans_too(desk: Desk) -> None:
    """What a limit defers is not in the plan."""
    desk.edit("policy:\n  stale", "limits: {aborts_per_run: 1}\npolicy:\n  stale")
    desk.make_plan()
    desk.run("apply", desk.plan, "--yes")

    assert 5 == len(desk.left())


def test_marks_in_grace_are_not_planned(desk: Desk) -> None:
    """A plan holds only what the next enforcing run would abort."""
    desk.edit("grace: 0", "grace: 24h")
    done = desk.make_plan("--detailed-exitcode")

    assert 0 == done.code
    assert () == decode(desk.plan.read_bytes()).plan.uploads
