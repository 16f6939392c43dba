"""The elector through the real client, against a server that can fail in every way."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import structlog
from kubernetes import client
from service.lease_server import Fault, LeaseServer, serving

from janitor.errors import NotLeader
from janitor.service.leadership import Alone, Leadership
from janitor.service.lease import LeaseElector
from janitor.settings.types import Election

NAME = "upload-janitor"
SHORT = timedelta(seconds=1)
GUARD = 60.0


@pytest.fixture
def server() -> Iterator[LeaseServer]:
    """Serve Leases, of which there are none."""
    with serving() as running:
        yield running


def wait_until(happened: Callable[[], object]) -> None:
    """Wait for something to become true; the limit is only against hanging."""
    deadline = time.monotonic() + GUARD
    while not happened():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.005)


def api_of(server: LeaseServer) -> Any:
    """Make a real client, as `connect` does."""
    configuration = client.Configuration()
    configuration.host = f"http://127.0.0.1:{server.port}"
    configuration.retries = False
    return client.CoordinationV1Api(client.ApiClient(configuration))


def elector(server: LeaseServer, identity: str = "a", **more: Any) -> LeaseElector:
    """Make an elector that is quick."""
    election = Election(NAME, "janitors", more.pop("duration", SHORT))
    return LeaseElector(election, identity=identity, api=api_of(server), **more)


def unhurried(slower: int = 10) -> dict[str, Any]:
    """Give clocks that go slowly, so that a busy machine does not cost a leader its Lease."""
    start = time.time()
    return {
        "clock": lambda: time.monotonic() / slower,
        "wall": lambda: start + time.monotonic() / slower,
    }


def let_go(server: LeaseServer) -> None:
    """Leave a Lease that its last holder released, so that nobody need wait."""
    now = _time(datetime.now(UTC))
    spec = {"holderIdentity": "", "leaseDurationSeconds": 1, "renewTime": now, "acquireTime": now}
    server.put(NAME, spec | {"leaseTransitions": 4})


def hold(server: LeaseServer, holder: str, seconds: int = 1, **metadata: Any) -> None:
    """Let somebody else hold the Lease."""
    now = _time(datetime.now(UTC))
    spec = {"holderIdentity": holder, "leaseDurationSeconds": seconds, "leaseTransitions": 4}
    server.put(NAME, spec | {"renewTime": now, "acquireTime": now}, **metadata)


def _time(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S.%fZ}"


def test_alone_always_leads() -> None:
    """Without an election nothing is ever refused."""
    with Alone() as alone:
        alone.demand()

        assert (True, False) == (alone.leads, alone.lost())


def test_an_elector_is_a_leadership(server: LeaseServer) -> None:
    """What the daemon is wired with has the promised shape."""
    promised: list[Leadership] = [Alone(), elector(server)]

    assert [True, False] == [each.leads for each in promised]


def test_the_first_makes_the_lease_and_leads(server: LeaseServer) -> None:
    """With no Lease there, one is made after a duration, and says who, since when, for how long."""
    heard: list[bool] = []
    with elector(server, on_change=heard.append, **unhurried(4)) as one:
        wait_until(lambda: one.leads)
        one.demand()
        spec = server.lease["spec"]
        wait_until(lambda: len(server.written) > 3)
        renewed = server.lease["spec"]

    assert ("a", 1, 0) == tuple(
        spec[key] for key in ("holderIdentity", "leaseDurationSeconds", "leaseTransitions")
    )
    assert (spec["acquireTime"], 0) == (renewed["acquireTime"], renewed["leaseTransitions"])
    assert spec["renewTime"] < renewed["renewTime"]
    assert [True, False] == heard


def test_times_are_written_as_the_server_reads_them(server: LeaseServer) -> None:
    """A MicroTime has six digits after the point and a Z, for the API server takes no other."""
    let_go(server)
    clocks = unhurried() | {"wall": lambda: 1_800_000_000.0}
    with elector(server, **clocks) as one:
        wait_until(lambda: one.leads)
        wait_until(lambda: len(server.written) > 3)
    times = {spec[key] for spec in server.written[1:] for key in ("acquireTime", "renewTime")}

    for text in times:
        assert _time(datetime.fromisoformat(text)) == text.replace("+00:00", "Z")
        assert datetime.fromisoformat(text).microsecond


def test_leaving_lets_go_so_that_the_next_need_not_wait(server: LeaseServer) -> None:
    """What is released is taken at once, and counted as a transition; leaving is no loss."""
    let_go(server)
    hour = timedelta(hours=1)
    with elector(server, "a", duration=hour) as one:
        wait_until(lambda: one.leads)
    released = server.lease["spec"]
    with elector(server, "b", duration=hour) as two:
        wait_until(lambda: two.leads)
        taken = server.lease["spec"]

    assert (False, False) == (one.leads, one.lost())
    assert ("", 1, 5) == (
        released["holderIdentity"],
        released["leaseDurationSeconds"],
        released["leaseTransitions"],
    )
    assert ("b", 6) == (taken["holderIdentity"], taken["leaseTransitions"])


def test_who_does_not_lead_must_not_act(server: LeaseServer) -> None:
    """A standby refuses every abort, and lets the holder's Lease alone when it leaves."""
    hold(server, "other", seconds=3600)
    before = server.lease
    with elector(server) as one:
        wait_until(lambda: len(server.requests) > 2)

        with pytest.raises(NotLeader, match="does not hold the Lease"):
            one.demand()

    assert (False, before) == (one.lost(), server.lease)


def test_a_standby_leads_when_the_holder_is_silent(server: LeaseServer) -> None:
    """A holder that stops renewing loses the Lease, whatever time its clock said it was."""
    hold(server, "other", labels={"team": "storage"}, annotations={"why": "because"})
    with elector(server) as one:
        wait_until(lambda: one.leads)
        lease = server.lease

    assert ("a", 5) == (lease["spec"]["holderIdentity"], lease["spec"]["leaseTransitions"])
    assert {"team": "storage"} == lease["metadata"]["labels"]
    assert {"why": "because"} == lease["metadata"]["annotations"]


def test_another_duration_is_respected(server: LeaseServer) -> None:
    """A holder with a longer duration than ours keeps its Lease for as long as it says."""
    hold(server, "other", seconds=3600)
    with elector(server, duration=timedelta(seconds=0.2)) as one:
        wait_until(lambda: len(server.requests) > 12)

        assert not one.leads


def test_a_lease_that_was_never_held_is_waited_for(server: LeaseServer) -> None:
    """A blank Lease may stand in for one that was deleted while somebody led."""
    server.put(NAME, {})
    with elector(server, duration=timedelta(hours=1)) as one:
        wait_until(lambda: len(server.requests) > 0)

        assert not one.leads
    with elector(server) as two:
        wait_until(lambda: two.leads)


@pytest.mark.parametrize("how", ["taken", "deleted", "emptied"])
def test_a_lease_that_is_gone_is_lost_for_ever(server: LeaseServer, how: str) -> None:
    """Whoever finds somebody else, or nothing, in its place stops, and never comes back."""
    heard: list[bool] = []
    let_go(server)
    with elector(server, duration=timedelta(seconds=6), on_change=heard.append) as one:
        wait_until(lambda: one.leads)
        if how == "taken":
            hold(server, "other")
        elif how == "deleted":
            server.delete(NAME)
        else:
            server.put(NAME, {"holderIdentity": ""})
        wait_until(one.lost)
        let_go(server)
        wait_until(lambda: False in heard)

        with pytest.raises(NotLeader):
            one.demand()

    assert ([True, False], True) == (heard, one.lost())


def test_a_touched_lease_is_still_ours(server: LeaseServer) -> None:
    """Somebody's annotation is a lost race, not a lost Lease; and it stays."""
    let_go(server)
    with elector(server, **unhurried()) as one:
        wait_until(lambda: one.leads)
        with server.lock:
            server.put(NAME, server.lease["spec"], annotations={"seen": "yes"})
            written = len(server.written)
        wait_until(lambda: len(server.written) > written + 1)

        assert (True, False) == (one.leads, one.lost())
        assert {"seen": "yes"} == server.lease["metadata"]["annotations"]


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_lost_answer_is_made_up_for(server: LeaseServer, method: str) -> None:
    """A write that came through without an answer does not lock us out."""
    let_go(server)
    server.faults.append(Fault(method, kind="lose"))
    with elector(server, **unhurried()) as one:
        wait_until(lambda: one.leads)
        server.faults.append(Fault("PUT", kind="lose"))
        wait_until(lambda: not server.faults[-1].times)
        written = len(server.written)
        wait_until(lambda: len(server.written) > written + 2)

        assert (True, False) == (one.leads, one.lost())
    assert "" == server.lease["spec"]["holderIdentity"]


def test_a_new_lease_whose_answer_was_lost_is_led_in_the_end(server: LeaseServer) -> None:
    """It is ours by its name, but since when is not known, so it is waited for."""
    server.faults.append(Fault("POST", kind="lose"))
    with elector(server) as one:
        wait_until(lambda: one.leads)

    assert ["a", "a"] == [spec["holderIdentity"] for spec in server.written[:2]]


STATUS = b'{"kind": "Status", "reason": "%s", "message": "no", "details": {}}'
TROUBLES = {
    "unauthorized": Fault(status=401, body=STATUS % b"Unauthorized", times=None),
    "forbidden": Fault(status=403, body=STATUS % b"Forbidden", times=None),
    "not found by a proxy": Fault(status=404, body=b"<html>404</html>", times=None),
    "another thing not found": Fault(status=404, body=STATUS % b"NotFound", times=None),
    "gone": Fault(status=410, body=STATUS % b"Gone", times=None),
    "throttled": Fault(status=429, headers={"Retry-After": "1"}, times=None),
    "throttled for a day": Fault(status=429, headers={"Retry-After": "86400"}, times=None),
    "throttled in words": Fault(status=429, headers={"Retry-After": "soon"}, times=None),
    "broken": Fault(status=500, body=b"{}", times=None),
    "unavailable": Fault(status=503, body=b"", headers={"Retry-After": "1"}, times=None),
    "redirected": Fault(status=307, headers={"Location": "http://127.0.0.1:1/"}, times=None),
    "empty": Fault(status=200, body=b"", times=None),
    "no JSON": Fault(status=200, body=b"\xff<html>", times=None),
    "no Lease": Fault(status=200, body=b'{"kind": "Pod"}', times=None),
    "a list": Fault(status=200, body=b"[]", times=None),
    "deep": Fault(status=200, body=b"[" * 100_000, times=None),
    "huge": Fault(status=200, body=b" " * 2_000_000, times=None),
    "hanging up": Fault(kind="lose", method="GET", times=None),
    "hanging": Fault(kind="hang", times=None),
}


@pytest.mark.parametrize("trouble", TROUBLES)
def test_trouble_makes_nobody_lead(server: LeaseServer, trouble: str) -> None:
    """No answer, or one that proves nothing, is no Lease; when it ends, the standby leads."""
    let_go(server)
    server.faults.append(_fresh(TROUBLES[trouble]))
    with elector(server, **unhurried()) as one:
        wait_until(lambda: len(server.requests) > 2)

        assert (False, False) == (one.leads, one.lost())

        server.faults[0].free.set()
        server.faults.clear()
        wait_until(lambda: one.leads)


@pytest.mark.parametrize("trouble", sorted(set(TROUBLES) - {"hanging up"}))
def test_trouble_ends_a_lead_in_time(server: LeaseServer, trouble: str) -> None:
    """A leader that cannot renew says that it does not lead before another may begin."""
    let_go(server)
    with elector(server) as one:
        wait_until(lambda: one.leads)
        with server.lock:
            server.faults.append(_fresh(TROUBLES[trouble]))
            holder = server.lease["spec"]["holderIdentity"]
        wait_until(one.lost)

        assert ("a", False) == (holder, one.leads)

        server.faults[0].free.set()
        server.faults.clear()

        with pytest.raises(NotLeader):
            one.demand()


def _fresh(fault: Fault) -> Fault:
    return Fault(fault.method, fault.status, fault.headers, fault.body, fault.kind, fault.times)


def test_nobody_listens() -> None:
    """A refused connection is no reason to end, nor to lead; when somebody listens, one leads."""
    with serving() as other:
        port = other.port
        api = api_of(other)
    log = structlog.testing.LogCapture()
    structlog.configure(processors=[log])
    with LeaseElector(Election(NAME, "janitors", SHORT), api=api) as one:
        wait_until(lambda: log.entries)

        assert (False, False) == (one.leads, one.lost())

        with serving(port=port) as back:
            let_go(back)
            wait_until(lambda: one.leads)
    told = [entry["event"] for entry in log.entries if entry["event"] == "lease.unreachable"]

    assert ["lease.unreachable"] == told[:1]


def test_what_was_written_must_change_something(server: LeaseServer) -> None:
    """A server that accepts a write and keeps the old version has not written it."""
    hold(server, "a")
    same = server.lease
    server.faults.append(Fault("PUT", status=200, body=json.dumps(same).encode(), times=None))
    with elector(server) as one:
        wait_until(lambda: len(server.requests) > 3)

        assert not one.leads


class Clocks:
    """Two clocks that only move when they are told to."""

    def __init__(self) -> None:
        self.ticks = 1000.0
        self.wall = 1_800_000_000.5

    def options(self) -> dict[str, Any]:
        """Give them to an elector."""
        return {"clock": lambda: self.ticks, "wall": lambda: self.wall}


@pytest.mark.parametrize(
    ("ticks", "wall"),
    [
        pytest.param(11.0, 11.0, id="stopped, then continued"),
        pytest.param(0.0, 3600.0, id="the machine slept"),
        pytest.param(11.0, 0.0, id="the wall clock stood still"),
        pytest.param(0.0, -3600.0, id="the clock was set back"),
    ],
)
def test_the_first_thing_after_a_sleep_is_doubt(
    server: LeaseServer, ticks: float, wall: float
) -> None:
    """Whichever clock says that the time has run out is believed, before any request."""
    clocks = Clocks()
    let_go(server)
    hang = Fault("PUT", kind="hang", times=None)
    with elector(server, duration=timedelta(seconds=15), **clocks.options()) as one:
        wait_until(lambda: one.leads)
        server.faults.append(hang)
        clocks.ticks += ticks
        clocks.wall += wall

        with pytest.raises(NotLeader):
            one.demand()

        assert (False, True) == (one.leads, one.lost())

        clocks.ticks -= ticks
        clocks.wall -= wall

        assert (False, True) == (one.leads, one.lost())

        hang.free.set()
        server.faults.clear()


def test_a_listener_that_breaks_does_not_end_the_election(
    server: LeaseServer, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever the callback does, the Lease is renewed."""

    def broken(leads: bool) -> None:  # noqa: FBT001  # as it is called
        raise RuntimeError(leads)

    let_go(server)
    with caplog.at_level(logging.ERROR), elector(server, on_change=broken, **unhurried()) as one:
        wait_until(lambda: one.leads)
        written = len(server.written)
        wait_until(lambda: len(server.written) > written + 3)

        assert one.leads


def test_two_electors_take_turns(server: LeaseServer) -> None:
    """Of two, one leads; when it leaves, the other does."""
    let_go(server)
    one, two = (elector(server, name, **unhurried()) for name in "ab")
    with one, two:
        wait_until(lambda: one.leads or two.leads)
        first, second = (one, two) if one.leads else (two, one)

        assert not second.leads

        first.__exit__()
        wait_until(lambda: second.leads)

        assert (False, False) == (first.leads, first.lost())


def test_leaving_is_quick_although_the_server_hangs(server: LeaseServer) -> None:
    """A Lease that cannot be released is left to run out."""
    let_go(server)
    hang = Fault("PUT", kind="hang", times=None)
    with elector(server) as one:
        wait_until(lambda: one.leads)
        server.faults.append(hang)

    assert (False, False) == (one.leads, one.lost())
    assert "a" == server.lease["spec"]["holderIdentity"]
