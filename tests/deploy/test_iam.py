"""The shipped IAM policies: what they allow is what the providers need, to the letter."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from policy_sentry.querying.actions import (
    get_action_data,
    get_actions_for_service,
    get_actions_with_access_level,
)
from support.iam import FOLDER, actions, covers, policy, statements

from janitor import providers

LISTING = ("list_containers", "list_page", "list_parts")
EXPECTED: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "s3-list-only": ("s3", LISTING),
    "s3-abort": ("s3", (*LISTING, "abort")),
    "s3-compatible-abort": ("s3", (*LISTING, "head_object", "abort")),
    "glacier-list-only": ("glacier", LISTING),
    "glacier-abort": ("glacier", (*LISTING, "abort")),
    "qingstor-list-only": ("qingstor", LISTING),
    "qingstor-abort": ("qingstor", (*LISTING, "abort")),
}
RIGHTS = [name for name in EXPECTED if not name.startswith("qingstor")]
ROLES = ["allow-assume-role", "trust-assume-role", "trust-irsa", "trust-pod-identity"]
LEVELS_THAT_CHANGE = ("Write", "Permissions management", "Tagging")
# What IAM takes for a managed policy; blanks do not count, but we count them.
LARGEST = 6144
# The names of the store's own specification, which its SDK carries too.
QINGSTOR_ACTIONS = {
    "abort_multipart",
    "complete_multipart",
    "create_object",
    "delete_object",
    "get_bucket_stats",
    "get_object",
    "head_bucket",
    "head_object",
    "initiate_multipart",
    "list_multipart",
    "list_objects",
    "upload_multipart",
}


def test_every_shipped_policy_is_under_test() -> None:
    """A new file without an expectation fails here, by name."""
    assert {*EXPECTED, *ROLES} == {path.stem for path in FOLDER.glob("*.json")}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_policy_allows_exactly_what_the_provider_declares(name: str) -> None:
    """One action more would be too much, one less would not work."""
    provider, verbs = EXPECTED[name]
    declared = providers.load(provider).PERMISSIONS
    needed = {right for verb in verbs for right in declared[verb]}

    assert needed == actions(policy(name), "Allow")


def test_every_verb_of_a_provider_is_in_a_policy() -> None:
    """A provider that begins to do something new must say here which policy allows it."""
    for provider in providers.names():
        verbs = {verb for name, used in EXPECTED.values() if name == provider for verb in used}

        assert set(providers.load(provider).PERMISSIONS) == verbs


@pytest.mark.parametrize("name", EXPECTED)
def test_nothing_is_allowed_by_pattern(name: str) -> None:
    """A pattern would allow what AWS invents tomorrow."""
    assert [] == [action for action in actions(policy(name), "Allow") if "*" in action]


@pytest.mark.parametrize("name", [name for name in EXPECTED if "list-only" in name])
def test_whoever_may_only_list_is_denied_to_abort(name: str) -> None:
    """It is not only not allowed: another policy on the same role cannot allow it."""
    provider, _ = EXPECTED[name]
    (abort,) = providers.load(provider).PERMISSIONS["abort"]

    assert abort not in actions(policy(name), "Allow")
    assert covers(actions(policy(name), "Deny"), abort)


@pytest.mark.parametrize("name", [name for name in RIGHTS if name != "s3-compatible-abort"])
def test_everything_that_changes_something_is_denied(name: str) -> None:
    """Of all actions that AWS has, by AWS' own levels of access; aborting is the exception."""
    provider, verbs = EXPECTED[name]
    denied = actions(policy(name), "Deny")
    changing = {
        action
        for level in LEVELS_THAT_CHANGE
        for action in get_actions_with_access_level(provider, level)
    }
    free = {action for action in changing if not covers(denied, action)}

    assert len(changing) > 15
    assert {right for right in (f"{provider}:AbortMultipartUpload",) if "abort" in verbs} == free


@pytest.mark.parametrize("name", RIGHTS)
def test_a_denial_takes_nothing_away_that_only_reads(name: str) -> None:
    """Patterns that reach too far would surprise whoever adds a policy that reads."""
    provider, _ = EXPECTED[name]
    reading = {
        action
        for level in ("List", "Read")
        for action in get_actions_with_access_level(provider, level)
    }

    assert set() == {one for one in reading if covers(actions(policy(name), "Deny"), one)}


@pytest.mark.parametrize(
    ("name", "deadly"),
    [
        ("s3-list-only", ("s3:DeleteObject", "s3:DeleteObjectVersion", "s3:DeleteBucket")),
        ("s3-abort", ("s3:DeleteObject", "s3:PutObject", "s3:PutLifecycleConfiguration")),
        ("s3-compatible-abort", ("s3:DeleteObject", "s3:PutObject", "s3:DeleteBucket")),
        ("s3-compatible-abort", ("s3:DeleteObjectVersion", "s3:PutLifecycleConfiguration")),
        ("glacier-list-only", ("glacier:DeleteArchive", "glacier:DeleteVault")),
        ("glacier-abort", ("glacier:DeleteArchive", "glacier:UploadArchive")),
        ("qingstor-list-only", ("delete_object", "create_object")),
        ("qingstor-abort", ("delete_object", "complete_multipart")),
    ],
)
def test_the_deletion_of_objects_is_denied_by_name(name: str, deadly: tuple[str, ...]) -> None:
    """On QingStor, and perhaps elsewhere, an abort without its id is the deletion of an object."""
    assert [] == [action for action in deadly if not covers(actions(policy(name), "Deny"), action)]


@pytest.mark.parametrize("name", RIGHTS)
def test_every_action_exists(name: str) -> None:
    """IAM takes names that mean nothing, in silence."""
    provider, _ = EXPECTED[name]
    known = get_actions_for_service(provider)
    said = actions(policy(name), "Allow") | actions(policy(name), "Deny")

    assert [] == [pattern for pattern in said if not any(covers([pattern], one) for one in known)]


@pytest.mark.parametrize("name", RIGHTS)
def test_every_action_stands_beside_the_resource_that_it_needs(name: str) -> None:
    """An action on objects beside a bucket's ARN allows nothing; AWS says which needs which."""
    for statement in statements(policy(name)):
        if statement["Effect"] == "Allow":
            for action in statement["Action"]:
                kinds = _resources_of(action)

                assert all(_kind(one) in kinds for one in _as_list(statement["Resource"])), action


def _resources_of(action: str) -> set[str]:
    service, _, verb = action.partition(":")
    data = get_action_data(service, verb)
    assert data
    kinds = {_kind(entry["resource_arn_format"]) for entry in data[service]}
    # The last row of an action with resources says that it can go without: it cannot here.
    return kinds if kinds == {"account"} else kinds - {"account"}


def _kind(arn: str) -> str:
    """Tell what an ARN, or the pattern of one, stands for."""
    if arn in {"*", "arn:aws:s3:::*"}:
        return "account"
    if ":glacier:" in arn:
        return "vault"
    return "objects" if "/" in arn.rpartition(":")[2] else "bucket"


def _as_list(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


@pytest.mark.parametrize("name", ["s3-list-only", "s3-abort"])
def test_buckets_of_others_are_refused(name: str) -> None:
    """An ARN of a bucket names no account: a bucket that was made anew may be somebody else's."""
    narrowed = {
        one["Sid"]: one.get("Condition", {}).get("StringEquals", {}).get("aws:ResourceAccount")
        for one in statements(policy(name))
        if one["Effect"] == "Allow" and one["Resource"] != "*"
    }

    assert ["012345678901"] * 2 == list(narrowed.values())


@pytest.mark.parametrize("name", [*RIGHTS, *ROLES])
def test_a_policy_follows_the_grammar(name: str) -> None:
    """Only keys that IAM knows, names that it takes, each name once, sorted lists of actions."""
    document = policy(name)
    whose = "Principal" if name.startswith("trust") else "Resource"
    found = document["Statement"]
    names = [statement["Sid"] for statement in found]

    assert {"Version": "2012-10-17", "Statement": found} == document
    assert len(set(names)) == len(names)
    for statement in found:
        assert {"Sid", "Effect", "Action", whose} == set(statement) - {"Condition"}
        assert re.fullmatch(r"[A-Za-z0-9]{1,64}", statement["Sid"])
        assert statement["Effect"] in {"Allow", "Deny"}
        assert sorted(set(statement["Action"])) == statement["Action"]
        assert all(re.fullmatch(r"[a-z0-9]+:[A-Za-z]+\*?", one) for one in statement["Action"])
        assert {"StringEquals"} >= set(statement.get("Condition", {}))


@pytest.mark.parametrize("name", [*EXPECTED, *ROLES])
def test_a_policy_is_small_enough(name: str) -> None:
    """IAM takes 6,144 characters, QingStor 500 of actions and 2,048 of resources."""
    text = (FOLDER / f"{name}.json").read_text(encoding="utf-8")

    assert len(text) < LARGEST
    assert json.dumps(json.loads(text), indent=2) + "\n" == text


@pytest.mark.parametrize("name", ["qingstor-list-only", "qingstor-abort"])
def test_a_policy_for_qingstor_follows_its_grammar(name: str) -> None:
    """As its specification and its documentation say."""
    document = policy(name)
    found = document["statement"]

    assert {"statement"} == set(document)
    assert ["deny", "allow"] == [one["effect"] for one in found]  # the first that matches decides
    for one in found:
        assert {"id", "user", "effect", "action", "resource"} == set(one)
        assert len(one["id"]) <= 100
        assert set(one["action"]) <= QINGSTOR_ACTIONS
        assert ["your-bucket/*"] == one["resource"]


def test_a_role_can_be_taken_by_one_janitor_only() -> None:
    """Trust without a condition would be trust in the whole account, cluster or service."""
    conditions: dict[str, Any] = {
        name: policy(name)["Statement"][0]["Condition"]["StringEquals"]
        for name in ROLES
        if name.startswith("trust")
    }
    issuer = "oidc.eks.us-west-2.amazonaws.com/id/EXAMPLED539D4633E53DE1B71EXAMPLE"

    assert {"sts:ExternalId"} == set(conditions["trust-assume-role"])
    assert {f"{issuer}:aud", f"{issuer}:sub"} == set(conditions["trust-irsa"])
    assert (
        "system:serviceaccount:upload-janitor:upload-janitor"
        == (conditions["trust-irsa"][f"{issuer}:sub"])
    )
    assert {
        "aws:SourceAccount",
        "aws:RequestTag/eks-cluster-name",
        "aws:RequestTag/kubernetes-namespace",
        "aws:RequestTag/kubernetes-service-account",
    } == set(conditions["trust-pod-identity"])


def test_the_page_about_rights_names_every_file_and_every_right() -> None:
    """Its links lead somewhere, and nothing that a policy allows is left unexplained."""
    page = FOLDER.parents[1] / "docs" / "permissions.md"
    text = page.read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)#]+)\)", text)
    allowed = {action for name in EXPECTED for action in actions(policy(name), "Allow")}

    assert [] == [link for link in links if not (page.parent / link).exists()]
    assert {f"{name}.json" for name in (*EXPECTED, *ROLES)} <= {
        link.rpartition("/")[2] for link in links
    }
    assert set() == {action for action in allowed if f"`{action}`" not in text}
