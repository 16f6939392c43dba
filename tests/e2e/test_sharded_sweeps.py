"""One sweep cut into shards: what each finds, says and leaves behind."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import click
import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.harness import HARNESSES, Ear, days, sweeper
from support.job import Job, job_in

from janitor import cli
from janitor.commands.pushing import Pusher
from janitor.commands.sweep import refuse_unshared
from janitor.model import TargetOutcome
from janitor.plan import Limits
from janitor.sandbox import Sandbox
from janitor.settings.types import Push, Settings
from janitor.sharding import Shard, shard_of
from janitor.wiring import utc_now

pytest_plugins = ("support.sandbox_fixtures",)

NAMES = [f"container-{number}" for number in range(8)]
SHARED = "postgresql+psycopg://janitor@db.example/janitor"


@pytest.fixture
def job(tmp_path: Path) -> Iterator[Job]:
    """Serve two stale uploads and a young one on each provider, and accept no accusation."""
    with job_in(tmp_path) as made:
        yield made


@pytest.mark.parametrize("provider", sorted(HARNESSES))
@pytest.mark.parametrize("containers", [["*"], NAMES, ["container-?", *NAMES[:3]]])
def test_every_container_is_swept_by_one_shard(
    provider: str, containers: list[str], sandbox: Sandbox
) -> None:
    """Found by a glob, named exactly, or both."""
    harness, found = HARNESSES[provider], Counter[str]()
    for name in NAMES:
        harness.add_container(sandbox, name)
        harness.add(sandbox, name, parts=[days(8)])
    for index in range(3):
        target = harness.target(sandbox, *containers)
        done = sweeper(sandbox, target, shard=Shard(index, 3)).sweep()
        found.update(result.where.container for result in done.results)

        assert {index} == {shard_of(target.name, r.where.container, 3) for r in done.results}
        assert (0, len(done.results)) == (done.exit_code, sum(r.aborted for r in done.results))
    assert dict.fromkeys(NAMES, 1) == dict(found)


def test_a_glob_that_finds_nothing_is_incomplete_in_every_shard(sandbox: Sandbox) -> None:
    """That there is nothing must not look like there being nothing for this shard."""
    outcomes = []
    for index in range(2):
        target = HARNESSES["s3"].target(sandbox, "no-such-*")
        done = sweeper(sandbox, target, shard=Shard(index, 2)).sweep()
        outcomes.append(([result.outcome for result in done.results], done.exit_code))

    assert [([TargetOutcome.INCOMPLETE], 3)] * 2 == outcomes


def test_a_shard_without_containers_is_complete(sandbox: Sandbox) -> None:
    """It has nothing to tell of a target, and nothing is wrong."""
    harness = HARNESSES["s3"]
    harness.add_container(sandbox, "container")
    target = harness.target(sandbox, "container*")
    other = Shard(1 - shard_of(target.name, "container", 2), 2)
    done = sweeper(sandbox, target, shard=other).sweep()

    assert ((), 0) == (done.results, done.exit_code)


def test_a_target_that_cannot_be_opened_is_told_by_every_shard(sandbox: Sandbox) -> None:
    """Nobody knows what would have been whose."""
    sandbox.deny("s3.list_buckets")
    codes = [
        sweeper(sandbox, HARNESSES["s3"].target(sandbox, "*"), shard=Shard(index, 2))
        .sweep()
        .exit_code
        for index in range(2)
    ]

    assert [3, 3] == codes


def test_the_share_of_listed_is_that_of_the_shards_part(sandbox: Sandbox) -> None:
    """A shard knows no other part: it trips on its own, and touches nothing."""
    harness, ear = HARNESSES["s3"], Ear()
    for name in NAMES:
        harness.add_container(sandbox, name)
        # All of what the first shard has is stale, and all of the other's is young.
        age = days(9) if shard_of("s3", name, 2) == 0 else days(1)
        harness.add(sandbox, name, age=age, parts=[age])
    limits = {"limits": Limits(share_of_listed=Fraction(3, 4))}
    outcomes = []
    for index in range(2):
        target = harness.target(sandbox, "*")
        made = sweeper(sandbox, target, ear=ear, settings=limits, shard=Shard(index, 2))
        outcomes.append({result.outcome for result in made.sweep().results})

    assert [{TargetOutcome.TRIPPED}, {TargetOutcome.COMPLETE}] == outcomes


def test_a_run_is_named_after_its_shard(job: Job) -> None:
    """In the report, the logs, the audit file and the ledger."""
    done = job.run("sweep", "-o", "json", "--shard", "1/3", "--dry-run")
    run_id = json.loads(done.stdout)["run_id"]

    assert 0 == done.code
    assert run_id.endswith("-shard-1-of-3")


@pytest.mark.parametrize(
    ("arguments", "env", "sentence"),
    [
        (["--shard", "2/2"], {}, "there is no shard 2 of 2: they are numbered 0 to 1"),
        (["--shard", "x"], {}, "'x' is no shard: say I/N"),
        (["--shards", "2"], {}, "JOB_COMPLETION_INDEX is not set"),
        (["--shards", "2"], {"JOB_COMPLETION_INDEX": "2"}, "set completions of the Job to that"),
        (["--shards", "0"], {}, "0 is not in the range 1<=x<=1024"),
        (["--shards", "2", "--shard", "0/2"], {}, "but not both"),
    ],
)
def test_nonsense_ends_with_64(
    arguments: list[str],
    env: dict[str, str],
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A Job that is set up wrongly says so before anything else."""
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    code = cli.run(["sweep", "-c", "no-such-file.yaml", *arguments])

    assert 64 == code
    assert sentence in " ".join(capsys.readouterr().err.split())


def test_an_indexed_job_says_which_shard_it_is(job: Job) -> None:
    """The same arguments in every pod."""
    done = job.run("sweep", "-o", "json", "--shards", "2", "--dry-run", JOB_COMPLETION_INDEX="1")

    assert 0 == done.code
    assert json.loads(done.stdout)["run_id"].endswith("-shard-1-of-2")


def test_shards_that_abort_need_a_ledger_that_they_share(job: Job) -> None:
    """Each with a file of its own would have limits of its own."""
    job.with_ledger()
    done = job.run("sweep", "--shard", "0/2")
    looking = job.run("sweep", "--shard", "0/2", "--dry-run")

    assert (64, 0) == (done.code, looking.code)
    assert "shards need a ledger that all of them share" in " ".join(done.stderr.split())


@pytest.mark.parametrize(
    ("ledger", "limits"), [(SHARED, Limits(aborts_per_run=5)), (SHARED, Limits()), (None, Limits())]
)
def test_who_shares_a_ledger_or_has_no_limits_may_abort(ledger: str | None, limits: Limits) -> None:
    """Without limits there is nothing that would have to be shared."""
    refuse_unshared(Settings(targets=(), mode="enforce", ledger=ledger, limits=limits))


@pytest.mark.parametrize(
    "limits", [Limits(aborts_per_run=0), Limits(aborts_per_day=5), Limits(bytes_per_run=5)]
)
def test_without_a_ledger_no_limit_can_be_shared(limits: Limits) -> None:
    """Any of them is a reason to refuse."""
    loaded = Settings(targets=(), mode="enforce", ledger=None, limits=limits)

    with pytest.raises(click.BadParameter, match="would have limits of its own"):
        refuse_unshared(loaded)


@pytest.mark.parametrize(
    ("grouping", "expected"), [({}, "1"), ({"shard": "mine", "site": "a"}, "mine")]
)
def test_shards_leave_their_metrics_side_by_side(
    tmp_path: Path, grouping: dict[str, str], expected: str
) -> None:
    """A group and a file for each; a label that the config has stays."""
    path = tmp_path / "janitor.prom"
    to = Push(grouping=tuple(sorted(grouping.items())), textfile=str(path))
    Pusher(Settings(targets=(), push=to), utc_now, shard=Shard(1, 2)).crashed(RuntimeError())
    text = (tmp_path / "janitor-shard-1.prom").read_text("utf-8")
    labels = [
        sample.labels.get("shard")
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    ]

    assert {expected} == set(labels)
    assert not path.exists()
