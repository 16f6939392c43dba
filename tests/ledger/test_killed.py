"""What the ledger has confirmed is there after a SIGKILL, on both databases."""

from __future__ import annotations

import pytest
from support.ledger_child import child, lines, rest
from support.ledger_samples import LAKE, NOW, header_of, seen_of

from janitor.ledger import check, open_ledger
from janitor.ledger.types import Sighting


@pytest.fixture
def begun(url: str) -> str:
    """Give the URL of a ledger with a run."""
    with open_ledger(url) as ledger:
        ledger.begin(header_of())
    return url


@pytest.mark.parametrize("count", [1, 7, 40])
def test_every_confirmed_intent_is_there(begun: str, count: int) -> None:
    """At most one more is there: the one that was on its way when the process died."""
    with child("intend", begun) as process:
        said = lines(process, count)
        process.kill()
        said += rest(process)
    with open_ledger(begun) as ledger:
        kept = [str(intent.intent) for intent in ledger.open_intents()]

    assert said == kept[: len(said)]
    assert len(kept) - len(said) in {0, 1}
    assert [] == check(begun)


@pytest.mark.parametrize("count", [1, 7, 40])
def test_every_confirmed_sighting_is_there(begun: str, count: int) -> None:
    """And what was not confirmed is there whole or not at all."""
    with child("sight", begun) as process:
        said = lines(process, count)
        process.kill()
        said += rest(process)
    batches = range(len(said) + 1)
    names = [[seen_of(f"id-{b}-{n}").upload.identity for n in range(50)] for b in batches]
    with open_ledger(begun) as ledger:
        kept = [ledger.sightings(LAKE, batch, NOW) for batch in names]
    whole = dict.fromkeys(names[0], Sighting(NOW, "run-1", NOW))

    assert whole == kept[0]
    assert [50] * len(said) == [len(batch) for batch in kept[:-1]]
    assert len(kept[-1]) in {0, 50}
    assert [] == check(begun)
