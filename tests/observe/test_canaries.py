"""Secrets that were planted everywhere turn up nowhere, however loud the log is."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from support.gateway import Asked, closed_port, status, stub
from support.harness import HARNESSES, days
from support.postgres import CannotInstall, Server, running, skip_loudly
from support.settings_samples import HASH

from janitor.sandbox import Sandbox
from janitor.sandbox.identity import JANITOR, Principal, Role

CONTAINER = "container"
FORMATS = ("table", "json", "jsonl", "csv", "markdown")
PROXY_PASSWORD = "Wagtail/2-of@the-proxy"
LEDGER_PASSWORD = "Dunnock 3/of-the-ledger"
WRONG_SECRET = "Siskin/4+of=nobody-at-all-0000000000"
WRONG_TOKEN = "Fieldfare5//of+nobody==0000000000"
# Everything that is said goes through the pipeline, also what is never let that far.
LOUD = """
import logging, sys
from janitor.observe import logs
logs._FLOORS.clear()
for name in ("boto3", "botocore", "urllib3", "s3transfer", "qingstor-sdk"):
    logging.getLogger(name).setLevel(logging.DEBUG)
"""
# The same without what takes secrets out: it must be caught.
LEAKING = (
    LOUD
    + """
logs._without_secrets = lambda logger, name, line: line
"""
)
MAIN = """
from janitor.cli import main
sys.argv[0] = "janitor"
main()
"""


def spellings(secret: str) -> set[str]:
    """Give the forms in which a secret may turn up."""
    plain = {secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret)[1:-1]}
    return plain | {base64.b64encode(text.encode()).decode() for text in (secret, f"u:{secret}")}


def leaks(sinks: Mapping[str, bytes], secrets: Mapping[str, str]) -> set[tuple[str, str]]:
    """Name every sink that holds a secret, and which."""
    return {
        (sink, name)
        for sink, content in sinks.items()
        for name, secret in secrets.items()
        for spelling in spellings(secret)
        if spelling.encode() in content
    }


@dataclass
class Scene:
    """A config full of secrets, the sinks that were written to, and what was sent."""

    folder: Path
    config: str
    secrets: dict[str, str]
    asked: list[Asked]
    environ: dict[str, str] = field(default_factory=dict)
    sinks: dict[str, bytes] = field(default_factory=dict)

    def run(
        self, *arguments: str, before: str = "", changes: Mapping[str, str] | None = None
    ) -> int:
        """Run the janitor; keep all that it says. `changes` replace words of the config."""
        text = self.config
        for old, new in (changes or {}).items():
            assert old in text
            text = text.replace(old, new)
        file = self.folder / "janitor.yaml"
        file.write_text(text, encoding="utf-8")
        program = f"import sys\n{before}\n{MAIN}"
        done = subprocess.run(  # noqa: S603  # our own program
            [sys.executable, "-c", program, *arguments, "-c", str(file)],
            capture_output=True,
            check=False,
            timeout=60,
            cwd=self.folder,
            env={"PATH": os.environ["PATH"], **self.environ},
        )
        name = f"{len(self.sinks)} {' '.join(arguments)}"
        self.sinks[f"{name}: output"] = done.stdout
        self.sinks[f"{name}: log"] = done.stderr
        return done.returncode

    def everything(self) -> dict[str, bytes]:
        """Give all that was written anywhere, apart from what the secrets were read from."""
        inputs = {"janitor.yaml", "users.yaml"}
        files = {
            f"file {path.name}": path.read_bytes()
            for path in self.folder.iterdir()
            if path.name not in inputs and path.is_file()
        }
        pushed = {f"pushed {number}": each.body for number, each in enumerate(self.asked)}
        return self.sinks | files | pushed


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Serve a stale and a young upload on each provider."""
    with Sandbox.start() as started:
        for harness in HARNESSES.values():
            harness.add_container(started, CONTAINER)
            for key, age in (("old", 9), ("young", 2)):
                harness.add(started, CONTAINER, key, age=days(age), parts=[days(8)])
        yield started

        assert [] == started.accusations


@pytest.fixture
def temporary(sandbox: Sandbox) -> Principal:
    """Get a key pair with a session token, which the sandbox takes."""
    role = Role("arn:aws:iam::012345678901:role/janitor")
    now = sandbox.clock.now()
    return sandbox.world.keys.assume(role, JANITOR, "session", now, timedelta(hours=1))


@pytest.fixture
def scene(sandbox: Sandbox, temporary: Principal, tmp_path: Path) -> Iterator[Scene]:
    """Plant a secret wherever a config can have one, and open every sink that there is."""
    (tmp_path / "users.yaml").write_text(f"basic_auth_users: {{alice: {HASH}}}\n")
    secrets = {
        "secret key": temporary.secret_access_key,
        "session token": temporary.token or "",
        "QingStor's secret key": JANITOR.secret_access_key,
        "proxy password": PROXY_PASSWORD,
        "hash of a user": HASH,
    }
    with stub(status(202)) as (url, asked):
        yield Scene(tmp_path, config_of(sandbox, temporary, url, tmp_path), secrets, asked)


@pytest.fixture
def postgres() -> Iterator[Server]:
    """Run a PostgreSQL server of our own."""
    try:
        with running() as server:
            yield server
    except CannotInstall as reason:
        skip_loudly(reason)


def config_of(sandbox: Sandbox, temporary: Principal, gateway: str, folder: Path) -> str:
    """Write the config; each provider is reached through a proxy with a password."""

    def keys(principal: Principal) -> str:
        token = f"\n    session_token: {principal.token}" if principal.token else ""
        return (
            f"access_key_id: {principal.access_key_id}\n"
            f"    secret_access_key: {principal.secret_access_key}{token}"
        )

    def proxy(url: str) -> str:
        password = quote(PROXY_PASSWORD, safe="")
        return f'proxy_url: "{url.replace("://", f"://u:{password}@")}"'

    return f"""\
version: 1
mode: enforce
ledger: sqlite:///{folder}/ledger.db
policy: {{stale_after: 7d, idle_for: 24h, grace: 0}}
http: {{basic_auth_users_file: {folder}/users.yaml}}
log: {{format: json, level: debug}}
audit: {{file: {folder}/audit.jsonl}}
push: {{pushgateway_url: "{gateway}", textfile: {folder}/janitor.prom}}
targets:
  - name: archive
    provider: glacier
    endpoint_url: {sandbox.glacier_url}
    region: us-west-2
    account_id: "{sandbox.account_id}"
    {keys(temporary)}
    {proxy(sandbox.glacier_url)}
    vaults: ["*"]
    policy: {{idle_for: off}}
  - name: media
    provider: qingstor
    endpoint_url: {sandbox.qingstor_url}
    {keys(JANITOR)}
    {proxy(sandbox.qingstor_url)}
    buckets: ["*"]
  - name: lake
    provider: s3
    endpoint_url: {sandbox.s3_url}
    region: us-east-1
    addressing: path
    {keys(temporary)}
    {proxy(sandbox.s3_url)}
    buckets: ["*"]
"""


def everything_in_order(scene: Scene, before: str = "") -> None:
    """Mark, plan and sweep, in both formats of the log."""
    console = {"format: json": "format: console"}

    assert 0 == scene.run("plan", before=before, changes=console)
    assert 0 == scene.run("plan", "--out", "plan.jsonl", before=before)
    assert 0 == scene.run("sweep", "-o", "json", before=before)


def test_real_runs_show_no_secret_in_any_sink(scene: Scene, sandbox: Sandbox) -> None:
    """Logs in both formats, audit, plan, ledger, textfile, what was pushed, the config shown."""
    everything_in_order(scene)
    scene.run("config", "show")
    sinks = scene.everything()

    assert set() == leaks(sinks, scene.secrets)
    assert {"file audit.jsonl", "file plan.jsonl", "file ledger.db", "file janitor.prom"} <= set(
        sinks
    )
    assert b"upload.aborted" in sinks["file audit.jsonl"]
    assert b"janitor_aborts_total" in sinks["pushed 0"]
    assert 3 == sum(entry.operation.endswith(".abort") for entry in sandbox.journal)


@pytest.mark.parametrize("format", FORMATS)
def test_no_format_of_a_report_shows_a_secret(scene: Scene, format: str) -> None:  # noqa: A002
    """Of a run that fails everywhere, so that the report is full of errors."""
    scene.secrets |= {"wrong key": WRONG_SECRET, "wrong token": WRONG_TOKEN}
    changes = {
        scene.secrets["secret key"]: WRONG_SECRET,
        scene.secrets["session token"]: WRONG_TOKEN,
        scene.secrets["QingStor's secret key"]: WRONG_SECRET,
    }
    code = scene.run("sweep", "-o", format, changes=changes)

    assert 3 == code
    assert set() == leaks(scene.everything(), scene.secrets)


def test_a_proxy_that_is_down_is_told_without_its_password(scene: Scene, sandbox: Sandbox) -> None:
    """The SDKs like to quote the URL that they could not reach."""
    nobody = f"@127.0.0.1:{closed_port()}"
    changes = {
        f"@{url.partition('://')[2]}": nobody
        for url in (sandbox.s3_url, sandbox.glacier_url, sandbox.qingstor_url)
    }
    code = scene.run("sweep", "-o", "json", before=LOUD, changes=changes)

    assert 3 == code
    assert set() == leaks(scene.everything(), scene.secrets)


def test_even_what_the_sdks_say_at_debug_shows_no_secret(scene: Scene, sandbox: Sandbox) -> None:
    """Nobody hears it, because the floors keep it out; the redaction alone would do as well.

    Nor any signature of a request that was sent.
    """
    headers: list[str] = []
    sandbox.on("*", lambda call: headers.append(call.request.header("authorization")))
    everything_in_order(scene, LOUD)
    sinks = scene.everything()
    for number, header in enumerate(headers):
        scene.secrets[f"signature {number}"] = re.split("[=:]", header.rstrip("="))[-1]
    log = b"".join(content for name, content in sinks.items() if name.endswith(": log"))

    assert set() == leaks(sinks, scene.secrets)
    assert 20 < len(headers)
    for logger in (b"botocore.auth", b"botocore.endpoint", b"urllib3.connectionpool"):
        assert logger in log


def test_secrets_of_the_environment_are_not_shown_either(
    scene: Scene, temporary: Principal
) -> None:
    """What no config names nobody has registered: its form alone gives it away."""
    pair = (
        f"access_key_id: {temporary.access_key_id}\n"
        f"    secret_access_key: {temporary.secret_access_key}\n"
        f"    session_token: {temporary.token}"
    )
    scene.environ = {
        "AWS_ACCESS_KEY_ID": temporary.access_key_id,
        "AWS_SECRET_ACCESS_KEY": temporary.secret_access_key,
        "AWS_SESSION_TOKEN": temporary.token or "",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    scene.config = scene.config.replace(pair, "profile: null")
    everything_in_order(scene, LOUD)

    assert set() == leaks(scene.everything(), scene.secrets)


def test_a_ledger_that_cannot_be_reached_is_told_without_its_password(
    scene: Scene, tmp_path: Path
) -> None:
    """Its URL has a password, which drivers like to quote."""
    scene.secrets["ledger password"] = LEDGER_PASSWORD
    where = f"me:{quote(LEDGER_PASSWORD, safe='')}@127.0.0.1:{closed_port()}/janitor"
    changes = {f"sqlite:///{tmp_path}/ledger.db": f"postgresql+psycopg://{where}"}
    codes = [
        scene.run(*verb, before=LOUD, changes=changes)
        for verb in (["sweep"], ["ledger", "check"], ["config", "show"])
    ]

    assert [1, 1, 0] == codes
    assert set() == leaks(scene.everything(), scene.secrets)


def test_a_ledger_in_postgresql_keeps_its_password(
    scene: Scene, postgres: Server, tmp_path: Path
) -> None:
    """A real server, and a sweep that uses it."""
    scene.secrets["ledger password"] = postgres.password
    changes = {f"sqlite:///{tmp_path}/ledger.db": postgres.new_url()}
    code = scene.run("sweep", "-o", "json", before=LOUD, changes=changes)

    assert 0 == code
    assert set() == leaks(scene.everything(), scene.secrets)


def test_this_test_can_fail(scene: Scene, sandbox: Sandbox) -> None:
    """Without the redaction the same runs are caught, by what boto3 says of what it sends."""
    headers: list[str] = []
    sandbox.on("s3.*", lambda call: headers.append(call.request.header("authorization")))
    sent_by_sdk = {"addressing: path": "addressing: path\n    transport: sdk"}
    scene.run("sweep", before=LEAKING, changes=sent_by_sdk)
    scene.secrets["signature"] = headers[-1].rpartition("=")[2]
    found = {name for _, name in leaks(scene.everything(), scene.secrets)}

    assert {"session token", "signature"} == found


@pytest.mark.parametrize("form", range(6))
def test_every_spelling_in_any_sink_is_found(form: int) -> None:
    """The search itself is blind to none of them."""
    secrets = {"it": PROXY_PASSWORD}
    some = sorted(spellings(PROXY_PASSWORD))
    text = some[form % len(some)]

    assert {("b", "it")} == leaks({"a": b"", "b": f"x{text}y".encode()}, secrets)
