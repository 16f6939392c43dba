"""The chart's Role, as a real API server understands it: one Lease, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from kubernetes import client
from service.test_lease import wait_until
from support import kubernetes_manifests as manifests
from support.cluster import Cluster
from support.helm_cases import CASES

from janitor.service.lease import LeaseElector
from janitor.service.lease_api import Leases
from janitor.service.lease_rules import (
    Absent,
    Answer,
    Conflict,
    Failed,
    Lease,
    Read,
    Record,
    Write,
)
from janitor.settings.types import Election

NAME = "upload-janitor"
CHART = CASES["leader-election"]
LEASES = "/apis/coordination.k8s.io/v1/namespaces"


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """Install what the chart has for its service account, in a namespace of its own."""
    name = cluster.namespace(request.node.name.replace("_", "-")[:60].rstrip("-"))
    for manifest in manifests.render(CHART, namespace=name):
        if manifest["kind"] in {"ServiceAccount", "Role", "RoleBinding"}:
            status, said = cluster.apply(manifest, name)

            assert 201 == status, said
    return name


@pytest.fixture
def token(cluster: Cluster, namespace: str) -> str:
    """Ask for a token of the janitor's service account."""
    return cluster.token(namespace, NAME)


def leases(cluster: Cluster, token: str, namespace: str, name: str = NAME) -> Leases:
    """Make what the elector asks."""
    return Leases(client.CoordinationV1Api(cluster.api(token)), namespace, name)


def record(holder: str) -> Record:
    """Make a record that is of now."""
    now = datetime.now(UTC)
    return Record(holder, 15, now, now, 0)


def test_the_janitor_can_make_read_and_renew_its_lease(
    cluster: Cluster, namespace: str, token: str
) -> None:
    """Each of the three verbs is given, and two writers cannot both win."""
    asked = leases(cluster, token, namespace)
    before = asked.ask(Read(5.0))
    made = asked.ask(Write(record("a"), None, 5.0))

    assert isinstance(made, Lease)

    again = asked.ask(Write(record("b"), None, 5.0))
    renewed = asked.ask(Write(record("a"), made, 5.0))
    outdated = asked.ask(Write(record("b"), made, 5.0))
    found = asked.ask(Read(5.0))

    assert (Absent(), Conflict(), Conflict()) == (before, again, outdated)
    assert (renewed, "a") == (found, made.record.holder)


def test_times_without_microseconds_would_be_refused(
    cluster: Cluster, namespace: str, token: str
) -> None:
    """Why the elector never writes a full second: the client leaves the zeros out."""
    whole = datetime(2026, 1, 1, tzinfo=UTC)
    asked = leases(cluster, token, namespace)
    refused = asked.ask(Write(Record("a", 15, whole, whole, 0), None, 5.0))
    tick = timedelta(microseconds=1)
    taken = asked.ask(Write(Record("a", 15, whole + tick, whole + tick, 0), None, 5.0))

    assert [Failed, Lease] == [type(refused), type(taken)]
    assert isinstance(taken, Lease)
    assert whole + tick == taken.record.renewed


def test_an_elector_leads_and_lets_go(cluster: Cluster, namespace: str, token: str) -> None:
    """The whole of it works with the rights that the chart gives, and no more."""
    api = client.CoordinationV1Api(cluster.api(token))
    election = Election(NAME, namespace, timedelta(seconds=2))
    with LeaseElector(election, identity="a", api=api) as one:
        wait_until(lambda: one.leads)
        first = leases(cluster, token, namespace).ask(Read(5.0))
        wait_until(lambda: leases(cluster, token, namespace).ask(Read(5.0)) != first)
    left = leases(cluster, token, namespace).ask(Read(5.0))
    with LeaseElector(election, identity="b", api=api) as two:
        wait_until(lambda: two.leads)
        taken = leases(cluster, token, namespace).ask(Read(5.0))

    assert [("a", 0), ("", 0), ("b", 1)] == [_holder(each) for each in (first, left, taken)]


def _holder(answer: Answer) -> tuple[str, int]:
    assert isinstance(answer, Lease)
    return answer.record.holder, answer.record.transitions


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"{LEASES}/@/leases/another"),
        ("PUT", f"{LEASES}/@/leases/another"),
        ("GET", f"{LEASES}/@/leases"),
        ("DELETE", f"{LEASES}/@/leases/{NAME}"),
        ("DELETE", f"{LEASES}/@/leases"),
        ("PATCH", f"{LEASES}/@/leases/{NAME}"),
        ("GET", f"{LEASES}/@/leases?watch=true"),
        ("GET", f"{LEASES}/default/leases/{NAME}"),
        ("POST", f"{LEASES}/default/leases"),
        ("GET", "/api/v1/namespaces/@/secrets"),
        ("GET", "/api/v1/namespaces/@/secrets/upload-janitor"),
        ("GET", "/api/v1/namespaces/@/configmaps"),
        ("GET", "/api/v1/namespaces/@/pods"),
        ("POST", "/api/v1/namespaces/@/pods"),
        ("POST", "/api/v1/namespaces/@/serviceaccounts/upload-janitor/token"),
        ("GET", "/api/v1/namespaces"),
        ("GET", "/api/v1/nodes"),
        ("GET", "/apis/rbac.authorization.k8s.io/v1/namespaces/@/roles"),
        ("GET", "/apis/apps/v1/namespaces/@/deployments"),
    ],
)
def test_everything_else_is_forbidden(
    cluster: Cluster, shared: tuple[str, str], method: str, path: str
) -> None:
    """Other Leases, secrets, pods, other namespaces: 403, as is deleting its own."""
    namespace, token = shared
    name = "another" if "another" in path else NAME
    body = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": name},
        "spec": {},
    }
    where = path.replace("@", namespace)
    more = "?fieldManager=test" if method == "PATCH" else ""
    status, said = cluster.send(method, where, body, token=token, query=more)

    assert (403, "Forbidden") == (status, said["reason"])


@pytest.fixture(scope="module")
def shared(cluster: Cluster) -> tuple[str, str]:
    """Install the chart's rights once for all that only asks."""
    name = cluster.namespace("forbidden")
    for manifest in manifests.render(CHART, namespace=name):
        if manifest["kind"] in {"ServiceAccount", "Role", "RoleBinding"}:
            cluster.apply(manifest, name)
    for lease in (NAME, "another"):
        kind = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        cluster.apply(kind | {"metadata": {"name": lease}, "spec": {}}, name)
    return name, cluster.token(name, NAME)


def test_without_an_election_the_chart_gives_no_rights(cluster: Cluster) -> None:
    """By default there is no Role at all, and the account may not even look at the Lease."""
    name = cluster.namespace("no-election")
    rendered = manifests.render({}, namespace=name)
    for manifest in rendered:
        if manifest["kind"] == "ServiceAccount":
            cluster.apply(manifest, name)
    answer = leases(cluster, cluster.token(name, NAME), name).ask(Read(5.0))

    assert not {"Role", "RoleBinding", "ClusterRole"} & {one["kind"] for one in rendered}
    assert isinstance(answer, Failed)
    assert answer.reason.startswith("403 ")
