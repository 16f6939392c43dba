"""What a sweep tells is the same, whoever makes its requests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from distributed import LocalCluster
from support.child_scene import Scene
from support.harness import days
from support.workers import PROCESSES, Heard, sweeper

from janitor.observe.events import (
    PageListed,
    Planned,
    RequestFinished,
    SweepFinished,
    UploadFinished,
)

MakeScene = Callable[..., Scene]
THREADS = "{concurrency: 16}"
RULES = 'rules: [{name: committers, match: {key: "**/__magic/**"}, action: keep}]'
POLICY = f"{{stale_after: 7d, idle_for: 24h, grace: 24h, {RULES}}}"


def told(scene: Scene, execution: str, *, every: bool) -> dict[str, Any]:
    """Look at everything in report mode, and give all that has no time of its own in it."""
    scene.configure(execution=execution, policy=POLICY, mode="report")
    heard = Heard()
    finished: SweepFinished = sweeper(scene, observers=[heard], every_upload=every).sweep()
    return {
        "code": finished.exit_code,
        "counts": [
            (
                result.where,
                result.outcome,
                result.listed,
                result.stale,
                result.kept,
                result.withheld,
                result.waiting,
                result.bytes_stale,
                result.oldest_initiated,
            )
            for result in finished.results
        ],
        "uploads": {
            event.result.decision.upload.upload_id: (
                event.result.decision.reason,
                event.result.outcome,
                event.result.decision.rule,
                event.result.decision.activity,
            )
            for event in heard.of(UploadFinished)
        },
        "requests": Counter(
            (event.where, event.operation, event.code)
            for event in heard.of(RequestFinished)
            if event.operation != "identify"
        ),
        "pages": Counter((event.where, event.uploads) for event in heard.of(PageListed)),
        "planned": [event.count for event in heard.of(Planned)],
    }


def test_reports_and_metrics_are_the_same(make_scene: MakeScene) -> None:
    """Counts, decisions with their evidence, requests and pages: all as with threads."""
    scene = make_scene(4)
    for population in scene.populations.values():
        population.harness.add(
            scene.sandbox, "container", "a/__magic/b", age=days(20), parts=[days(19)]
        )
    told(scene, THREADS, every=False)  # another policy: all marks begin anew
    with LocalCluster(
        n_workers=1, threads_per_worker=1, host="127.0.0.1", dashboard_address=":0"
    ) as cluster:
        dask = f'{{scheduler: "{cluster.scheduler_address}"}}'
        by_dask = f"{{concurrency: 16, backend: dask, dask: {dask}}}"
        for every in (False, True):
            expected = told(scene, THREADS, every=every)

            assert expected["uploads"]
            assert expected == told(scene, PROCESSES, every=every)
            assert expected == told(scene, by_dask, every=every)
