"""Workers of a Dask cluster: the right aborts, each once, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme
from dask import config
from distributed import Client, LocalCluster, Security
from support import kubernetes_manifests as k8s
from support.child_scene import PROVIDERS, Scene
from support.child_sweep import HASTE
from support.workers import (
    PATIENCE,
    SHORT_LEASES,
    Heard,
    Points,
    sweeper,
    sweeping,
)

from janitor import settings
from janitor.backends import dask as dask_backend
from janitor.backends.dask import Cluster, ClusterUnusable, DaskStaff
from janitor.observe.events import WorkersNoticed
from janitor.targets import Dask
from janitor.wiring import Sweeper

MakeScene = Callable[..., Scene]
INTERRUPTED = 130
HERE = "127.0.0.1"


@dataclass(frozen=True)
class Running:
    """A cluster of two processes, and how to reach it."""

    cluster: LocalCluster
    scheduler: str

    @property
    def execution(self) -> str:
        """Say it in a config."""
        dask = f'{{scheduler: "{self.scheduler}"}}'
        return f"{{concurrency: 16, backend: dask, dask: {dask}}}"

    def pids(self) -> dict[str, int]:
        """Give the process id of each worker."""
        with Client(self.scheduler, set_as_default=False) as client:
            found: dict[str, int] = client.run(os.getpid)
        return found


@contextmanager
def running(**more: object) -> Iterator[Running]:
    """Run a cluster on loopback, whose workers are processes."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        dashboard_address=":0",  # None is a port of its own choice, which may be taken
        silence_logs=False,
        **more,
    ) as cluster:
        yield Running(cluster, cluster.scheduler_address)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Running]:
    """Run a cluster for all tests that let its workers live."""
    with running(host="127.0.0.1") as made:
        yield made


@pytest.fixture
def doomed() -> Iterator[Running]:
    """Run a cluster for one test."""
    with running(host="127.0.0.1") as made:
        yield made


def test_all_providers(make_scene: MakeScene, cluster: Running) -> None:
    """Exactly what is stale goes, once; workers with one thread each are enough."""
    scene = make_scene(20)
    scene.configure(execution=cluster.execution)
    finished = sweeper(scene).sweep()
    done = {result.where.target: (result.listed, result.aborted) for result in finished.results}

    assert 0 == finished.exit_code
    assert dict.fromkeys(PROVIDERS, (22, 20)) == done
    scene.assert_convergence()


@pytest.mark.parametrize("point", Points.NAMES)
def test_a_worker_is_killed(make_scene: MakeScene, doomed: Running, point: str) -> None:
    """All workers are killed while one is in the middle: the same run finishes, each once."""
    scene = make_scene(4)
    scene.configure(execution=doomed.execution, leader_election=SHORT_LEASES)
    heard = Heard()
    hold = Points(scene, "s3", point).hold
    with sweeping(scene, observers=[heard]) as (_, sweep):
        hold.wait_until_held()
        for pid in doomed.pids().values():
            os.kill(pid, signal.SIGKILL)
        # Nannies mostly begin new ones, but not always in time.
        doomed.cluster.scale(4)
        hold.let_go()
        finished = sweep.result(PATIENCE)

    assert 0 == finished.exit_code
    assert heard.of(WorkersNoticed)
    scene.assert_convergence()


def test_a_worker_is_killed_where_dask_gives_up(make_scene: MakeScene) -> None:
    """The manifests let Dask try nothing again: then a future fails with an error of Dask's."""
    scene = make_scene(4, "s3")
    with config.set({"distributed.scheduler.allowed-failures": 0}), running(host=HERE) as doomed:
        # One request at a time for each worker: most of a piece is not begun when it is lost.
        execution = doomed.execution.replace("16", "3", 1)
        scene.configure(execution=execution, leader_election=SHORT_LEASES)
        hold = Points(scene, "s3", "handled").hold
        with sweeping(scene) as (_, sweep):
            hold.wait_until_held()
            for pid in doomed.pids().values():
                os.kill(pid, signal.SIGKILL)
            doomed.cluster.scale(4)
            hold.let_go()
            finished = sweep.result(PATIENCE)

    assert (0, 4) == (finished.exit_code, finished.results[0].aborted)
    scene.assert_convergence()


def test_a_scheduler_that_hangs(unused_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """It has no workers, as far as anybody can tell; and nobody waits for ever."""
    where = f"tcp://{HERE}:{unused_port}"
    command = [str(Path(sys.executable).with_name("dask")), "scheduler", "--no-dashboard"]
    with program([*command, f"--host={where}"], {}) as hanging:
        cluster = Cluster(Dask(where))
        monkeypatch.setattr(dask_backend, "PATIENCE", 1.0)
        os.kill(hanging.pid, signal.SIGSTOP)
        begun = time.monotonic()
        found = cluster.addresses()
        took = time.monotonic() - begun
        os.kill(hanging.pid, signal.SIGCONT)
        cluster.close()

    assert frozenset() == found
    assert 0.5 < took < PATIENCE / 2


def test_a_stop_in_the_middle(make_scene: MakeScene, cluster: Running) -> None:
    """Workers hear of a stop at once, although all of their threads are busy."""
    scene = make_scene(40, "s3")
    scene.configure(execution=cluster.execution.replace("16", "3"))
    hold = Points(scene, "s3", "sent").hold
    with sweeping(scene) as (stopped, sweep):
        hold.wait_until_held()
        stopped.stop.set()
        hold.let_go()
        finished = sweep.result(PATIENCE)
    scene.assert_nothing_is_lost()

    assert INTERRUPTED == finished.exit_code
    assert len(scene.gone()) == finished.results[0].aborted == len(scene.aborted())
    assert 0 < len(scene.gone()) < 40
    assert [] == scene.open_intents()


def test_the_manifests_run(make_scene: MakeScene, tmp_path: Path, unused_port: int) -> None:
    """Scheduler and workers as in deploy/kustomize/dask, with TLS; a stranger gets nowhere."""
    scheduler = f"tls://127.0.0.1:{unused_port}"
    files, strange = certificates(tmp_path / "ours"), certificates(tmp_path / "others")
    places = {
        "/etc/dask-tls/ca.crt": files["ca_file"],
        "/etc/dask-tls/tls.crt": files["cert_file"],
        "/etc/dask-tls/tls.key": files["key_file"],
        "tls://:8786": scheduler,
        "tls://dask-scheduler:8786": scheduler,
        "--local-directory=/tmp": f"--local-directory={tmp_path}",
    }
    scene = make_scene(3, "s3")
    named = ", ".join(f"{name}: {path}" for name, path in files.items())
    dask = f'{{scheduler: "{scheduler}", {named}}}'
    scene.configure(
        execution=f"{{concurrency: 16, backend: dask, workers: 2, dask: {dask}}}",
        ledger="${LEDGER}",
    )
    manifests = k8s.kustomize(k8s.KUSTOMIZE / "dask")
    commands = [started(manifests, name, places) for name in ("dask-scheduler", "dask-worker")]
    with ExitStack() as stack:
        # Workers fill in the config by themselves, and know no ledger.
        elsewhere = {"LEDGER": "sqlite:////nowhere/at/all.db"}
        for command, environ in (commands[0], commands[1], commands[1]):
            stack.enter_context(program(command, environ | elsewhere))
        wait_for_workers(scheduler, files, 2)
        loaded = settings.load(scene.config, {"LEDGER": scene.url})
        finished = Sweeper(loaded, now=scene.sandbox.clock.now, patience=HASTE).sweep()
        with pytest.raises(ClusterUnusable, match="cannot be reached"):
            DaskStaff(Dask(scheduler, **strange)).count()

    assert 0 == finished.exit_code
    scene.assert_convergence()


def started(
    manifests: Sequence[k8s.Manifest], name: str, places: Mapping[str, str]
) -> tuple[list[str], dict[str, str]]:
    """Give the command and the environment of a Deployment, for files and addresses of ours."""
    (found,) = (
        one for one in manifests if (one["kind"], one["metadata"]["name"]) == ("Deployment", name)
    )
    (container,) = found["spec"]["template"]["spec"]["containers"]
    arguments = [*container["command"], *container["args"]]
    for theirs, ours in places.items():
        arguments = [each.replace(theirs, ours) for each in arguments]
    arguments[0] = str(Path(sys.executable).with_name("dask"))
    return arguments, {each["name"]: each["value"] for each in container["env"]}


@contextmanager
def program(command: list[str], environ: Mapping[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until the block ends."""
    with subprocess.Popen(  # noqa: S603  # what the manifests say
        command,
        env={**os.environ, **environ},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as running_program:
        try:
            yield running_program
        finally:
            running_program.kill()


def wait_for_workers(scheduler: str, files: Mapping[str, str], count: int) -> None:
    """Wait until a scheduler is up and has so many workers."""
    security = Security(
        tls_ca_file=files["ca_file"],
        tls_client_cert=files["cert_file"],
        tls_client_key=files["key_file"],
        require_encryption=True,
    )
    with Client(scheduler, security=security, timeout=PATIENCE, set_as_default=False) as client:
        client.wait_for_workers(count, timeout=PATIENCE)


def certificates(folder: Path) -> dict[str, str]:
    """Make an authority, and a certificate of it."""
    folder.mkdir()
    authority = trustme.CA()
    issued = authority.issue_cert("127.0.0.1", "localhost")
    files = {name: str(folder / f"{name}.pem") for name in ("ca_file", "cert_file", "key_file")}
    authority.cert_pem.write_to_path(files["ca_file"])
    issued.private_key_pem.write_to_path(files["key_file"])
    for blob in issued.cert_chain_pems:
        blob.write_to_path(files["cert_file"], append=True)
    return files


def test_nobody_listens(
    make_scene: MakeScene, unused_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A scheduler that is not there: the sweep says so, and nothing was done."""
    scene = make_scene(1, "s3")
    dask = f'{{scheduler: "tcp://127.0.0.1:{unused_port}"}}'
    scene.configure(execution=f"{{concurrency: 16, backend: dask, dask: {dask}}}")
    monkeypatch.setattr(dask_backend, "PATIENCE", 1.0)
    made = sweeper(scene)

    with pytest.raises(ClusterUnusable, match=f"127.0.0.1:{unused_port} cannot be reached"):
        made.sweep()
    assert set() == scene.gone()
