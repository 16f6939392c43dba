"""Two real daemons, one real API server: one leads, and when it dies or sleeps the other does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client
from service.test_lease import wait_until
from support import kubernetes_manifests as manifests
from support.cluster import Cluster
from support.helm_cases import CASES

from janitor.commands.sandbox import config_for
from janitor.sandbox import POPULATION, Sandbox
from janitor.service.lease_api import Leases
from janitor.service.lease_rules import Lease, Read, Record

JANITOR = Path(sys.executable).with_name("janitor")
NAME = "upload-janitor"
SECONDS = 5
KILLED_AT = 3


@dataclass(frozen=True, slots=True)
class Daemon:
    """One `janitor serve`, and what it logs."""

    process: subprocess.Popen[bytes]
    log: Path

    def told(self, event: str) -> list[dict[str, Any]]:
        """Give all whole lines of an event."""
        lines = self.log.read_text(encoding="utf-8").splitlines(keepends=True)
        read = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("\n")]
        return [line for line in read if line["event"] == event]

    def wait_for(self, event: str) -> dict[str, Any]:
        """Wait until it says something for the first time."""
        wait_until(lambda: self.told(event) or self.process.poll() is not None)
        found = self.told(event)

        assert found, self.log.read_text(encoding="utf-8")[-3000:]
        return found[0]


@dataclass(frozen=True, slots=True)
class Scene:
    """A store with stale uploads, a Lease that is not there yet, and daemons that may have it."""

    sandbox: Sandbox
    cluster: Cluster
    namespace: str
    kubeconfig: Path
    folder: Path

    @contextmanager
    def daemon(self, name: str) -> Iterator[Daemon]:
        """Run a daemon, and end it for sure, even if it was stopped."""
        file = self.folder / f"{name}.yaml"
        election = f"{{lease: {NAME}, namespace: {self.namespace}, duration: {SECONDS}s}}"
        more = (
            'http: {listen: "127.0.0.1:0"}\n'
            "execution: {concurrency: 1}\n"
            f"leader_election: {election}\n"
        )
        file.write_text(config_for(self.sandbox) + more, encoding="utf-8")
        log = self.folder / f"{name}.log"
        environment = {
            "PATH": os.environ["PATH"],
            "KUBECONFIG": str(self.kubeconfig),
            "POD_NAME": name,
        }
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603  # our own program
                [JANITOR, "serve", "-c", file],
                stdout=subprocess.DEVNULL,
                stderr=output,
                env=environment,
            )
            try:
                yield Daemon(process, log)
            finally:
                process.kill()
                process.wait()

    def lease(self) -> Record:
        """Say who holds the Lease."""
        api = client.CoordinationV1Api(self.cluster.api())
        found = Leases(api, self.namespace, NAME).ask(Read(5.0))

        assert isinstance(found, Lease), found
        return found.record

    def aborted(self) -> list[tuple[str | None, str | None, str | None]]:
        """Name what was aborted, once for each time."""
        return [
            (entry.container, entry.key, entry.upload_id)
            for entry in self.sandbox.journal
            if entry.operation.endswith(".abort") and entry.status == 204
        ]

    def requested(self) -> int:
        """Count the requests to abort, whatever became of them."""
        return sum(entry.operation.endswith(".abort") for entry in self.sandbox.journal)

    def at_abort(self, number: int, act: Callable[[], None]) -> threading.Event:
        """Do something while a daemon waits for the answer to its nth abort."""
        seen: list[object] = []
        done = threading.Event()

        def count(call: object) -> None:
            seen.append(call)
            if len(seen) == number:
                act()
                done.set()

        for provider in ("glacier", "qingstor", "s3"):
            self.sandbox.on(f"{provider}.abort", count)
        return done


@pytest.fixture
def scene(cluster: Cluster, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """Set a scene, with the rights that the chart gives."""
    namespace = cluster.namespace(request.node.name.replace("_", "-")[:60].rstrip("-"))
    for manifest in manifests.render(CASES["leader-election"], namespace=namespace):
        if manifest["kind"] in {"ServiceAccount", "Role", "RoleBinding"}:
            cluster.apply(manifest, namespace)
    token = cluster.token(namespace, NAME)
    kubeconfig = cluster.kubeconfig(namespace, token, namespace)
    with Sandbox.start(seed=POPULATION) as sandbox:
        yield Scene(sandbox, cluster, namespace, kubeconfig, tmp_path)

        assert [] == sandbox.accusations


def test_the_standby_takes_over_from_a_leader_that_was_killed(scene: Scene) -> None:
    """After kill -9 in mid-sweep the standby leads, and finishes; nothing is aborted twice."""
    with scene.daemon("one") as one, scene.daemon("two") as two:
        first, second = _by_role(scene, one, two)
        first.process.wait(60)
        # The store notes a request when it is done with it.
        wait_until(lambda: scene.requested() == KILLED_AT)
        second.wait_for("lease.acquired")
        finished = second.wait_for("sweep.finished")
        record = scene.lease()
    aborted = scene.aborted()

    assert -signal.SIGKILL == first.process.returncode
    assert (1, 0) == (record.transitions, finished["withheld"])
    assert len(set(aborted)) == len(aborted) == KILLED_AT + finished["aborted"]


def _by_role(scene: Scene, one: Daemon, two: Daemon) -> tuple[Daemon, Daemon]:
    """Wait until one leads and is in the middle of its sweep, where it is killed."""
    names = {"one": one, "two": two}
    roles: list[tuple[Daemon, Daemon]] = []

    def kill() -> None:
        leader = names[scene.lease().holder.partition("_")[0]]
        roles.append((leader, two if leader is one else one))
        leader.process.send_signal(signal.SIGKILL)

    assert scene.at_abort(KILLED_AT, kill).wait(60)
    return roles[0]


def test_a_leader_that_slept_for_too_long_aborts_nothing_more(scene: Scene) -> None:
    """After SIGSTOP beyond the Lease's end, SIGCONT is followed by an exit and by no abort."""
    with scene.daemon("one") as one:

        def stop() -> None:
            one.process.send_signal(signal.SIGSTOP)

        assert scene.at_abort(KILLED_AT, stop).wait(60)
        with scene.daemon("two") as two:
            two.wait_for("lease.acquired")
            finished = two.wait_for("sweep.finished")
            requested = scene.requested()
            one.process.send_signal(signal.SIGCONT)
            code = one.process.wait(60)
            record = scene.lease()

            assert two.process.poll() is None
        lost = one.told("lease.lost")

    assert (requested, 1) == (scene.requested(), len(lost))
    assert (1, "two") == (record.transitions, record.holder.partition("_")[0])
    assert code not in {0, -signal.SIGKILL}
    assert len(set(scene.aborted())) == len(scene.aborted()) == KILLED_AT + finished["aborted"]


def test_a_leader_that_is_told_to_stop_lets_go(scene: Scene) -> None:
    """After SIGTERM the standby does not wait for the Lease to run out."""
    with scene.daemon("one") as one:
        one.wait_for("sweep.finished")
        one.process.send_signal(signal.SIGTERM)
        code = one.process.wait(60)
        released = scene.lease()
        with scene.daemon("two") as two:
            two.wait_for("lease.acquired")
            taken = scene.lease()

    assert (0, "", 0) == (code, released.holder, released.transitions)
    assert ("two", 1) == (taken.holder.partition("_")[0], taken.transitions)


def test_a_leader_whose_lease_was_taken_away_exits(scene: Scene) -> None:
    """In mid-sweep, what is left is withheld, and the process ends with an error."""
    with scene.daemon("one") as one:

        def take() -> None:
            kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
            body = kind | {"metadata": {"name": NAME}, "spec": {"holderIdentity": "me"}}
            path = f"/apis/coordination.k8s.io/v1/namespaces/{scene.namespace}/leases/{NAME}"
            status, _ = scene.cluster.send("PATCH", path, body, query="?fieldManager=me&force=true")

            assert 200 == status
            one.wait_for("lease.lost")

        assert scene.at_abort(KILLED_AT, take).wait(60)
        code = one.process.wait(60)
        finished = one.wait_for("sweep.finished")

    assert KILLED_AT == scene.requested() == finished["aborted"]
    assert finished["withheld"] > 0
    assert code not in {0, -signal.SIGKILL}
    assert "me" == scene.lease().holder
