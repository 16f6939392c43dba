from __future__ import annotations

from benchmarks.paper import Conditions, Constants, Fleet, Prices, bill, constants, hot_prefix

FLEET = Fleet(accounts=10, buckets=100, uploads=250_000)
KNOWN = Constants(
    listed=0.001,
    cleaned=0.01,
    account=0.1,
    account_memory=2.0,
    memory=50.0,
    border=2.0,
)


def test_listing_asks_for_every_page_of_every_bucket() -> None:
    """2,500 uploads are three pages with two borders; each account is asked for its buckets."""
    found = bill(FLEET, 0, KNOWN)

    assert 10 + 100 * (3 + 2 * 2) == found.listings
    assert (0, 0) == (found.looks, found.aborts)


def test_only_aborts_are_free() -> None:
    """It is not known whether looking at parts costs as a LIST or as a GET, so both are told."""
    prices = Prices(listing=1.0, reading=0.1)
    found = bill(FLEET, 1000, KNOWN, prices)

    assert 710 + 3000 == found.dollars
    assert 710 + 300 == found.least_dollars
    assert 1000 == found.aborts


def test_whichever_is_longer_decides_how_many_workers() -> None:
    """First the processor, then the latency."""
    busy = bill(FLEET, 0, KNOWN, conditions=Conditions(hours=100 / 3600))
    waiting = bill(
        FLEET, 0, KNOWN, conditions=Conditions(latency=10.0, in_flight=1, hours=100 / 3600)
    )

    assert (251.0, 3) == (busy.processor, busy.workers)
    assert (7100.0, 71) == (waiting.waiting, waiting.workers)
    assert 251 / 3 / 60 == busy.minutes


def test_accounts_are_shared_among_workers() -> None:
    """Three workers hold four accounts at most."""
    found = bill(FLEET, 0, KNOWN, conditions=Conditions(hours=100 / 3600))

    assert 50 + 4 * 2 == found.memory


def test_one_hot_prefix_has_a_limit_of_its_own() -> None:
    """3,500 aborts a second, or 5,500 looks, whichever is reached first."""
    assert 3_000_000 / 5_500 == hot_prefix(1_000_000)
    assert 1_000_000 / 3_500 == hot_prefix(1_000_000, looks=1.0)


def test_constants_are_what_each_further_upload_took() -> None:
    """The start of the program is not divided among uploads."""

    def point(name: str, size: int, processor: float, requests: int = 0) -> dict[str, object]:
        memory = 40.0 + size / 10
        found = {"wall": 0.0, "processor": processor, "memory": memory, "requests": requests}
        return {"name": name, "size": size} | found

    measured = {
        "growth": {
            "list": [point("janitor", 10, 1.0), point("janitor", 2010, 3.0, 4)],
            "clean": [point("rclone", 1, 9.0), point("janitor", 1, 1.0), point("janitor", 11, 2.0)],
            "accounts": [point("janitor, accounts", 0, 1.0), point("janitor, accounts", 10, 2.0)],
        }
    }
    found = constants(measured)

    assert 0.001 == found.listed
    assert round(0.1 - 0.001, 6) == round(found.cleaned, 6)
    assert (0.1, 0.1) == (found.account, found.account_memory)
    assert 1 / 2 == found.border
