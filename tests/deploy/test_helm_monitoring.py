"""Monitors, alerts, the dashboard and the network policy: found, scraped, and what they promise."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # it ships none
from support import kubernetes_manifests as k8s
from support.debian import program
from support.helm_cases import CASES

DEPLOY = k8s.ROOT / "deploy"
_TEXT = {"type": "string", "minLength": 1}
_TEXTS = {"type": "object", "additionalProperties": {"type": "string"}}
_DURATION = {"type": "string", "pattern": "^([0-9]+(y|w|d|h|m|s|ms))+$"}
_SECRET_KEY = {
    "type": "object",
    "additionalProperties": False,
    "required": ["key"],
    "properties": {"name": _TEXT, "key": _TEXT, "optional": {"type": "boolean"}},
}


def closed(required: list[str], **properties: Any) -> dict[str, Any]:
    """Give the schema of an object that has these properties and no others."""
    return {
        "type": "object",
        "additionalProperties": False,
        "required": required,
        "properties": properties,
    }


RELABELING = closed(
    [],
    action={"enum": ["replace", "labeldrop", "labelkeep", "drop", "keep", "labelmap"]},
    regex=_TEXT,
    sourceLabels={"type": "array", "items": _TEXT},
    targetLabel=_TEXT,
    replacement={"type": "string"},
)
ENDPOINT = closed(
    ["port"],
    port=_TEXT,
    path=_TEXT,
    scheme={"enum": ["http", "https"]},
    interval=_DURATION,
    scrapeTimeout=_DURATION,
    tlsConfig={"type": "object"},
    basicAuth=closed(["username", "password"], username=_SECRET_KEY, password=_SECRET_KEY),
    relabelings={"type": "array", "items": RELABELING},
    metricRelabelings={"type": "array", "items": RELABELING},
)
SELECTOR = closed(["matchLabels"], matchLabels=_TEXTS)
NAMESPACES = closed(["matchNames"], matchNames={"type": "array", "items": _TEXT, "minItems": 1})
RULE = closed(
    ["expr"],
    alert=_TEXT,
    record={"type": "string", "pattern": "^[a-zA-Z_:][a-zA-Z0-9_:]*$"},
    expr=_TEXT,
    labels=_TEXTS,
    annotations=_TEXTS,
    **{"for": _DURATION, "keep_firing_for": _DURATION},
)
GROUP = closed(
    ["name", "rules"],
    name=_TEXT,
    interval=_DURATION,
    rules={"type": "array", "items": RULE, "minItems": 1},
)
ENDPOINTS = {"type": "array", "items": ENDPOINT, "minItems": 1}
# What the operator's own definitions say of the fields that the chart uses.
CUSTOM = {
    "ServiceMonitor": closed(
        ["endpoints", "selector"],
        endpoints=ENDPOINTS,
        selector=SELECTOR,
        namespaceSelector=NAMESPACES,
    ),
    "PodMonitor": closed(
        ["podMetricsEndpoints", "selector"],
        podMetricsEndpoints=ENDPOINTS,
        selector=SELECTOR,
        namespaceSelector=NAMESPACES,
    ),
    "PrometheusRule": closed(["groups"], groups={"type": "array", "items": GROUP}),
}


@pytest.mark.parametrize("case", CASES)
def test_every_object_of_the_operator_is_one_that_it_takes(case: str) -> None:
    """What Kubernetes itself does not know is of the Prometheus operator, and has its fields."""
    for manifest in k8s.render(CASES[case]):
        if not k8s.is_native(manifest):
            assert "monitoring.coreos.com/v1" == manifest["apiVersion"]
            Draft202012Validator(CUSTOM[manifest["kind"]]).validate(manifest["spec"])


def test_a_scrape_keeps_our_label_container_and_a_job_that_the_alerts_know() -> None:
    """The operator's own label of that name goes, before anything that the user adds."""
    (endpoint,) = k8s.only(k8s.render(CASES["service-monitor"]), "ServiceMonitor")["spec"][
        "endpoints"
    ]

    assert [
        {"targetLabel": "job", "replacement": "upload-janitor"},
        {"action": "labeldrop", "regex": "container"},
        {"targetLabel": "cluster", "replacement": "one"},
    ] == endpoint["relabelings"]


@pytest.mark.parametrize(
    ("release", "override", "job"),
    [
        ("upload-janitor", "", "upload-janitor"),
        ("archive", "", "archive-upload-janitor"),
        ("archive", "cleaner", "upload-janitor-cleaner"),
    ],
)
def test_two_releases_are_two_jobs(release: str, override: str, job: str) -> None:
    """The alerts tell releases apart by their jobs, and know a job by its name."""
    values = {"podMonitor": {"enabled": True}, "fullnameOverride": override}
    (endpoint,) = k8s.only(k8s.render(values, release), "PodMonitor")["spec"]["podMetricsEndpoints"]

    assert {"targetLabel": "job", "replacement": job} == endpoint["relabelings"][0]


def test_tls_is_scraped_by_https() -> None:
    """Who serves with a certificate, is asked accordingly."""
    manifests = k8s.render(CASES["tls"])
    (endpoint,) = k8s.only(manifests, "ServiceMonitor")["spec"]["endpoints"]

    assert "https" == endpoint["scheme"]
    assert {"insecureSkipVerify": True} == endpoint["tlsConfig"]


def test_a_scheme_can_be_said() -> None:
    """The chart cannot read a web config file that says TLS."""
    values = {
        "config": {"http": {"web_config_file": "/etc/tls/web.yaml"}},
        "podMonitor": {"enabled": True, "scheme": "https"},
    }
    (endpoint,) = k8s.only(k8s.render(values), "PodMonitor")["spec"]["podMetricsEndpoints"]

    assert "https" == endpoint["scheme"]


def rules(**wanted: Any) -> list[dict[str, Any]]:
    """Give the groups of the rendered rules."""
    manifests = k8s.render({"prometheusRule": {"enabled": True, **wanted}})
    groups: list[dict[str, Any]] = k8s.only(manifests, "PrometheusRule")["spec"]["groups"]
    return groups


def groups_of(name: str) -> list[dict[str, Any]]:
    """Give the groups of a file in deploy/prometheus."""
    text = (DEPLOY / "prometheus" / name).read_text(encoding="utf-8")
    groups: list[dict[str, Any]] = yaml.safe_load(text)["groups"]
    return groups


def test_the_rules_are_those_of_prometheus() -> None:
    """Alerts and recording rules arrive as they were tested: Helm fills in nothing."""
    assert groups_of("alerts.yaml") + groups_of("rules.yaml") == rules()


def test_prometheus_takes_the_rendered_rules() -> None:
    """Promtool reads what the operator would hand on."""
    promtool = program("prometheus", "promtool")
    text = json.dumps({"groups": rules(alertLabels={"team": "storage"})})
    done = k8s.run([promtool, "check", "rules", "--lint=all", "/dev/stdin"], text)

    assert 0 == done.returncode, done.stdout + done.stderr


def test_alerts_can_be_left_out_and_labelled() -> None:
    """A disabled alert is gone, the others carry the label, and the recording rules can go, too."""
    unwanted = "UploadJanitorStaleBytesGrowing"
    found = rules(
        disabledAlerts=[unwanted],
        alertLabels={"team": "storage", "severity": "page"},
        recordingRules=False,
    )
    alerts = [rule for group in found for rule in group["rules"]]
    known = [rule["alert"] for group in groups_of("alerts.yaml") for rule in group["rules"]]

    assert [name for name in known if name != unwanted] == [rule["alert"] for rule in alerts]
    assert {("storage", "page")} == {
        (one["labels"]["team"], one["labels"]["severity"]) for one in alerts
    }


def test_runbooks_can_be_elsewhere() -> None:
    """Each alert links to the page of its own name."""
    found = rules(runbookBaseUrl="https://wiki.example/runbooks/", recordingRules=False)
    links = {
        rule["alert"]: rule["annotations"]["runbook_url"]
        for group in found
        for rule in group["rules"]
    }

    assert {name: f"https://wiki.example/runbooks/{name}.md" for name in links} == links
    assert "summary" in found[0]["rules"][0]["annotations"]


def test_an_alert_that_does_not_exist_cannot_be_disabled() -> None:
    """A misspelled name is told, with the names that there are."""
    said = k8s.refusal(
        {"prometheusRule": {"enabled": True, "disabledAlerts": ["UploadJanitorDwn"]}}
    )

    assert "names UploadJanitorDwn, but there is no such alert; there are: " in said
    assert "UploadJanitorDown" in said


def test_the_dashboard_is_the_one_of_grafana() -> None:
    """The sidecar finds it by its label, in the namespace that was named."""
    manifests = k8s.render(CASES["dashboard"])
    found = [one for one in manifests if "dashboard" in one["metadata"]["name"]]
    original = (DEPLOY / "grafana" / "upload-janitor.json").read_text(encoding="utf-8")

    assert [json.loads(original)] == [
        json.loads(one["data"]["upload-janitor.json"]) for one in found
    ]
    assert ["1"] == [one["metadata"]["labels"]["grafana_dashboard"] for one in found]


def policy(case: str) -> dict[str, Any]:
    """Give the spec of a case's network policy."""
    spec: dict[str, Any] = k8s.only(k8s.render(CASES[case]), "NetworkPolicy")["spec"]
    return spec


def let_out(case: str) -> list[int]:
    """Give the TCP ports that are open to everywhere, without DNS."""
    return [
        one["port"]
        for rule in policy(case)["egress"]
        if "to" not in rule
        for one in rule["ports"]
        if one["port"] != 53
    ]


def test_only_prometheus_gets_in() -> None:
    """The one way in is the metrics port, from the namespace that was named."""
    assert [
        {
            "from": [
                {
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": "monitoring"}
                    }
                }
            ],
            "ports": [{"port": "http", "protocol": "TCP"}],
        }
    ] == policy("network-policy")["ingress"]


@pytest.mark.parametrize("case", ["network-policy-cronjob", "network-policy-all"])
def test_nobody_gets_in_where_nobody_was_named_or_nothing_listens(case: str) -> None:
    """An empty list of those who may is nobody, though Kubernetes would read it as everybody."""
    assert [] == policy(case)["ingress"]
    assert ["Ingress", "Egress"] == policy(case)["policyTypes"]


@pytest.mark.parametrize(
    ("case", "ports"),
    [
        ("network-policy", [443]),
        ("network-policy-cronjob", [443, 9091, 9000]),
        ("network-policy-all", [443, 5432, 6443]),
    ],
)
def test_what_the_config_names_can_be_reached(case: str, ports: list[int]) -> None:
    """The ports of endpoints, of the Pushgateway, of PostgreSQL and of the API server are open."""
    assert ports == let_out(case)


def test_the_agent_of_pod_identity_can_be_reached() -> None:
    """It is no HTTPS, and on a link-local address."""
    (rule,) = [one for one in policy("network-policy-all")["egress"] if "169.254" in str(one)]

    assert [{"port": 80, "protocol": "TCP"}] == rule["ports"]
    assert {"to": [{"ipBlock": {"cidr": "192.0.2.0/24"}}]} in policy("network-policy-all")["egress"]
