"""Broken configs, each named after its mistake and beside the sentences that it gets."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError
from support.certificates import write_certificates
from support.settings_samples import errors_by_schema

from janitor.errors import ConfigError
from janitor.settings import BadConfig, Problem, load, schema

GALLERY = Path(__file__).parent / "golden"
MISTAKES = sorted(path.stem for path in GALLERY.glob("*.yaml"))
ENVIRON = {"EMPTY": ""}
ENOUGH = 45
ABOUT_OTHER_FILES = ("accounts-file-", "tls-", "users-file-", "web-config-")

# What no schema can know: it takes several keys, a meaning, the environment or
# another file. Every other mistake must be refused by the schema too.
BEYOND_SCHEMA = frozenset(
    {
        "processes-with-one-request",
        "workers-of-threads",
        *(name for name in MISTAKES if name.startswith(("cron-", "enforce-", "variable-"))),
        *(name for name in MISTAKES if name.startswith("bucket-") and name != "bucket-twice"),
        *(name for name in MISTAKES if name.startswith("dask-") and "scheduler" not in name),
        "accounts-and-account-id",
        "accounts-and-accounts-file",
        "accounts-and-rule-for-the-entry",
        "accounts-and-what-they-say",
        "accounts-make-a-name-twice",
        "accounts-missing-for-role",
        "accounts-with-exact-bucket",
        "accounts-with-long-name",
        "accounts-with-role-of-one",
        "accounts-without-role",
        "accounts-without-sts",
        "caller-account-with-sts-of-role-only",
        "caller-account-without-sts",
        *(name for name in MISTAKES if name.startswith(ABOUT_OTHER_FILES)),
        "duration-beyond-all-bounds",
        "duration-of-nothing",
        "election-too-long",
        "election-too-short",
        "endpoint-and-host-on-qingstor",
        "endpoint-and-virtual-on-qingstor",
        "endpoint-is-metadata",
        "endpoint-is-metadata-in-hex",
        "endpoint-plain-http",
        "endpoint-port-too-high",
        "every-is-null",
        "exact-name-excluded",
        "host-is-no-address-on-qingstor",
        "host-with-scheme-on-qingstor",
        "idle-for-nothing",
        "key-glob-too-long",
        "keys-and-profile",
        "keys-half",
        "keys-missing-on-qingstor",
        "ledger-postgres-port-too-high",
        "limit-is-a-fraction",
        "listen-ipv6-without-brackets",
        "prefix-with-slash-on-qingstor",
        "protocol-http-on-qingstor",
        "proxy-twice",
        "push-delete-without-url",
        "push-url-is-metadata",
        "push-url-of-the-push",
        "region-is-no-region",
        "rule-below-the-floor",
        "rule-for-another-provider",
        "rule-for-another-target",
        "rule-for-no-provider",
        "rule-for-no-target",
        "rule-for-no-target-in-this-case",
        "rule-keeps-and-ages",
        "rule-name-default",
        "rule-name-twice",
        "rule-name-twice-over-policies",
        "rule-that-does-nothing",
        "rule-with-bad-regex",
        "rule-with-class-in-glob",
        "rule-with-key-for-glacier",
        "rule-with-key-on-glacier",
        "rule-with-sizes-crossed",
        "schedule-every-nothing",
        "secret-file-missing",
        "secret-twice",
        "secret-with-space",
        "size-beyond-all-bounds",
        "stale-after-below-the-floor",
        "stale-after-below-unsafe-min-age",
        "sts-of-target-plain-http",
        "sts-plain-http",
        "target-name-twice",
        "timeout-of-nothing",
        "timezone-unknown",
        "token-without-keys",
        "unsafe-min-age-above-the-floor",
        "value-of-two-lines",
        "vault-with-space",
        "yaml-anchor-and-alias",
        "yaml-directive",
        "yaml-merge-key",
        "zone-empty-on-qingstor",
        "zone-missing-on-qingstor",
    }
) - {"enforce-instead-of-mode", "variable-in-key", "web-config-and-more-at-once"}


@pytest.fixture(scope="session")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Copy the gallery, and add the certificates that its files name."""
    place = tmp_path_factory.mktemp("gallery") / "golden"
    shutil.copytree(GALLERY, place)
    write_certificates(place / "side")
    return place


@pytest.fixture(autouse=True)
def _in_the_gallery(furnished: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(furnished)


def problems_of(mistake: str) -> tuple[Problem, ...]:
    """Load a picture of the gallery, and give what is wrong with it."""
    with pytest.raises(BadConfig) as caught:
        load(f"{mistake}.yaml", ENVIRON)
    return caught.value.problems


def parsed(mistake: str) -> object:
    """Read a picture as an editor does; None where it is no YAML at all."""
    try:
        return YAML(typ="safe", pure=True).load((GALLERY / f"{mistake}.yaml").read_text())
    except YAMLError:
        return None


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gets_exactly_its_sentences(mistake: str) -> None:
    """Every broken config is refused with the sentences that stand beside it."""
    expected = (GALLERY / f"{mistake}.txt").read_text()

    actual = "".join(f"{problem}\n" for problem in problems_of(mistake))

    assert expected == actual


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_problem_points_at_its_key_or_value(mistake: str) -> None:
    """Every position is the start of a key or a value, or of a mapping that lacks a key."""
    problems = problems_of(mistake)

    astray = [str(p) for p in problems if not points_at_something(p, lines_of(p.file))]

    assert astray == []


def lines_of(file: str) -> list[str]:
    """Read the lines of the file that a problem is in."""
    return Path(file).read_text().splitlines() or [""]


def points_at_something(problem: Problem, lines: list[str]) -> bool:
    """Whether a place is where a token of YAML begins, and belongs to the path."""
    line = lines[problem.line - 1]
    before, rest = line[: problem.column - 1], line[problem.column - 1 :]
    if not problem.path:
        return problem.line <= len(lines) and (not before or rest != "")
    starts = re.fullmatch(r".*[\s\[{]|", before) is not None and rest[:1] not in {"", " "}
    names = [step for step in problem.path.split(".") if not step.isdigit()]
    lacks = "missing" in problem.sentence or "mode: enforce" in problem.sentence
    lacks = lacks or "merges" in problem.sentence or not rest.strip("- ")
    on_key = rest.startswith(f"{names[-1]}:")
    on_value = f"{names[-1]}:" in before or before.strip(" -") == "" or problem.path[-1].isdigit()
    return starts and (lacks or on_key or on_value)


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_schema_refuses_what_a_schema_can_know(mistake: str) -> None:
    """An editor marks every mistake that one value shows by itself."""
    document = parsed(mistake)

    refused = document is None or errors_by_schema(document) != []

    assert refused == (mistake not in BEYOND_SCHEMA)


def test_the_gallery_is_large_and_complete() -> None:
    """There are enough pictures, and every one has its sentences."""
    sentences = sorted(path.stem for path in GALLERY.glob("*.txt"))

    assert len(MISTAKES) >= ENOUGH
    assert sentences == MISTAKES


def test_no_sentence_is_of_pydantic_or_of_a_parser() -> None:
    """What a library says about our file never reaches the operator."""
    said = "".join(path.read_text() for path in GALLERY.glob("*.txt"))
    foreign = re.findall(
        r"Input should|Extra inputs|Field required|Value error|pydantic|expected <|found character",
        said,
    )

    assert foreign == []


def test_every_sentence_has_a_remedy() -> None:
    """Every sentence says what to do, and is one line."""
    lines = [line for path in GALLERY.glob("*.txt") for line in path.read_text().splitlines()]
    remedies = (
        r"\b(say|write|remove|rename|keep|must|use|did you mean|put|give|indent|close|check|correct"
        r"|start|save|add|make|plain|no setting|add it)\b"
    )

    helpless = [line for line in lines if not re.search(remedies, line.split(": ", 1)[1])]

    assert helpless == []


def test_problems_are_data_too() -> None:
    """A caller can print problems in its own way, and catch them like any error of a config."""
    problem = problems_of("duration-without-unit")[0]

    assert problem == Problem(
        file="duration-without-unit.yaml",
        line=3,
        column=16,
        path="policy.stale_after",
        sentence="say the unit, for example 7d or 36h",
    )
    assert issubclass(BadConfig, ConfigError)
    assert json.dumps(schema())
