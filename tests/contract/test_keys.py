"""Keys survive exactly: from the listing to the abort, byte for byte, or they are refused."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from support.harness import EVERY_WAY, HARNESSES, Ear, Harness, sweeper

from janitor.model import Outcome, Reason
from janitor.sandbox import Sandbox

ALPHABET = st.one_of(
    st.sampled_from("aZ0 +%/.?#&=;:@!$'\"<>\\^`{|}~*()[],-_\t\n\r\x00\x01\x7f\u2028\ufffe"),
    st.characters(exclude_categories=["Cs"]),
)
KEYS = st.text(ALPHABET, min_size=1, max_size=40).filter(lambda key: len(key.encode()) <= 1023)


ODD = [
    "a/../b",
    "..",
    ".",
    "/leading",
    "trailing/",
    "a//b",
    "%2F",
    "a+b c%20d",
    "?uploads",
    "#fragment",
    "é\u0301🎬",
    "\x01",
    "\r\n",
    "<object-key>",
    ";a=b&upload_id=other",
    " ",
    "\\",
]


def odd_keys(examples: int) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test with keys of every kind, the oddest among them always."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        for key in ODD:
            test = example(key=key)(test)
        return settings(
            deadline=None,
            max_examples=examples,
            suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
        )(given(key=KEYS)(test))

    return decorate


@pytest.mark.parametrize("provider", ["qingstor", "s3"])
@odd_keys(150)
def test_a_key_goes_through_exactly_or_not_at_all(
    sandbox: Sandbox, provider: str, key: str
) -> None:
    """What is aborted is the listed key; what cannot be addressed is kept and said so."""
    goes_through_or_stays(sandbox, HARNESSES[provider], key)


@pytest.mark.parametrize("way", ["qingstor-sdk", "s3-sdk"])
@odd_keys(20)
def test_the_sdks_send_them_as_well(sandbox: Sandbox, way: str, key: str) -> None:
    """The same over the other way to send requests."""
    goes_through_or_stays(sandbox, EVERY_WAY[way], key)


def goes_through_or_stays(sandbox: Sandbox, harness: Harness, key: str) -> None:
    """Sweep a bucket with a key and a decoy, and see what became of them."""
    bucket = "container"
    store = harness.store(sandbox)
    if bucket not in store.containers:
        harness.add_container(sandbox, bucket)
    sandbox.journal.clear()
    ear = Ear()
    name = harness.add(sandbox, bucket, key)
    decoy = harness.add(sandbox, bucket, "decoy")
    sweeper(sandbox, harness.target(sandbox, page_size=100), ear=ear).sweep()
    aborted = {
        (entry.key, entry.upload_id) for entry in sandbox.journal if entry.method == "DELETE"
    }
    kept = store.upload_ids(bucket)
    for left in kept:
        store.abort(bucket, left)

    assert decoy not in kept
    assert aborted <= {(key, name), ("decoy", decoy)}
    if name in kept:
        assert Reason.ACTIVITY_UNKNOWN == ear.reasons()[name]
        assert not is_addressable(harness, key)
    else:
        assert (Outcome.ABORTED, key) == (
            ear.outcomes()[name],
            ear.uploads()[name].result.decision.upload.key,
        )
    assert_no_other_path(sandbox, bucket, {key, "decoy"})


def is_addressable(harness: Harness, key: str) -> bool:
    """Say which keys must work: without dot segments on QingStor, in XML on S3."""
    if harness.provider == "qingstor":
        return not {".", ".."} & set(key.split("/"))
    return all(is_xml(character) for character in key)


def is_xml(character: str) -> bool:
    """Whether XML 1.0 can carry a character."""
    return character in "\t\n\r" or (ord(character) >= 0x20 and character not in "\ufffe\uffff")


def assert_no_other_path(sandbox: Sandbox, bucket: str, keys: set[str]) -> None:
    """Fail if any request was about a key that nobody meant."""
    paths = {unquote_to_bytes(entry.target.partition("?")[0]) for entry in sandbox.journal}
    meant = {f"/{bucket}/{key}".encode() for key in keys} | {f"/{bucket}".encode()}

    assert paths <= meant
