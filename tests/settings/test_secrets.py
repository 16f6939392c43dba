"""No secret gets out: not in a sentence, not in an exception, not in `config show`."""

from __future__ import annotations

import pickle
import traceback
from pathlib import Path

import pytest
from support.settings_samples import ARCHIVE, HASH, LAKE, MEDIA, Load

from janitor.settings import BadConfig, show

CANARY = "c4n4ry"
BARE = MEDIA.replace("    access_key_id: AKID\n    secret_access_key: SECRET\n", "")

# Every key that can hold a secret, with what makes the config valid around it.
KEYS = "    access_key_id: {id}\n    secret_access_key: {secret}\n    session_token: {token}\n"
HOLDERS = {
    "access_key_id": LAKE + KEYS.format(id="{}", secret="S", token="T"),
    "secret_access_key": LAKE + KEYS.format(id="A", secret="{}", token="T"),
    "session_token": LAKE + KEYS.format(id="A", secret="S", token="{}"),
    "glacier": ARCHIVE + KEYS.format(id="A", secret="{}", token="T"),
    "qingstor": BARE + "    access_key_id: A\n    secret_access_key: {}\n",
    "ledger": "ledger: postgresql+psycopg://me:{}@db.example/janitor\n" + LAKE,
    "ledger's query": "ledger: postgresql+psycopg:///janitor?password={}\n" + LAKE,
    "proxy_url": LAKE + "    proxy_url: http://user:{}@proxy.example:3128\n",
}
# What people put where a secret belongs.
WRONG = {
    "too long": CANARY * 1000,
    "a space": f'"{CANARY} {CANARY}"',
    "a line": f'"{CANARY}\\n"',
    "a list": f"[{CANARY}]",
    "a mapping": f"{{{CANARY}: {CANARY}}}",
    "a tag": f"!x {CANARY}",
    "an anchor": f"&x {CANARY}",
    "not ASCII": f"{CANARY}é",
    "a broken variable": f"${{{CANARY}",
    "an open quote": f'"{CANARY}',
    "two values": f"{CANARY}: {CANARY}",
    "a default": f"${{NOT_SET:-{CANARY} {CANARY}}}",
    "from the environment": "${SECRET}",
    "a broken one from the environment": "${BROKEN}",
    "a long one from the environment": "${LONG}",
}
ENVIRON = {"SECRET": f"{CANARY} {CANARY}", "BROKEN": f"{CANARY}\n", "LONG": CANARY * 1000}
FILES = (
    "    access_key_id_file: {}",
    "    secret_access_key_file: {}",
    "    session_token_file: {}",
    "http: {{basic_auth_users_file: {}}}",
    "http: {{web_config_file: {}}}",
)
# What people write into a file of users instead of name: hash.
USERS = (
    "basic_auth_users: {{alice: {}}}",
    "basic_auth_users: {{alice:{}}}",
    "basic_auth_users: {{alice:{}: x}}",
    "basic_auth_users: {{alice: [{}]}}",
    "basic_auth_users: {{alice: {{password: {}}}}}",
    "basic_auth_users: {{'alice:{}': {}}}",
    "basic_auth_users: {{'a {}': {}, 'a {}': 1}}",
    "basic_auth_users: [{}]",
    "basic_auth_users: {}",
    "basic_auth_users: alice:{}",
    "basic_auth_users:\n  alice:{}\n  bob:{}\n",
    "basic_auth_users:\n  alice: $2y$10${}\n",
    "basic_auth_users:\n  alice: !x {}\n",
    "basic_auth_users:\n  alice: '{}\n",
    "basic_auth_users:\n  ? [{}]\n  : {}\n",
    "alice:{}",
    "{}",
    "tls_server_config: {{key: {}}}",
    "tls_server_config: {{client_auth_type: {}, min_version: {}, cert_file: {}}}",
    "http_server_config: {{headers: {{a: {}}}}}",
    "rate_limit: {}",
)


def everything_said(error: BaseException) -> str:
    """Give all that a log could make of an exception."""
    chain = [error, error.__cause__, error.__context__]
    return "".join(traceback.format_exception(error)) + repr(chain) + str(vars(error))


def without_keys(said: str) -> str:
    """Leave out unknown keys, which are repeated so that they can be found."""
    return "".join(line for line in said.splitlines() if "is not a key here" not in line)


@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
def test_a_secret_is_stars_in_show(holder: str, load_text: Load) -> None:
    """Neither show nor the repr of the settings' secrets has it."""
    settings = load_text(f"version: 1\n{holder.format(CANARY)}")

    shown = show(settings)

    assert "***" in shown
    assert CANARY not in shown


@pytest.mark.parametrize("wrong", WRONG.values(), ids=WRONG.keys())
@pytest.mark.parametrize("holder", HOLDERS.values(), ids=HOLDERS.keys())
def test_a_wrong_secret_is_not_in_what_is_said(holder: str, wrong: str, load_text: Load) -> None:
    """Whatever is wrong with a secret, or around it, is said without the value."""
    text = f"version: 1\nmode: wrong\n{holder.format(wrong)}"

    with pytest.raises(BadConfig) as caught:
        load_text(text, ENVIRON)

    assert CANARY not in without_keys(everything_said(caught.value))


@pytest.mark.parametrize("line", FILES)
@pytest.mark.parametrize("value", [CANARY, f"{CANARY}/x", f"[{CANARY}]", CANARY * 300])
def test_a_secret_in_place_of_its_file_is_not_said(line: str, value: str, load_text: Load) -> None:
    """People paste the secret where the name of its file belongs."""
    with pytest.raises(BadConfig) as caught:
        load_text(f"version: 1\n{LAKE}{line.format(value)}\n")

    assert CANARY not in everything_said(caught.value)


@pytest.mark.parametrize("key", ["basic_auth_users_file", "web_config_file"])
@pytest.mark.parametrize("content", USERS)
def test_a_password_in_a_file_of_users_is_not_said(
    key: str, content: str, load_text: Load, tmp_path: Path
) -> None:
    """Neither as a value nor as a part of a name that is none."""
    (tmp_path / "users.yaml").write_text(content.replace("{}", CANARY).format())

    with pytest.raises(BadConfig) as caught:
        load_text(f"version: 1\nhttp: {{{key}: users.yaml}}\n{LAKE}")

    assert CANARY not in everything_said(caught.value)


def test_a_hash_is_neither_shown_nor_printed(load_text: Load, tmp_path: Path) -> None:
    """Of users, only their number is shown."""
    (tmp_path / "users.yaml").write_text(f"basic_auth_users: {{alice: {HASH}}}\n")

    settings = load_text(f"version: 1\nhttp: {{basic_auth_users_file: users.yaml}}\n{LAKE}")

    assert settings.http.users[0].password_hash.reveal() == HASH
    assert HASH not in repr(settings)
    assert HASH not in show(settings)
    assert "alice" not in show(settings)


KEYS_OF_ALL_KINDS = [
    "mode: {}",
    "version: {}",
    "policy: {{stale_after: '{}'}}",
    "policy: {{idle_for: '{}'}}",
    "policy: {{grace: '{}'}}",
    "policy: '{}'",
    "policy: {{rules: [{{name: '{}', match: {{key: a}}, action: keep}}]}}",
    "policy: {{rules: [{{name: r, match: {{key_regex: '{}'}}, action: keep}}]}}",
    "policy: {{rules: [{{name: r, match: {{target: '{}'}}, action: keep}}]}}",
    "policy: {{rules: [{{name: r, match: {{key: '{}'}}, action: '{}'}}]}}",
    "limits: {{bytes_per_run: '{}'}}",
    "limits: {{share_of_listed: '{}'}}",
    "limits: {{aborts_per_run: '{}'}}",
    "schedule: {{cron: '{}'}}",
    "schedule: {{every: '{}'}}",
    "schedule: {{timezone: '{}'}}",
    "schedule: {{at_start: '{}'}}",
    "execution: {{read_timeout: '{}'}}",
    "execution: {{requests_per_second: '{}'}}",
    "http: {{listen: '{}'}}",
    "http: {{tls_cert: '{}', tls_key: '{}'}}",
    "http: {{web_config_file: '{}'}}",
    "metrics: {{detail: '{}'}}",
    "metrics: {{max_containers: '{}'}}",
    "prices: {{currency: '{}'}}",
    "prices: {{per_gib_month: '{}'}}",
    "push: {{pushgateway_url: '{}'}}",
    "push: {{pushgateway_url: 'http://a:{}@b'}}",
    "push: {{textfile: '{}'}}",
    "push: {{delete_on_success: '{}'}}",
    "leader_election: {{lease: '{}'}}",
    "leader_election: {{lease: a, namespace: '{}'}}",
    "leader_election: {{lease: a, duration: '{}'}}",
    "audit: {{file: '{}/'}}",
    "log: {{level: '{}'}}",
    "ledger: {}",
    "notify: {}",
]


@pytest.mark.parametrize("line", KEYS_OF_ALL_KINDS)
@pytest.mark.parametrize("secret", ["(C4N4RY", "C4N4RY D", "[C4N4RY", "7C4N4RY", "@C4N4RY"])
def test_what_the_environment_fills_in_is_never_repeated(
    line: str, secret: str, load_text: Load
) -> None:
    """A variable can hold a secret that was meant for another key."""
    with pytest.raises(BadConfig) as caught:
        load_text(f"{line.format('${X}', '${X}')}\n{LAKE}", {"X": secret})

    assert CANARY not in everything_said(caught.value).lower()


def test_settings_with_secrets_can_be_printed_but_not_sent(load_text: Load) -> None:
    """A secret does not travel by accident."""
    settings = load_text(f"version: 1\n{HOLDERS['secret_access_key'].format(CANARY)}")

    assert CANARY not in repr(settings)
    assert CANARY not in repr(load_text(f"version: 1\n{HOLDERS['ledger'].format(CANARY)}"))
    with pytest.raises(TypeError):
        pickle.dumps(settings)
