# expected == actual, in this order everywhere
from __future__ import annotations

import pickle
import re

import pytest

from janitor import errors
from janitor.errors import JanitorError, Throttled, Transient, Unexpected

SENTENCE = "slow down"


def _tree(root: type[JanitorError]) -> dict[str, str]:
    found = {root.__name__: str(root.__base__ and root.__base__.__name__)}
    for child in root.__subclasses__():
        if child.__module__ == errors.__name__:
            found |= _tree(child)
    return found


def _drawn(text: str) -> dict[str, str]:
    parents = ["Exception"]
    found = {}
    for bullet in re.finditer(r"^( *)[*+.-] (\w+)", text, re.MULTILINE):
        del parents[len(bullet[1]) // 2 + 1 :]
        found[bullet[2]] = parents[-1]
        parents.append(bullet[2])
    return found


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    """A reader of the module's first lines sees every error, under its true parent."""
    drawn = _drawn(errors.__doc__ or "")

    assert drawn == _tree(JanitorError)


def test_a_provider_error_carries_what_the_provider_said() -> None:
    """Code, status, request id and the wish to wait are all there for the log."""
    error = Throttled("slow down", code="SlowDown", status=503, request_id="r1", retry_after=2.5)

    assert ("slow down", "SlowDown", 503, "r1", 2.5) == (
        str(error),
        error.code,
        error.status,
        error.request_id,
        error.retry_after,
    )


def test_a_provider_error_without_details_says_unknown() -> None:
    """A label is never empty, and nothing is invented."""
    error = Unexpected("what?")

    assert ("unknown", None, None) == (error.code, error.status, error.request_id)


def test_a_transient_error_without_a_wish_has_no_wait() -> None:
    """Only the provider's own words make a `retry_after`."""
    error = Transient("try again", code="InternalError", status=500, request_id="r2")

    assert ("InternalError", 500, "r2", None) == (
        error.code,
        error.status,
        error.request_id,
        error.retry_after,
    )


def test_throttling_is_caught_as_transient() -> None:
    """Whoever retries transient errors also retries throttled ones."""
    with pytest.raises(Transient, match=SENTENCE):
        raise Throttled(SENTENCE)


def test_an_error_survives_a_journey_between_processes() -> None:
    """A worker elsewhere can hand back what the provider said."""
    error = Throttled("slow", code="SlowDown", status=503, request_id="r1", retry_after=2.5)
    arrived = pickle.loads(pickle.dumps(error))  # noqa: S301  # bytes that we just made

    assert (type(error), str(error), vars(error)) == (type(arrived), str(arrived), vars(arrived))
