# expected == actual, in this order everywhere
from __future__ import annotations

import copy
import pickle
from dataclasses import asdict
from typing import Any

import pytest

from janitor.policy import Policy
from janitor.targets import (
    AwsIdentity,
    Credentials,
    Execution,
    GlacierOptions,
    Pace,
    QingStorOptions,
    Reach,
    S3Options,
    Secret,
    Target,
)

WORD = "correct-horse-battery-staple"
KEYS = Credentials("AKIDEXAMPLE", Secret(WORD), Secret(WORD))
REACH = Reach(proxy_url=f"http://user:{WORD}@proxy.example:3128")


def test_a_secret_gives_its_value_to_who_asks_for_it() -> None:
    """The one call that needs the value gets it unchanged."""
    assert Secret(WORD).reveal() == WORD


@pytest.mark.parametrize(
    "printed",
    [
        repr(Secret(WORD)),
        str(Secret(WORD)),
        format(Secret(WORD)),
        f"{Secret(WORD)}",
        f"{Secret(WORD)!r}",
        "%s" % Secret(WORD),  # noqa: UP031  # loggers still format like this
        "%r" % Secret(WORD),  # noqa: UP031  # and like this
    ],
)
def test_a_secret_prints_as_three_stars(printed: str) -> None:
    """Whoever prints it, not even its length is seen."""
    assert printed == "***"


@pytest.mark.parametrize(
    "holder",
    [
        KEYS,
        REACH,
        AwsIdentity(credentials=KEYS),
        GlacierOptions("us-west-2", reach=REACH, identity=AwsIdentity(credentials=KEYS)),
        S3Options(reach=REACH, identity=AwsIdentity(credentials=KEYS)),
        QingStorOptions("pek3a", KEYS, reach=REACH),
        Target("media", "qingstor", ("b",), QingStorOptions("pek3a", KEYS, reach=REACH), Policy()),
    ],
    ids=lambda holder: type(holder).__name__,
)
def test_no_holder_of_a_secret_prints_it(holder: Any) -> None:
    """Neither secret keys nor the password in a proxy's address reach a log by way of a repr."""
    printed = f"{holder} {holder!r}"

    assert WORD not in printed


def test_a_settings_tree_as_plain_data_still_hides_its_secrets() -> None:
    """`dataclasses.asdict` carries a secret along without opening it."""
    plain = asdict(KEYS)

    assert str(plain) == (
        "{'access_key_id': 'AKIDEXAMPLE', 'secret_access_key': ***, 'session_token': ***}"
    )


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_a_copy_of_a_secret_is_the_secret(copied: Any) -> None:
    """Copying makes no second place in memory that holds the value."""
    secret = Secret(WORD)

    assert copied(secret) is secret


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_secret_refuses_to_be_pickled(protocol: int) -> None:
    """A secret cannot travel to another process or into a file by accident."""
    with pytest.raises(TypeError, match="a secret cannot be pickled"):
        pickle.dumps(KEYS, protocol)


def test_a_secret_has_no_dictionary_to_look_into() -> None:
    """Tools that print `vars()` of everything find nothing."""
    with pytest.raises(TypeError, match="__dict__"):
        vars(Secret(WORD))


def test_secrets_compare_by_value() -> None:
    """Two readings of the same settings are equal, and a changed secret is a change."""
    same = Secret(WORD) == Secret(WORD) and hash(Secret(WORD)) == hash(Secret(WORD))
    other = Secret(WORD) == Secret("other")
    text = Secret(WORD) == WORD

    assert (True, False, False) == (same, other, text)


def test_no_proxy_is_obeyed_unless_asked() -> None:
    """A proxy variable in the environment cannot divert requests by default."""
    assert Reach(None, None, None, proxy_from_environment=False) == Reach()


def test_each_target_has_its_own_defaults() -> None:
    """Defaults are plain immutable values: the provider's own endpoint, path style, 256 calls."""
    options = QingStorOptions("pek3a", KEYS)

    assert (("qingstor.com", 443, "https", "path"), 256, "-") == (
        (options.host, options.port, options.protocol, options.addressing),
        Execution().concurrency,
        GlacierOptions("us-west-2").account_id,
    )


def test_what_aws_documents_is_for_its_own_s3_only() -> None:
    """A store of another make has limits of its own, which nobody knows; what is said counts."""
    aws = S3Options("eu-west-1")
    minio = S3Options("eu-west-1", reach=Reach("https://minio.example.com"))
    options = (aws, minio, GlacierOptions("us-west-2"), QingStorOptions("pek3a", KEYS))
    execution = Execution(requests_per_second=9)
    said = Execution(container_reads_per_second=100, container_writes_per_second=None)

    assert [Pace(9, 5500, 3500), Pace(9), Pace(9), Pace(9)] == [
        execution.pace(Target("lake", "s3", ("a",), one, Policy())) for one in options
    ]
    assert [Pace(None, 100)] * 4 == [
        said.pace(Target("lake", "s3", ("a",), one, Policy())) for one in options
    ]


@pytest.mark.parametrize(
    ("concurrency", "expected"), [(1, (1, 2)), (16, (16, 32)), (64, (64, 128)), (256, (64, 320))]
)
def test_a_client_has_a_connection_for_every_thread(
    concurrency: int, expected: tuple[int, int]
) -> None:
    """At most 64 containers of a target are listed at once, besides the requests in flight."""
    execution = Execution(concurrency)

    assert expected == (execution.listing_threads, execution.connections)
