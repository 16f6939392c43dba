"""Whatever stands in a file, the loader gives settings or a `ConfigError`, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML
from support.settings_samples import ARCHIVE, HASH, LAKE, MEDIA, errors_by_schema

from janitor.settings import BadConfig, Settings, load, schema, show
from janitor.settings.environment import fill
from janitor.settings.web_models import TlsServerModel

SHARED_DIRECTORY = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
OTHERS = ("&a", "*a", "!t", "---", "...", "<<", "${", "$${")
YAML_MARKS = st.sampled_from(
    [": ", "- ", "\n", "\n  ", "\t", "\u2028", "version", "é", *"[]{},\"'|>#%?~\\@1", *OTHERS]
)


def keys_of(part: Any) -> set[str]:
    """List all keys that the schema knows anywhere."""
    found: set[str] = set()
    if isinstance(part, dict):
        properties = part.get("properties", {})
        found |= set(properties) if isinstance(properties, dict) else set()
        for inner in part.values():
            found |= keys_of(inner)
    return found


KEYS = sorted(keys_of(schema()))
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=12),
    st.sampled_from(
        ["7d", "36h", "12h", "0", "off", "none", "keep", "report", "enforce", "s3", "*", "("]
    ),
    st.sampled_from(
        ["50%", "1GiB", "${X}", "${Y:-3}", "http://[::1]", "17 * * * *", "sqlite:///a"]
    ),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=5)), inner, max_size=5),
    ),
    max_leaves=15,
)


HASHES = st.one_of(SCALARS, st.just(HASH))
# Mostly right, so that mistakes are met one by one.
WEB_CONFIGS = st.fixed_dictionaries(
    {},
    optional={
        "basic_auth_users": st.dictionaries(st.text(max_size=5), HASHES, max_size=3),
        "tls_server_config": st.dictionaries(
            st.sampled_from(sorted(TlsServerModel.model_fields)),
            st.one_of(SCALARS, st.sampled_from(["TLS13", "NoClientCert", "side.yaml", [], True])),
            max_size=4,
        ),
        "http_server_config": st.dictionaries(
            st.sampled_from(["http2", "headers"]), st.one_of(VALUES, st.just({}))
        ),
        "rate_limit": st.dictionaries(st.sampled_from(["interval", "burst"]), SCALARS),
    },
)


def outcome(path: Path, raw: bytes) -> Settings | BadConfig:
    """Load bytes; anything but settings or a config error fails the test."""
    file = path / "any.yaml"
    file.write_bytes(raw)
    try:
        return load(file, {"X": "x y"})
    except BadConfig as error:
        return error


def is_clear_refusal(result: Settings | BadConfig) -> bool:
    """Whether there is one line for each problem, and at least one."""
    if isinstance(result, Settings):
        return False
    return len(str(result).splitlines()) == len(result.problems) > 0


@SHARED_DIRECTORY
@given(st.binary(max_size=200))
def test_any_bytes(tmp_path: Path, raw: bytes) -> None:
    """Bytes are refused."""
    assert is_clear_refusal(outcome(tmp_path, raw))


@SHARED_DIRECTORY
@given(st.lists(st.one_of(YAML_MARKS, st.text(max_size=3)), max_size=25).map("".join))
@example("? ")
@example("!")
@example("- &a")
@example('a: "\\x"')
@example("a: !<")
@example("%YAML 9.9\n---\na: 1")
@example("%TAG ! x\n---\n!a b")
@example('"\\ud800": 1')
@example("- - - -")
def test_any_text_that_looks_like_yaml(tmp_path: Path, text: str) -> None:
    """Marks of YAML in any order are refused."""
    assert is_clear_refusal(outcome(tmp_path, text.encode("utf-8", "surrogatepass")))


@SHARED_DIRECTORY
@given(VALUES)
def test_any_values(tmp_path: Path, value: Any) -> None:
    """Values of every kind under every key give settings or problems."""
    raw = json.dumps(value).encode()

    assert is_clear_refusal(outcome(tmp_path, raw))


@SHARED_DIRECTORY
@given(
    st.sampled_from([LAKE, ARCHIVE, MEDIA]),
    st.sampled_from(KEYS),
    VALUES,
    st.sampled_from(["", "    "]),
)
def test_any_value_in_a_good_config(
    tmp_path: Path, target: str, key: str, value: Any, indent: str
) -> None:
    """One more key in a good config gives problems, or settings that schema and show agree on."""
    text = f"version: 1\n{target}{indent}{json.dumps(key)}: {json.dumps(value)}\n"

    loaded = outcome(tmp_path, text.encode())

    if isinstance(loaded, Settings):
        assert isinstance(outcome(tmp_path, show(loaded).encode()), Settings)
        document = YAML(typ="safe", pure=True).load(text)
        assert errors_by_schema(document) == []


@SHARED_DIRECTORY
@given(
    st.sampled_from(["basic_auth_users_file", "web_config_file"]),
    st.one_of(
        st.binary(max_size=60),
        st.lists(st.one_of(YAML_MARKS, st.text(max_size=3)), max_size=25).map(
            lambda marks: "".join(marks).encode("utf-8", "surrogatepass")
        ),
        VALUES.map(lambda value: json.dumps(value).encode()),
        WEB_CONFIGS.map(lambda value: json.dumps(value).encode()),
    ),
)
def test_any_file_beside_a_good_config(tmp_path: Path, key: str, raw: bytes) -> None:
    """A file of users or a web config is taken whole, or refused in the same clear way."""
    (tmp_path / "side.yaml").write_bytes(raw)

    loaded = outcome(tmp_path, f"version: 1\nhttp: {{{key}: side.yaml}}\n{LAKE}".encode())

    if isinstance(loaded, Settings):
        assert loaded == outcome(tmp_path, show(loaded).encode())
    else:
        assert is_clear_refusal(loaded)
        names = {Path(problem.file).name for problem in loaded.problems}
        assert names <= {"any.yaml", "side.yaml"}


@given(st.text())
def test_text_without_variables_is_left_alone(text: str) -> None:
    """Only ${ is special."""
    plain = text.replace("${", "")

    assert fill({"a": [plain]}, {}) == ({"a": [plain]}, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("${A}", "one"),
        ("a${A}b${B}c", "aonebc".replace("c", "twoc")),
        ("${NO:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("x${EMPTY}", "x"),
        ("$${A}", "${A}"),
        ("$$${A}", "$one".replace("$one", "$${A}")),
        ("$A $ {A}", "$A $ {A}"),
        ("${NO:-a:-b}", "a:-b"),
    ],
)
def test_variables_are_filled_in_as_shells_do(text: str, expected: str) -> None:
    """Defaults also stand in for what is set to nothing; escapes stay."""
    filled, findings = fill(text, {"A": "one", "B": "two", "EMPTY": ""})

    assert (filled, findings) == (expected, [])
