"""Fills a sandbox from a YAML file: containers, uploads with ages, finished objects, roles.

    version: 1
    roles:
      - {arn: "arn:aws:iam::012345678901:role/janitor", external_id: "example"}
    s3:
      - name: example-bucket
        region: eu-west-1
        objects: [{key: a.txt, text: hello}]
        uploads:
          - key: "nightly/{n:03}.tar"     # {n} counts from 1 up to repeat
            repeat: 120
            age: 9d
            step: 1h                      # each is so much older than the one before
            parts: {count: 3, size: 8MiB, last: 300KiB, age: 2h, every: 10min}
          - {key: undated.bin, initiated: null}          # leaves the date out
          - {key: odd.bin, initiated: "2010-11-10 20:48:33"}   # raw text on the wire

`glacier` uploads have a `description` and a `part_size` instead of a key; `qingstor` is
like `s3`. Durations take s, min, h, d, w; sizes take B, KiB, MiB, GiB, TiB.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from janitor.sandbox.dates import OMIT, Stamp, Text
from janitor.sandbox.identity import ACCOUNT_ID, OWNER_ARN
from janitor.sandbox.seed_reader import Node, SeedError, read

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from janitor.sandbox.store import Store
    from janitor.sandbox.world import World

POPULATION: Final = Path(__file__).with_name("population.yaml")
"""A built-in, believable population, as the demo uses it."""

_COUNTER: Final = re.compile(r"\{n(?::0(\d))?\}")
_NOTHING: Final = timedelta(0)


def load_seed(path: Path, world: World) -> None:
    """Fill a world from a file; ages count back from the world's present time.

    Raises SeedError, whose text names file, line and remedy.
    """
    root, now = read(path), world.clock.now()
    root.allow("version", "roles", "glacier", "qingstor", "s3")
    if root.value.get("version") != 1:
        root.fail("the version is not 1", "write version: 1", "version")
    for role in root.nodes("roles"):
        role.allow("arn", "external_id")
        with _explained(role, "arn"):
            world.keys.add_role(role.required("arn"), role.text("external_id"))
    for store in (world.glacier, world.qingstor, world.s3):
        for container in root.nodes(store.habits.provider):
            _add_container(container, store, now)


@contextmanager
def _explained(node: Node, name: str) -> Iterator[None]:
    """Turn a store's ValueError into a SeedError with a line."""
    try:
        yield
    except SeedError:
        raise
    except ValueError as error:
        node.fail(str(error), "correct it or take it out", name)


def _add_container(node: Node, store: Store, now: datetime) -> None:
    node.allow("name", "region", "account_id", "age", "lifecycle_days", "objects", "uploads")
    name = node.required("name")
    days = node.number("lifecycle_days", 1) if node.has("lifecycle_days") else None
    with _explained(node, "name"):
        store.add_container(
            name,
            node.text("region"),
            account_id=node.text("account_id") or ACCOUNT_ID,
            created=now - (node.duration("age") or timedelta(days=400)),
            lifecycle_days=days,
        )
    for finished in node.nodes("objects"):
        finished.allow("key", "text")
        body = (finished.text("text") or "").encode()
        store.add_object(name, finished.required("key"), body)
    for upload in node.nodes("uploads"):
        _add_uploads(upload, store, name, now)


def _add_uploads(node: Node, store: Store, container: str, now: datetime) -> None:
    own = ("key",) if store.habits.has_keys else ("description", "part_size")
    node.allow(
        *own,
        "age",
        "step",
        "initiated",
        "repeat",
        "parts",
        "initiator",
        "storage_class",
        "upload_id",
    )
    repeat, step = node.number("repeat", 1), node.duration("step") or _NOTHING
    for count in range(1, repeat + 1):
        shift = step * (count - 1)
        key = node.required("key") if store.habits.has_keys else ""
        with _explained(node, "upload_id"):
            store.add_upload(
                container,
                _numbered(key, count),
                initiated=_initiated(node, now - shift),
                parts=list(_parts(node, now, shift)),
                initiator=_hideable(node, "initiator", OWNER_ARN),
                storage_class=_hideable(node, "storage_class", "STANDARD"),
                description=_numbered(node.text("description") or "", count) or None,
                part_size=node.size("part_size"),
                upload_id=_numbered(node.text("upload_id") or "", count) or None,
            )


def _numbered(text: str, count: int) -> str:
    return _COUNTER.sub(lambda found: str(count).zfill(int(found[1] or 1)), text)


def _initiated(node: Node, now: datetime) -> Stamp:
    if node.is_null("initiated"):
        return OMIT
    raw = node.text("initiated")
    if raw is not None and node.has("age"):
        node.fail("age and initiated contradict each other", "take one of them out", "initiated")
    return now - (node.duration("age") or _NOTHING) if raw is None else raw


def _hideable(node: Node, name: str, default: str) -> Text:
    return OMIT if node.is_null(name) else node.text(name) or default


def _parts(node: Node, now: datetime, shift: timedelta) -> Iterator[tuple[int, Stamp]]:
    """Yield (size, date) of each part; without an age it is as old as its upload."""
    for group in node.nodes("parts"):
        group.allow("count", "size", "last", "age", "every", "received")
        count, every = group.number("count", 1), group.duration("every") or _NOTHING
        size = group.size("size")
        if size is None:
            group.fail("size is missing", "write size: 8MiB, say", "count")
        newest = now - (group.duration("age") or shift + (node.duration("age") or _NOTHING))
        for index in range(count):
            last = index == count - 1
            yield (
                (group.size("last") or size) if last else size,
                _received(group, newest - every * (count - 1 - index)),
            )


def _received(group: Node, moment: datetime) -> Stamp:
    if group.is_null("received"):
        return OMIT
    raw = group.text("received")
    return moment if raw is None else raw
