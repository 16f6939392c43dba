"""`config show` writes what holds, and what it writes loads again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from support.certificates import write_certificates
from support.settings_samples import ARCHIVE, HASH, LAKE, MEDIA, Load

from janitor.settings import example, minimal, show

GOLDEN = Path(__file__).parent / "shown.yaml"
ENVIRON = {"QINGSTOR_ACCESS_KEY_ID": "***", "QINGSTOR_SECRET_ACCESS_KEY": "***"}
TLS_SERVER_CONFIG = """\
tls_server_config:
  cert_file: server.pem
  key_file: server.key
  client_ca_file: ca.pem
  client_auth_type: VerifyClientCertIfGiven
  min_version: TLS13
"""
OTHER = ARCHIVE.removeprefix("targets:\n")
RULE = "{{name: {}, match: {{key: '{}'}}, action: keep}}"
ROLE = """\
    assume_role:
      role_arn: arn:aws:iam::{account}:role/in-{account}
      external_id: x-1
"""
ODD = (
    """\
version: 1
policy:
  rules:
    - name: r
      match:
        key: 'a $${b} "c" \\\\ # d: é 𝄞 \u2028 no'
        key_regex: '^(x|y)$'
        description: ''
        initiator: 'true'
        storage_class: '0x10'
        provider: s3
        smaller_than: 5MiB
      idle_for: off
      stale_after: 36h
"""
    + LAKE
)
CONFIGS = {
    "example": example(),
    "minimal": minimal(),
    "every": f"version: 1\nschedule: {{every: 90min, jitter: 90s}}\n{LAKE}",
    "limits of nothing": (
        "version: 1\nlimits: {aborts_per_run: 0, bytes_per_run: 0, share_of_listed: 0%}\n" + LAKE
    ),
    "limits": (
        "version: 1\nlimits: {aborts_per_day: 5, bytes_per_run: 1500kB, "
        f"share_of_listed: 33.3%}}\n{LAKE}"
    ),
    "execution": f"version: 1\nexecution: {{requests_per_second: 0.5, run_timeout: 61s}}\n{LAKE}",
    "caps": (
        "version: 1\nexecution: {container_reads_per_second: null, "
        f"container_writes_per_second: 9}}\n{LAKE}"
    ),
    "http": f'version: 1\nhttp: {{listen: "[::]:80"}}\nlog: {{format: json}}\n{LAKE}',
    "metrics": f"version: 1\nmetrics: {{detail: target, max_containers: 7}}\n{LAKE}",
    "prices": (
        f"version: 1\nprices: {{currency: EUR, per_gib_month: 0.0000001}}\n{LAKE}"
        "    price_per_gib_month: 1000000\n"
    ),
    "price of nothing": f"version: 1\nprices: {{per_gib_month: 0}}\n{LAKE}",
    "push": (
        "version: 1\npush: {pushgateway_url: 'http://[::1]:9091/a', job: 'a b', textfile: ü.prom,"
        " delete_on_success: true, grouping: {'true': '1', 'null': 'no', shard: '$${a}'}}\n" + LAKE
    ),
    "election": f"version: 1\nleader_election: {{lease: a.b, duration: 90s}}\n{LAKE}",
    "election elsewhere": f"version: 1\nleader_election: {{lease: '1', namespace: '2'}}\n{LAKE}",
    "audit": f"version: 1\naudit: {{file: '#1'}}\n{LAKE}",
    "TLS": (
        f"version: 1\nhttp: {{tls_cert: server.pem, tls_key: server.key, "
        f"tls_client_ca: ca.pem, basic_auth_users_file: web.yaml}}\n{LAKE}"
    ).replace("web.yaml", "users.yaml"),
    "TLS for everybody": (
        f"version: 1\nhttp: {{tls_cert: server.pem, tls_key: server.key}}\n{LAKE}"
    ),
    "web config": f"version: 1\nhttp: {{web_config_file: web.yaml}}\n{LAKE}",
    "low floor": f"version: 1\n{LAKE}    unsafe_min_age: 3h\n    policy: {{stale_after: 5h}}\n",
    "enforce": f"version: 1\nmode: enforce\n{ARCHIVE}",
    "enforce without a ledger": (
        "version: 1\nmode: enforce\nledger: none\npolicy: {grace: 0}\n"
        f"{ARCHIVE}    policy: {{idle_for: off}}\n"
    ),
    "ledger in an odd place": f"version: 1\nledger: 'sqlite:///a $${{b}} #: é.db'\n{LAKE}",
    "ledger on a server": (
        "version: 1\nledger: 'postgresql+psycopg://me:***@[::1]:5433/j?a=b&password=***'\n" + LAKE
    ),
    "caller": (
        f"version: 1\n{ARCHIVE}    endpoint_url: http://localhost:1\n"
        '    caller_account: "012345678901"\n    sts_endpoint_url: http://sts.example\n'
        "    allow_http: true\n"
    ),
    "finished objects": f"version: 1\n{LAKE}    finished_object_check: always\n",
    "listing": f"version: 1\n{LAKE}    listing: sequential\n",
    "transport": f"version: 1\n{LAKE}    transport: sdk\n",
    "transport of vaults": f"version: 1\n{ARCHIVE}    transport: sdk\n",
    "rules of one": f"version: 1\n{LAKE}    policy: {{rules: [{RULE.format('a', 'b')}]}}\n",
    "rules of two": (
        f"version: 1\npolicy: {{rules: [{RULE.format('c', '**')}]}}\n{LAKE}"
        f"    policy: {{rules: [{RULE.format('a', 'b')}]}}\n{OTHER}"
    ),
    "odd text": ODD,
    "role": (
        f"version: 1\n{LAKE}    assume_role: {{role_arn: 'arn:aws:iam::012345678901:role/a/b',"
        " external_id: x-1, session_name: me, sts_endpoint_url: 'http://localhost:1'}\n"
    ),
    "role by the target's STS": (
        f"version: 1\n{LAKE}    assume_role: {{role_arn: 'arn:aws:iam::012345678901:role/a/b'}}\n"
        "    sts_endpoint_url: https://sts.example\n"
    ),
    "accounts": (
        f"version: 1\n{LAKE}{ROLE}".replace("[uploads]", '["*"]')
        + '    accounts: ["111111111111", "222222222222"]\n'
        + OTHER
        + ROLE
        + '    accounts: ["222222222222"]\n'
    ),
    "accounts of a file": (
        f"version: 1\n{LAKE}{ROLE}    accounts_file: accounts.txt\n"
        "    endpoint_url: https://minio.example\n    sts_endpoint_url: https://sts.example\n"
    ),
    "reach": (
        f"version: 1\n{LAKE}    endpoint_url: http://minio.example:9000\n    allow_http: true\n"
        "    proxy_url: http://proxy.example:3128\n    ca_file: ca.pem\n    page_size: 7\n"
    ),
    "qingstor by url": (
        f"version: 1\n{MEDIA}".replace("AKID", '"***"')
        .replace("SECRET", '"***"')
        .replace("zone: pek3b", "endpoint_url: https://qs.example")
    ),
    "qingstor by host": (
        f"version: 1\n{MEDIA}    protocol: http\n    allow_http: true\n    host: qs.example\n"
        "    addressing: virtual\n    transport: sdk\n".replace("x", "x")
    )
    .replace("AKID", '"***"')
    .replace("SECRET", '"***"'),
}


@pytest.fixture(autouse=True)
def _files_beside(tmp_path: Path) -> None:
    write_certificates(tmp_path)
    users = f"basic_auth_users: {{alice: {HASH}, bob: {HASH}}}\n"
    (tmp_path / "accounts.txt").write_text("111111111111\n\n 222222222222 # of media\n")
    (tmp_path / "users.yaml").write_text(users)
    (tmp_path / "web.yaml").write_text(f"{users}{TLS_SERVER_CONFIG}")


@pytest.mark.parametrize("text", CONFIGS.values(), ids=CONFIGS.keys())
def test_what_is_shown_loads_as_the_same_settings(text: str, load_text: Load) -> None:
    """Only secrets are lost on the way."""
    expected = load_text(text, ENVIRON)

    actual = load_text(show(expected))

    assert expected == actual


def test_show_of_the_example_is_this(load_text: Load) -> None:
    """Defaults are written out, limits say what null and 0 mean, secrets are stars."""
    expected = GOLDEN.read_text()

    actual = show(load_text(example(), ENVIRON)).replace(str(Path.cwd()), "")

    assert expected == actual


def test_what_a_web_config_says_is_shown_behind_it(load_text: Load, tmp_path: Path) -> None:
    """Which TLS and how many users stands in another file, and still is in effect."""
    shown = show(load_text(CONFIGS["web config"]))

    assert "  tls_cert: null\n" in shown
    assert (
        f"  web_config_file: {tmp_path}/web.yaml"
        "  # TLS from 1.3 on, client certificates checked if given; users: 2\n"
    ) in shown.replace('"', "")


def test_a_web_config_that_protects_nothing_is_shown_as_such(
    load_text: Load, tmp_path: Path
) -> None:
    """Prometheus takes an empty list of users for none, and so does the janitor."""
    (tmp_path / "web.yaml").write_text("basic_auth_users: {}\n")

    shown = show(load_text(CONFIGS["web config"]))

    assert "web.yaml  # no TLS; no users, so everybody may read\n" in shown.replace('"', "")


def test_zero_and_null_are_told_apart(load_text: Load) -> None:
    """The two limits that are mixed up most stand with their meanings."""
    shown = show(load_text(CONFIGS["limits of nothing"]))

    assert "  aborts_per_run: 0  # none\n" in shown
    assert "  aborts_per_day: null  # unlimited\n" in shown
    assert "  share_of_listed: 0%  # none\n" in shown


def test_a_proxy_keeps_its_password(load_text: Load) -> None:
    """The address is shown, the user and the password are not."""
    text = f"version: 1\n{LAKE}    proxy_url: http://user:pass@word@proxy.example:3128\n"
    text = text.replace("pass@word", "password")

    assert "proxy_url: http://***@proxy.example:3128\n" in show(load_text(text)).replace('"', "")


def test_a_ledger_keeps_its_password(load_text: Load) -> None:
    """Where the ledger is, and as whom, is shown; the passwords are not, wherever they stand."""
    url = (
        "postgresql+psycopg://me:p:w@db.example/janitor?sslmode=require&p%61ssword=p&sslpassword=w"
    )

    shown = show(load_text(f"version: 1\nledger: {url}\n{LAKE}"))

    assert (
        'ledger: "postgresql+psycopg://me:***@db.example/janitor'
        '?sslmode=require&p%61ssword=***&sslpassword=***"\n'
    ) in shown


def test_short_thresholds_are_shown_in_hours(load_text: Load) -> None:
    """A day is easier to compare with other hours than with weeks."""
    settings = load_text(f"version: 1\npolicy: {{stale_after: P2D, idle_for: P1D}}\n{LAKE}")

    assert settings.targets[0].policy.stale_after == timedelta(days=2)
    assert "stale_after: 2d\n" in show(settings)
    assert "idle_for: 24h\n" in show(settings)
