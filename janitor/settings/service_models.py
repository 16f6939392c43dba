"""The keys of the sections about the running service: who may ask it, and where metrics go."""

from __future__ import annotations

from typing import Annotated, Literal

from janitor.settings.fields import Bool, Listen, Text, choice, number
from janitor.settings.section import Section, optional, required
from janitor.settings.service_fields import (
    GROUPING_LABEL,
    AuditFile,
    Currency,
    Grouping,
    LeaseName,
    LeaseTime,
    Namespace,
    Price,
    Pushgateway,
    TextFile,
)


class HttpModel(Section):
    """Where `janitor serve` answers for metrics and health, and to whom."""

    listen: Listen = optional("host:port; [::1]:10079 for IPv6", "127.0.0.1:10079")
    tls_cert: Text | None = optional(
        "PEM file with the certificate and its chain; relative to this file"
    )
    tls_key: Text | None = optional(
        "PEM file with the certificate's key, not encrypted; relative to this file"
    )
    tls_client_ca: Text | None = optional(
        "PEM file with authorities: every client must bring a certificate of one of them; "
        "relative to this file"
    )
    basic_auth_users_file: Text | None = optional(
        "YAML file with basic_auth_users: {name: bcrypt hash}; relative to this file"
    )
    web_config_file: Text | None = optional(
        "Prometheus' web config file, instead of the four keys above; relative to this file"
    )


class MetricsModel(Section):
    """How finely metrics tell about containers."""

    detail: Annotated[
        Literal["container", "target", "provider"] | None,
        choice("say container, target or provider", "container", "target", "provider"),
    ] = optional("What one series stands for", "container")
    max_containers: Annotated[int | None, number(1, 100_000)] = optional(
        "Most containers with series of their own; the others of a target share one", 1000
    )


class PricesModel(Section):
    """What storage costs, for estimates in metrics and reports."""

    currency: Currency = optional("Three capital letters", "USD")
    per_gib_month: Price | None = optional(
        "Price of a GiB for a month; null is unknown, then nothing is estimated", examples=[0.023]
    )


class PushModel(Section):
    """Where `janitor sweep` leaves its metrics, because nobody can scrape it."""

    pushgateway_url: Pushgateway | None = optional(
        "A Pushgateway, without user and password", examples=["http://pushgateway.example:9091"]
    )
    job: Text = optional("The label job of what is pushed", "upload_janitor")
    grouping: Grouping = optional(
        "Further labels of the Pushgateway's group, which keep several janitors apart",
        {},
        examples=[{"instance": "archive"}],
        propertyNames={"pattern": f"^(?:{GROUPING_LABEL})$"},
    )
    delete_on_success: Bool = optional(
        "Delete the group from the Pushgateway after a sweep that was complete", default=False
    )
    textfile: TextFile | None = optional(
        "File in the textfile directory of node_exporter, ends in .prom; relative to this file"
    )


class ElectionModel(Section):
    """A Lease of Kubernetes: of several daemons, one sweeps."""

    lease: LeaseName = required("Name of the Lease, for example upload-janitor")
    namespace: Namespace | None = optional("Namespace of the Lease; null is the pod's own")
    duration: LeaseTime = optional(
        "Another daemon takes over when the Lease was not renewed for this long; 5s to 5min", "15s"
    )


class AuditModel(Section):
    """A trail of what was meant to be aborted, and what became of it."""

    file: AuditFile | None = optional(
        "File that JSON lines are added to, besides the ledger; relative to this file"
    )


class LogModel(Section):
    """What goes to standard error, and how."""

    format: Annotated[
        Literal["auto", "console", "json"] | None,
        choice("say auto, console or json", "auto", "console", "json"),
    ] = optional("auto: console on a terminal, else JSON", "auto")
    level: Annotated[
        Literal["debug", "info", "warning", "error"] | None,
        choice("say debug, info, warning or error", "debug", "info", "warning", "error"),
    ] = optional("The least important level that is logged", "info")
