"""However shards come, go, die and come back: no limit is ever exceeded."""

from __future__ import annotations

from collections import Counter

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.ledger_samples import DAY, NOW
from support.ledger_shards import Member
from support.postgres import Server

from janitor.ledger import check
from janitor.plan import Limits
from janitor.sharding import Shard

COUNT = 3
LIMITS = Limits(aborts_per_run=5, aborts_per_day=8)
LATER = NOW + DAY * 2
ACTIONS = ("begin", "reserve", "abort", "intend", "free", "finish", "die", "lose", "next job")
Step = tuple[int, str]
STEPS = st.lists(st.tuples(st.integers(0, COUNT - 1), st.sampled_from(ACTIONS)), max_size=40)
BUSY = [(index, action) for action in ACTIONS[:3] for index in range(COUNT)]


class Shards:
    """Three numbers, at each of which somebody is at work or nobody."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.at_work: dict[int, Member] = {}
        self.allowed: Counter[str] = Counter()
        self.job = 0
        self.begun = 0
        self.spent_by_job: Counter[int] = Counter()
        self.lost: list[Member] = []

    def step(self, index: int, action: str) -> None:
        """Do one thing, if it can be done now."""
        member = self.at_work.get(index)
        if action == "next job":
            self.job += 1
        elif member is None:
            self.at_work[index] = self.begin(index)
        elif action in {"finish", "die", "lose"}:
            self.end(self.at_work.pop(index), action)
        elif action == "reserve":
            self.reserve(member)
        elif action in {"abort", "intend", "free"} and self.allowed[member.run_id] > 0:
            self.act(member, action)

    def begin(self, index: int) -> Member:
        """Let a shard of the present job begin."""
        self.begun += 1
        shard = Shard(index, COUNT, f"job-{self.job}")
        return Member(self.url, shard, f"{self.job}:{self.begun}", NOW)

    def reserve(self, member: Member) -> None:
        """Set four aside; a shard asks once, and keeps to what it gets."""
        if member.run_id not in self.allowed:
            left = member.reserve(4, LIMITS)
            assert left.aborts_per_run is not None
            assert left.aborts_per_day is not None
            self.allowed[member.run_id] = min(4, left.aborts_per_run, left.aborts_per_day)

    def act(self, member: Member, action: str) -> None:
        """Write an intent down, and perhaps its end."""
        self.allowed[member.run_id] -= 1
        (intent,) = member.intend(f"upload-{member.run_id}-{self.allowed[member.run_id]}")
        if action != "intend":
            outcome = "aborted" if action == "abort" else "not_sent"
            member.ledger.conclude(intent, NOW, outcome)
        if action != "free":
            self.spent_by_job[int(member.run_id.partition(":")[0])] += 1

    def end(self, member: Member, how: str) -> None:
        """Finish, be killed, or lose the lock and live on."""
        if how == "finish":
            member.finish()
        elif how == "die":
            member.die()
        else:
            member.lose_the_lock()
            self.lost.append(member)

    def close(self) -> None:
        """End all."""
        for member in [*self.at_work.values(), *self.lost]:
            member.die()
        self.at_work = {}


@given(steps=STEPS)
@example(steps=BUSY + BUSY[6:] * 4)
@example(steps=[*BUSY, (0, "die"), (0, "begin"), (0, "reserve"), *BUSY[6:] * 3])
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_no_limit_is_ever_exceeded(postgres: Server, steps: list[Step]) -> None:
    """In every order of things, for every job and for the day; then all goes on as new."""
    shards = Shards(postgres.new_url())
    try:
        for index, action in steps:
            shards.step(index, action)
    finally:
        shards.close()
    for number in range(COUNT):
        Member(shards.url, Shard(number, COUNT, "last"), f"last-{number}", LATER).finish()
    after = Member(shards.url, Shard(0, COUNT, "after"), "after", LATER)
    left = after.left(LIMITS)
    after.die()

    assert all(spent <= 5 for spent in shards.spent_by_job.values())
    assert shards.spent_by_job.total() <= 8
    assert LIMITS == left
    assert [] == check(shards.url)
