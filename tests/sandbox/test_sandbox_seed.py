"""Seed files: what they hold, and what their mistakes say."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from janitor.sandbox import OMIT, POPULATION, Sandbox, SandboxClock, SeedError

if TYPE_CHECKING:
    from pathlib import Path

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def _seeded(tmp_path: Path, text: str) -> Sandbox:
    file = tmp_path / "seed.yaml"
    file.write_text(text, encoding="utf-8")
    return Sandbox.start(seed=file, clock=SandboxClock(NOW, frozen=True))


def test_ages_count_back_from_the_sandboxs_present(tmp_path: Path) -> None:
    """Uploads are repeated with a step, parts have their own ages."""
    text = """
version: 1
s3:
  - name: lake
    region: eu-west-1
    objects: [{key: done.txt, text: hello}]
    uploads:
      - key: "a{n:03}/b{n}"
        repeat: 2
        age: 9d
        step: 1h
        parts: {count: 2, size: 8MiB, last: 300KiB, age: 2h, every: 10min}
"""
    with _seeded(tmp_path, text) as sandbox:
        first, second = sandbox.s3.uploads("lake")
        objects = sandbox.s3.objects("lake")

    assert ["a001/b1", "a002/b2"] == [first.key, second.key]
    assert [NOW - timedelta(days=9), NOW - timedelta(days=9, hours=1)] == [
        first.initiated,
        second.initiated,
    ]
    assert [
        (1, 8 << 20, NOW - timedelta(hours=2, minutes=10)),
        (2, 300 << 10, NOW - timedelta(hours=2)),
    ] == [(part.number, part.size, part.received) for part in second.sorted_parts()]
    assert b"hello" == objects["done.txt"].body


def test_dates_can_be_raw_or_missing(tmp_path: Path) -> None:
    """A null leaves a field out, a text goes over the wire as it is."""
    text = """
version: 1
s3:
  - name: lake
    uploads:
      - {key: a, initiated: null, initiator: null, storage_class: null}
      - {key: b, initiated: "", parts: {size: 1B, received: garbage}}
"""
    with _seeded(tmp_path, text) as sandbox:
        first, second = sandbox.s3.uploads("lake")

    assert (OMIT, OMIT, OMIT) == (first.initiated, first.initiator, first.storage_class)
    assert "" == second.initiated
    assert ["garbage"] == [part.received for part in second.sorted_parts()]


LAKE = "version: 1\ns3:\n  - name: lake\n    uploads:\n"
A_ROLE = "arn:aws:iam::012345678901:role/janitor"
CORRECT = "correct this line or the one before"
GLACIER_FIELDS = (
    "description, part_size, age, step, initiated, repeat, parts, initiator, storage_class, "
    "upload_id"
)
MISTAKES = {
    "no fields": ("- a\n", "1: the file holds no fields; begin it with version: 1"),
    "no version": ("s3: []\n", "1: the version is not 1; write version: 1"),
    "other version": ("s3: []\nversion: 2\n", "2: the version is not 1; write version: 1"),
    "not yaml": (
        "version: 1\ns3: [\n",
        "3: not valid YAML (expected the node content, but found '<stream end>'); " + CORRECT,
    ),
    "unknown provider": (
        "version: 1\nazure: []\n",
        "2: unknown field 'azure'; known are version, roles, glacier, qingstor, s3",
    ),
    "not a list": (
        "version: 1\ns3: lake\n",
        '2: s3 is not a list; write each entry in a line that begins with "- "',
    ),
    "bare name": (
        "version: 1\ns3:\n  - lake\n",
        "3: s3 holds 'lake'; write fields, such as name: ...",
    ),
    "no name": ("version: 1\ns3:\n  - uploads: []\n", "3: name is missing; write name: ..."),
    "bad name": (
        "version: 1\nqingstor:\n  - name: Upper\n",
        "3: qingstor would not accept the name 'Upper'; correct it or take it out",
    ),
    "same name twice": (
        "version: 1\ns3:\n  - name: lake\n  - name: lake\n",
        "4: s3 container 'lake' exists already; correct it or take it out",
    ),
    "no key": (
        LAKE + "      - age: 3d\n",
        "5: key is missing; write key: ...",
    ),
    "key on glacier": (
        "version: 1\nglacier:\n  - name: vault\n    uploads:\n      - key: a\n",
        f"5: unknown field 'key'; known are {GLACIER_FIELDS}",
    ),
    "age without unit": (
        LAKE + "      - key: a\n        age: 9\n",
        "6: age: 9 is not understood; say the unit, for example 90s, 30min, 5h, 9d, 2w",
    ),
    "size with another unit": (
        LAKE + "      - {key: a, parts: {size: 8MB}}\n",
        "5: size: '8MB' is not understood; say the unit, for example 12B, 300KiB, 8MiB, 2GiB",
    ),
    "parts without size": (
        LAKE + "      - {key: a, parts: {count: 3}}\n",
        "5: size is missing; write size: 8MiB, say",
    ),
    "no parts": (
        LAKE + "      - {key: a, repeat: 0}\n",
        "5: repeat is not a number: 0; write repeat: 3, say",
    ),
    "date without quotes": (
        LAKE + "      - key: a\n        initiated: 2010\n",
        "6: initiated is not a text: 2010; put it in quotes",
    ),
    "age and date": (
        LAKE + "      - key: a\n        age: 9d\n        initiated: ''\n",
        "7: age and initiated contradict each other; take one of them out",
    ),
    "same id twice": (
        LAKE + "      - {key: a, repeat: 2, upload_id: x}\n",
        "5: upload id 'x' is already in use in 'lake'; correct it or take it out",
    ),
    "not a role": (
        "version: 1\nroles:\n  - arn: me\n",
        f"3: not the ARN of a role: 'me' ({A_ROLE} is one); correct it or take it out",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_names_file_line_and_remedy(tmp_path: Path, mistake: str) -> None:
    """Whoever wrote the file can correct it without reading ours."""
    text, expected = MISTAKES[mistake]
    with pytest.raises(SeedError) as caught:
        _seeded(tmp_path, text)

    assert f"{tmp_path / 'seed.yaml'}:{expected}" == str(caught.value)


def test_a_missing_file_is_a_mistake_too(tmp_path: Path) -> None:
    """The path is what is wrong then."""
    file = tmp_path / "none.yaml"
    with pytest.raises(SeedError) as caught:
        Sandbox.start(seed=file)

    assert f"{file}:1: it cannot be read (No such file or directory); check the path" == str(
        caught.value
    )


def test_the_built_in_population_is_believable() -> None:
    """More than one page of each provider, and every odd case that the janitor must spare."""
    with Sandbox.start(seed=POPULATION) as sandbox:
        stores = (sandbox.glacier, sandbox.qingstor, sandbox.s3)
        sizes = {s.habits.provider: [len(s.uploads(c)) for c in s.containers] for s in stores}
        keys = Counter(one.key for c in sandbox.s3.containers for one in sandbox.s3.uploads(c))
        undated = [
            one.initiated
            for c in sandbox.s3.containers
            for one in sandbox.s3.uploads(c)
            if not isinstance(one.initiated, datetime)
        ]

    assert {"glacier": [63, 11], "qingstor": [211, 20, 0], "s3": [73, 28, 30]} == sizes
    assert 8 == sum("/__magic/" in key for key in keys)
    assert 5 == max(keys.values())
    assert 5 == len(undated)
