"""Configs that are right, and the settings that they mean."""

from __future__ import annotations

import io
import sys
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML
from support.certificates import write_certificates
from support.settings_samples import ARCHIVE, HASH, LAKE, MEDIA, Load, Refuse, errors_by_schema

from janitor.matching import Match, Pattern
from janitor.plan import Limits
from janitor.policy import Policy, Rule
from janitor.settings import example, load, minimal, schema
from janitor.settings.types import (
    Election,
    Exposition,
    Http,
    Log,
    Prices,
    Push,
    Schedule,
    Settings,
    Tls,
    User,
)
from janitor.targets import (
    AssumeRole,
    AwsIdentity,
    Credentials,
    Execution,
    GlacierOptions,
    QingStorOptions,
    Reach,
    S3Options,
    Secret,
    Target,
)

CONFIG = Path(__file__).parents[2] / "config"
ENVIRON = {"QINGSTOR_ACCESS_KEY_ID": "AKID", "QINGSTOR_SECRET_ACCESS_KEY": "SECRET"}

FULL = """\
version: 1
mode: report
ledger: postgresql+psycopg://janitor:${PGPASSWORD:-SECRET}@db.example:5433/janitor?sslmode=verify-full
schedule:
  cron: "17 */6 * * *"
  timezone: UTC
  jitter: 5min
policy:
  stale_after: 7d
  idle_for: 24h
  grace: 24h
  rules:
    - name: committers
      match: {key: "**/__magic/**"}
      action: keep
    - name: nightly
      match: {target: "media*", key: "backup/**", description: "nightly*", initiator: "*",
              storage_class: GLACIER, larger_than: 1GiB}
      stale_after: 3d
limits:
  aborts_per_run: 1000
  aborts_per_day: 5000
  share_of_listed: 12.5%
  bytes_per_run: null
targets:
  - name: archive
    provider: glacier
    region: us-west-2
    account_id: "012345678901"
    caller_account: "210987654321"
    vaults: [examplevault, "backup-*"]
    transport: sdk
  - name: media
    provider: qingstor
    zone: pek3b
    buckets: [your-bucket-name]
    prefix: Movies/
    access_key_id: ${QINGSTOR_ACCESS_KEY_ID}
    secret_access_key_file: secrets/qingstor
    transport: sdk
  - name: lake
    provider: s3
    region: eu-west-1
    buckets: ["*"]
    exclude: ["*-logs"]
    profile: prod
    assume_role: {role_arn: "arn:aws:iam::012345678901:role/janitor", external_id: x-1}
    sts_endpoint_url: https://sts.example/
    expected_owner: "012345678901"
    policy:
      stale_after: 3d
      rules:
        - name: here-only
          match: {container: "tmp-*"}
          idle_for: off
  - name: minio
    provider: s3
    endpoint_url: https://minio.example:9000/
    addressing: path
    ca_file: /etc/ssl/minio.pem
    buckets: [uploads]
    finished_object_check: never
    listing: parallel
    transport: sdk
    price_per_gib_month: 0
    unsafe_min_age: 1h
    policy: {stale_after: 2h, idle_for: off, grace: 0}
http:
  listen: "[::1]:10080"
  tls_cert: certificates/server.pem
  tls_key: certificates/server.key
  tls_client_ca: certificates/ca.pem
  basic_auth_users_file: users.yaml
  web_config_file: null
metrics: {detail: target, max_containers: 20}
prices: {currency: EUR, per_gib_month: 0.023}
push:
  pushgateway_url: https://pushgateway.example:9091/behind/a/path/
  job: janitor-of-archives
  grouping: {shard: "1", instance: archive}
  delete_on_success: true
  textfile: textfiles/janitor.prom
leader_election: {lease: upload-janitor.archive, namespace: storage, duration: 1min}
log: {format: json, level: debug}
audit: {file: /var/log/upload-janitor/audit.jsonl}
notify: []
execution: {concurrency: 8, requests_per_second: 2.5, backend: threads, run_timeout: 90min}
"""

COMMON_RULES = (
    Rule("committers", Match(key=Pattern("**/__magic/**")), keep=True),
    Rule(
        "nightly",
        Match(
            target=Pattern("media*"),
            key=Pattern("backup/**"),
            description=Pattern("nightly*"),
            initiator=Pattern("*"),
            storage_class=Pattern("GLACIER"),
            larger_than=1024**3,
        ),
        stale_after=timedelta(days=3),
    ),
)


def test_a_full_config_means_exactly_this(load_text: Load, tmp_path: Path) -> None:
    """Every key of the language lands where it belongs."""
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "qingstor").write_text("SECRET\n")
    (tmp_path / "users.yaml").write_text(f"basic_auth_users: {{alice: {HASH}}}\n")
    write_certificates(tmp_path / "certificates")
    expected = Settings(
        mode="report",
        ledger="postgresql+psycopg://janitor:SECRET@db.example:5433/janitor?sslmode=verify-full",
        schedule=Schedule("17 */6 * * *", None, "UTC", timedelta(minutes=5), at_start=True),
        limits=Limits(aborts_per_run=1000, aborts_per_day=5000, share_of_listed=Fraction(1, 8)),
        targets=(
            Target(
                "archive",
                "glacier",
                ("examplevault", "backup-*"),
                GlacierOptions(
                    "us-west-2",
                    "012345678901",
                    identity=AwsIdentity(caller_account="210987654321"),
                    transport="sdk",
                ),
                Policy(rules=COMMON_RULES),
            ),
            Target(
                "media",
                "qingstor",
                ("your-bucket-name",),
                QingStorOptions("pek3b", Credentials("AKID", Secret("SECRET")), transport="sdk"),
                Policy(rules=COMMON_RULES),
                prefix="Movies/",
            ),
            Target(
                "lake",
                "s3",
                ("*",),
                S3Options(
                    region="eu-west-1",
                    identity=AwsIdentity(
                        profile="prod",
                        assume_role=AssumeRole(
                            "arn:aws:iam::012345678901:role/janitor",
                            "x-1",
                            sts_endpoint_url="https://sts.example",
                        ),
                        sts_endpoint_url="https://sts.example",
                    ),
                    expected_owner="012345678901",
                ),
                Policy(
                    stale_after=timedelta(days=3),
                    rules=(
                        Rule(
                            "here-only",
                            Match(container=Pattern("tmp-*")),
                            judge_by_age_alone=True,
                        ),
                        *COMMON_RULES,
                    ),
                ),
                exclude=("*-logs",),
            ),
            Target(
                "minio",
                "s3",
                ("uploads",),
                S3Options(
                    reach=Reach("https://minio.example:9000", "/etc/ssl/minio.pem"),
                    addressing="path",
                    finished_object_check="never",
                    listing="parallel",
                    transport="sdk",
                ),
                Policy(
                    stale_after=timedelta(hours=2),
                    idle_for=None,
                    grace=timedelta(0),
                    rules=COMMON_RULES,
                    minimum_age=timedelta(hours=1),
                ),
                price_per_gib_month=0.0,
            ),
        ),
        http=Http(
            "::1",
            10080,
            Tls(
                str(tmp_path / "certificates" / "server.pem"),
                str(tmp_path / "certificates" / "server.key"),
                str(tmp_path / "certificates" / "ca.pem"),
                "required",
            ),
            (User("alice", Secret(HASH)),),
            users_file=str(tmp_path / "users.yaml"),
        ),
        metrics=Exposition("target", 20),
        prices=Prices("EUR", 0.023),
        push=Push(
            "https://pushgateway.example:9091/behind/a/path",
            "janitor-of-archives",
            (("instance", "archive"), ("shard", "1")),
            delete_on_success=True,
            textfile=str(tmp_path / "textfiles" / "janitor.prom"),
        ),
        election=Election("upload-janitor.archive", "storage", timedelta(minutes=1)),
        audit_file="/var/log/upload-janitor/audit.jsonl",
        log=Log("json", "debug"),
        execution=Execution(8, 2.5, run_timeout=timedelta(minutes=90)),
    )

    actual = load_text(FULL, ENVIRON)

    assert expected == actual


def test_the_smallest_config_means_the_defaults() -> None:
    """What is left out has the defaults of the frozen types, and there is a ledger."""
    everything = Target("everything", "s3", ("*",), S3Options(), Policy())
    expected = Settings(targets=(everything,), ledger="sqlite:///janitor.db")

    actual = load(CONFIG / "minimal.yaml", {})

    assert expected == actual


def test_the_example_shows_all_providers_and_changes_nothing() -> None:
    """Who starts from the example starts in report mode."""
    settings = load(CONFIG / "janitor.example.yaml", ENVIRON)

    assert settings.mode == "report"
    assert {t.provider for t in settings.targets} == {"glacier", "qingstor", "s3"}


def test_what_is_packaged_is_what_the_repository_shows() -> None:
    """`janitor config init` prints the very files of `config/`."""
    assert example() == (CONFIG / "janitor.example.yaml").read_text()
    assert minimal() == (CONFIG / "minimal.yaml").read_text()


@pytest.mark.parametrize("text", [FULL, example(), minimal()], ids=["full", "example", "minimal"])
def test_the_schema_accepts_what_the_loader_accepts(text: str) -> None:
    """An editor marks nothing in a config that works."""
    document = YAML(typ="safe", pure=True).load(text)

    assert errors_by_schema(document) == []


def test_standard_input_is_a_config_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """`-` reads standard input, and problems there have a name."""
    stdin = io.TextIOWrapper(io.BytesIO(minimal().encode()))
    monkeypatch.setattr(sys, "stdin", stdin)

    settings = load("-", {})

    assert [target.name for target in settings.targets] == ["everything"]


ACCEPTED = {
    "grace as the number 0": "policy: {grace: 0}",
    "grace of no hours": "policy: {grace: 0h}",
    "ISO 8601 days": "policy: {stale_after: P7D}",
    "ISO 8601 hours": "policy: {stale_after: PT36H}",
    "ISO 8601 weeks": "policy: {stale_after: P2W}",
    "weeks": "policy: {stale_after: 2w}",
    "no idleness": "policy: {idle_for: off}",
    "empty policy": "policy: {}",
    "a quoted word": 'mode: "report"',
    "every in minutes": "schedule: {every: 30min}",
    "cron by name": 'schedule: {cron: "@daily"}',
    "cron with names": 'schedule: {cron: "0 4 * JAN-MAR MON-FRI"}',
    "cron with a question mark": 'schedule: {cron: "0 4 ? * 1"}',
    "a zone": "schedule: {timezone: Europe/Berlin}",
    "null for cron": "schedule: {cron: null}",
    "jitter as the number 0": "schedule: {jitter: 0}",
    "no ledger": "ledger: none",
    "no ledger, from the environment": "ledger: '${LEDGER:-none}'",
    "a ledger from the environment": "ledger: '${LEDGER:-sqlite:///janitor.db}'",
    "a ledger elsewhere": "ledger: sqlite:////var/lib/the janitor/janitor.db",
    "a ledger on a server": "ledger: postgresql+psycopg://janitor@db.example/janitor",
    "everything in report mode": "ledger: none\npolicy: {grace: 7d}\nlimits: {aborts_per_day: 9}",
    "everything with a ledger": (
        "mode: enforce\npolicy: {grace: 7d, idle_for: 2d}\nlimits: {aborts_per_day: 9}"
    ),
    "limits of nothing": (
        "limits: {aborts_per_run: 0, aborts_per_day: 0, bytes_per_run: 0, share_of_listed: 0%}"
    ),
    "limits of everything": (
        "limits: {aborts_per_run: null, aborts_per_day: null, bytes_per_run: 500MB, "
        "share_of_listed: 100%}"
    ),
    "sections of nothing": "audit: null\npush: {}\nnotify: null\nleader_election: null",
    "nulls of the service": (
        "http: {tls_cert: null, tls_key: null, tls_client_ca: null, basic_auth_users_file: null, "
        "web_config_file: null}\naudit: {file: null}\nprices: {per_gib_month: null}\n"
        "push: {pushgateway_url: null, textfile: null}"
    ),
    "a Lease with a ledger of its own": "leader_election: {lease: a}\nledger: sqlite:///a.db",
    "the shortest Lease": "leader_election: {lease: a.b-c.1, namespace: x, duration: 5s}",
    "the longest Lease": "leader_election: {lease: a, duration: 5min}",
    "the coarsest metrics": "metrics: {detail: provider, max_containers: 1}",
    "the finest metrics": "metrics: {max_containers: 100000}",
    "a price of nothing": "prices: {per_gib_month: 0}",
    "a price from the environment": "prices: {per_gib_month: '${PRICE:-0.023}'}",
    "a Pushgateway in the clear": "push: {pushgateway_url: 'http://pushgateway.monitoring:9091'}",
    "a Pushgateway on this machine": "push: {pushgateway_url: 'http://[::1]:9091/'}",
    "a group from the environment": (
        "push: {pushgateway_url: 'http://a', grouping: {instance: '${NAME:-a}', _shard1: b/c}}"
    ),
    "a text file beside the config": "push: {textfile: janitor.prom}",
    "an audit file beside the config": "audit: {file: audit.jsonl}",
    "listening to everybody": "http: {listen: '0.0.0.0:10079'}",
    "a number from the environment": "execution: {concurrency: '${N:-32}'}",
    "a boolean from the environment": "schedule: {at_start: '${B:-false}'}",
    "a rate from the environment": ("execution: {requests_per_second: '${R:-1.5}'}"),
    "a word from the environment": "log: {level: '${LEVEL:-info}'}",
    "a rule for descriptions that are not there": (
        'policy: {rules: [{name: r, match: {description: ""}, action: keep}]}'
    ),
    "comments and a start of document": "---\n# a comment",
    "a rate of whole numbers": "execution: {requests_per_second: 50}",
    "caps for each container": (
        "execution: {container_reads_per_second: 100, container_writes_per_second: null}"
    ),
    "a cap from the environment": "execution: {container_reads_per_second: '${R:-1.5}'}",
    "a listener by name": 'http: {listen: "localhost:0"}',
}


@pytest.mark.parametrize("text", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_is_right_is_accepted(text: str, load_text: Load) -> None:
    """The loader takes it, and the schema does too."""
    whole = f"{text}\nversion: 1\n{LAKE}"
    document = YAML(typ="safe", pure=True).load(whole)

    settings = load_text(whole)

    assert [target.name for target in settings.targets] == ["lake"]
    assert errors_by_schema(document) == []


@pytest.mark.parametrize(
    "bucket",
    [
        "a-bucket.with.dots",
        "name--usw2-az1--x-s3",
        "arn:aws:s3:eu-west-1:012345678901:accesspoint/point",
        "arn:aws:s3-outposts:us-west-2:012345678901:outpost/op-01ac5d28a6a232904/accesspoint/p",
        "b?ckup-*",
        "*",
    ],
)
def test_names_that_buckets_can_have_are_accepted(bucket: str, load_text: Load) -> None:
    """Directory buckets, access points and globs are names of buckets."""
    settings = load_text(f"version: 1\n{LAKE}".replace("[uploads]", f'["{bucket}"]'))

    assert settings.targets[0].containers == (bucket,)


def test_a_compatible_store_may_have_older_names(load_text: Load) -> None:
    """With endpoint_url, names may have upper case and underscores, and regions be any word."""
    text = f"version: 1\n{LAKE}    endpoint_url: http://127.1:9000\n"

    settings = load_text(text.replace("[uploads]", "[My_Bucket]").replace("eu-west-1", "garage"))

    assert settings.targets[0].containers == ("My_Bucket",)


def test_qingstor_can_be_addressed_in_every_way(load_text: Load) -> None:
    """By zone, by a host without zones, by protocol, and by an URL that says it all."""
    base = f"version: 1\n{MEDIA}"
    by_host = base.replace("zone: pek3b", 'zone: ""\n    host: objects.example')
    by_url = base.replace("zone: pek3b", "endpoint_url: http://localhost:8080")
    by_protocol = f"{base}    protocol: http\n    host: qs.localhost\n"
    keys = Credentials("AKID", Secret("SECRET"))
    expected = [
        QingStorOptions("", keys, host="objects.example"),
        QingStorOptions("", keys, reach=Reach("http://localhost:8080")),
        QingStorOptions("pek3b", keys, host="qs.localhost", port=80, protocol="http"),
    ]

    actual: list[Any] = [
        load_text(text).targets[0].options for text in (by_host, by_url, by_protocol)
    ]

    assert expected == actual


def test_enforce_without_a_ledger_has_to_be_said(load_text: Load) -> None:
    """Without a ledger, mode: enforce works once grace is 0 and Glacier is judged by age alone."""
    text = (
        "version: 1\nmode: enforce\nledger: none\npolicy: {grace: 0}\n"
        f"{ARCHIVE}    policy: {{idle_for: off}}\n"
    )

    settings = load_text(text)

    assert (settings.mode, settings.ledger) == ("enforce", None)
    assert settings.targets[0].policy == Policy(idle_for=None, grace=timedelta(0))


@pytest.mark.parametrize("target", [LAKE, ARCHIVE, MEDIA])
def test_enforce_needs_no_other_word_with_a_ledger(target: str, load_text: Load) -> None:
    """The defaults, grace among them, are fit to abort with, on Glacier too."""
    settings = load_text(f"version: 1\nmode: enforce\nlimits: {{aborts_per_day: 5000}}\n{target}")

    assert (settings.mode, settings.ledger) == ("enforce", "sqlite:///janitor.db")
    assert settings.targets[0].policy == Policy()


def test_a_broken_ledger_is_not_said_to_be_missing(refuse: Refuse) -> None:
    """Who misspells a ledger wants one: only the misspelling is told."""
    said = refuse(f"version: 1\nmode: enforce\nledger: mysql://db/janitor\n{ARCHIVE}")

    assert said.startswith("janitor.yaml:3:9: ledger: is no kind of database")
    assert len(said.splitlines()) == 1


def test_a_roles_own_sts_goes_before_the_targets(load_text: Load) -> None:
    """The target's is for whoever has no other, null included."""
    text = (
        f"version: 1\n{LAKE}    sts_endpoint_url: https://a.example\n    assume_role:\n"
        "      role_arn: arn:aws:iam::012345678901:role/janitor\n      sts_endpoint_url: {}\n"
    )

    roles = [identity_of(load_text(text.format(own))).assume_role for own in ("https://b", "null")]

    assert [role and role.sts_endpoint_url for role in roles] == ["https://b", "https://a.example"]


def test_the_caller_can_be_asked_for_on_a_store_with_an_sts(load_text: Load) -> None:
    """With both, caller_account goes together with endpoint_url."""
    settings = load_text(
        f"version: 1\n{LAKE}    endpoint_url: https://minio.example:9000\n"
        '    caller_account: "012345678901"\n    sts_endpoint_url: http://localhost:9001\n'
    )

    assert identity_of(settings) == AwsIdentity(
        caller_account="012345678901", sts_endpoint_url="http://localhost:9001"
    )


def identity_of(settings: Settings) -> AwsIdentity:
    """Give the identity of the first target, which is of AWS."""
    options = settings.targets[0].options
    assert isinstance(options, S3Options | GlacierOptions)
    return options.identity


def test_a_relative_file_is_beside_the_config(load_text: Load, tmp_path: Path) -> None:
    """Where the process happens to run does not matter."""
    settings = load_text(f"version: 1\n{LAKE}    ca_file: ca.pem\n")

    assert settings.targets[0].options.reach == Reach(ca_file=str(tmp_path / "ca.pem"))


def test_a_global_rule_may_be_low_where_every_target_of_it_allows(load_text: Load) -> None:
    """The floor is a matter of the targets that a rule is about."""
    rule = '{name: r, match: {target: "la*", provider: s3}, stale_after: 2h}'
    other = ARCHIVE.removeprefix("targets:\n")

    settings = load_text(
        f"version: 1\npolicy: {{rules: [{rule}]}}\n{LAKE}    unsafe_min_age: 2h\n{other}"
    )

    assert settings.targets[0].policy.rules[0].stale_after == timedelta(hours=2)


def default_sections() -> list[Any]:
    """List every default that the schema tells, as a line of config."""
    found = []
    for name, section in schema()["$defs"].items():
        for key, value in section.get("properties", {}).items():
            if "default" in value:
                found.append(pytest.param(name, key, value["default"], id=f"{name}.{key}"))
    return found


@pytest.mark.parametrize(("section", "key", "value"), default_sections())
def test_a_default_that_the_schema_tells_is_the_real_one(
    section: str, key: str, value: object, load_text: Load
) -> None:
    """Saying the default changes nothing."""
    role = "    assume_role:\n      role_arn: arn:aws:iam::012345678901:role/janitor\n"
    said = f"{key}: {value!r}".replace("True", "true").replace("False", "false")
    places = {
        "GlacierModel": (ARCHIVE, "    "),
        "QingStorModel": (MEDIA, "    "),
        "S3Model": (LAKE, "    "),
        "AssumeRoleModel": (LAKE + role, "      "),
        "ElectionModel": (LAKE + "leader_election:\n  lease: janitor\n", "  "),
    }
    top = {f"{name.title()}Model": name for name in schema()["properties"]}
    if section in places:
        text, indent = places[section]
        whole = f"{text}{indent}{said}\n"
    else:
        text = LAKE
        whole = f"{top[section]}: {{{said}}}\n{LAKE}"

    assert load_text(f"version: 1\n{whole}") == load_text(f"version: 1\n{text}")
