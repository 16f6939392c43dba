"""Laws of the sandbox's memory."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from janitor.sandbox.clock import SandboxClock
from janitor.sandbox.state import Container, Query, beyond
from janitor.sandbox.store import GLACIER_HABITS, S3_HABITS, Store

NOW = datetime(2026, 11, 20, tzinfo=UTC)
KEYS = st.lists(st.text("ab/\U0010ffff", min_size=1, max_size=4), max_size=12)


def _lake(keys: list[str]) -> Store:
    store = Store(S3_HABITS, SandboxClock(NOW, frozen=True))
    store.add_container("lake")
    for n, key in enumerate(keys):
        store.add_upload("lake", key, upload_id=f"{n}")
    return store


def _walk(lake: Container, query: Query) -> tuple[list[str], list[str]]:
    ids: list[str] = []
    prefixes: list[str] = []
    key_marker, id_marker = query.key_marker, query.id_marker
    while True:
        page = lake.page(Query(query.limit, query.prefix, query.delimiter, key_marker, id_marker))
        ids += [one.upload_id for one in page.entries]
        prefixes += page.prefixes
        if not page.truncated:
            return ids, prefixes
        key_marker, id_marker = page.next


@given(KEYS, st.integers(1, 5), st.sampled_from(["", "a", "a/", "b", "\U0010ffff"]))
@example(["a", "a", "a"], 1, "a")
def test_pages_together_are_the_whole_list(keys: list[str], limit: int, prefix: str) -> None:
    """However a list is cut, each upload comes once and in order."""
    lake = _lake(keys).containers["lake"]
    wanted = sorted((key, n) for n, key in enumerate(keys) if key.startswith(prefix))

    assert [f"{n}" for _, n in wanted] == _walk(lake, Query(limit, prefix))[0]


@given(KEYS, st.integers(1, 5))
@example(["a/\U0010ffff", "b"], 1)
def test_a_delimiter_hides_no_upload(keys: list[str], limit: int) -> None:
    """Each upload is either listed or stands behind exactly one listed prefix."""
    lake = _lake(keys).containers["lake"]
    ids, prefixes = _walk(lake, Query(limit, "", "/"))
    plain = sorted((key, n) for n, key in enumerate(keys) if "/" not in key)
    heads = sorted({key.partition("/")[0] + "/" for key in keys if "/" in key})

    assert [f"{n}" for _, n in plain] == ids
    assert heads == prefixes


@given(st.text(min_size=1), st.text())
def test_beyond_is_greater_than_all_that_begin_so(prefix: str, rest: str) -> None:
    """Skipping a common prefix skips all of it."""
    assert prefix + rest < beyond(prefix) or rest.startswith("\U0010ffff")


def test_a_limit_of_nothing_shows_nothing() -> None:
    """Zero is nothing, not everything, and not a loop."""
    page = _lake(["a"]).containers["lake"].page(Query(0))

    assert ([], False) == (page.entries, page.truncated)


@pytest.mark.parametrize("key", ["", "key"])
def test_only_glacier_has_no_keys(key: str) -> None:
    """A seed that mixes them up is refused."""
    habits = GLACIER_HABITS if key else S3_HABITS
    store = Store(habits, SandboxClock())
    store.add_container("example")
    with pytest.raises(ValueError, match="do not go together"):
        store.add_upload("example", key)


def test_snapshots_do_not_change_afterwards() -> None:
    """What a test has read stays as it was."""
    store = _lake(["a"])
    (before,) = store.uploads("lake")
    store.add_part("lake", "0", 7)

    assert (0, 7) == (before.size, store.uploads("lake")[0].size)


def test_uploads_end_behind_the_clients_backs() -> None:
    """A test can abort and complete without a client."""
    store = _lake(["a", "b"])
    store.abort("lake", "0")
    store.complete("lake", "1")

    assert [] == store.upload_ids("lake")
    assert ["b"] == list(store.objects("lake"))
    for change in (store.abort, store.complete):
        with pytest.raises(KeyError):
            change("lake", "0")
