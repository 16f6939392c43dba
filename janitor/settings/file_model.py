"""The top-level keys of a config file."""

from __future__ import annotations

from typing import Annotated, Literal

from janitor.settings.fields import (
    Bool,
    Cron,
    DaskAddress,
    Interval,
    Jitter,
    Ledger,
    NotYet,
    Rate,
    RateOrAuto,
    Share,
    ShortTime,
    Size,
    Text,
    Timezone,
    Version,
    choice,
    number,
)
from janitor.settings.policy_models import PolicyModel
from janitor.settings.section import Section, optional, required
from janitor.settings.service_models import (
    AuditModel,
    ElectionModel,
    HttpModel,
    LogModel,
    MetricsModel,
    PricesModel,
    PushModel,
)
from janitor.settings.target_models import AnyTarget
from janitor.settings.types import DEFAULT_LEDGER


class ScheduleModel(Section):
    """When `janitor serve` sweeps; one of `cron` and `every`."""

    cron: Cron | None = optional(
        "Five fields with the meaning of a Kubernetes CronJob", examples=["17 */6 * * *"]
    )
    every: Interval | None = optional("Time between two sweeps, in min, h or d; 6h without cron")
    timezone: Timezone = optional("Time zone of cron, for example Europe/Berlin", "UTC")
    jitter: Jitter = optional("Starts up to this much later, at random, in s, min or h", 0)
    at_start: Bool = optional("Sweep as soon as the daemon is up", default=True)


class LimitsModel(Section):
    """How much one run may do; null is unlimited, 0 is none."""

    aborts_per_run: Annotated[int | None, number(0)] | None = optional("Most aborts of one run")
    aborts_per_day: Annotated[int | None, number(0)] | None = optional(
        "Most aborts in 24 h, over all runs; counted in the ledger"
    )
    share_of_listed: Share | None = optional(
        "Touch nothing on a target if more than this share of it would go", examples=["50%"]
    )
    bytes_per_run: Size | None = optional("Most bytes that one run frees", examples=["500GiB"])


class DaskModel(Section):
    """A Dask cluster, and the files for TLS, relative to the config."""

    scheduler: DaskAddress = required(
        "Where the scheduler listens; tcp:// on a loopback address only",
        examples=["tls://dask-scheduler:8786"],
    )
    ca_file: Text = optional("Certificates of the authority of scheduler and workers, in PEM")
    cert_file: Text = optional("Certificate of the janitor, in PEM")
    key_file: Text = optional("Key of that certificate, in PEM, without a password")


class ExecutionModel(Section):
    """How hard to work, and when to give up."""

    concurrency: Annotated[int | None, number(1, 1024)] = optional(
        "Most requests in flight at once, to all targets together; each gets as many as it bears",
        256,
    )
    requests_per_second: Rate | None = optional(
        "Most requests a second to each target, evenly spaced; null is unlimited"
    )
    container_reads_per_second: RateOrAuto | None = optional(
        "Most reads a second of each bucket or vault; auto: 5500 on S3 of AWS, as documented, and "
        "unlimited elsewhere; null is unlimited",
        "auto",
    )
    container_writes_per_second: RateOrAuto | None = optional(
        "Most aborts a second in each bucket or vault; auto: 3500 on S3 of AWS, as documented, and "
        "unlimited elsewhere; null is unlimited",
        "auto",
    )
    backend: Annotated[
        Literal["threads", "processes", "dask"] | None,
        choice("must be threads, processes or dask", "threads", "processes", "dask"),
    ] = optional(
        "What makes the requests: threads of one process, several processes of this machine, or "
        "the workers of a Dask cluster",
        "threads",
    )
    workers: Annotated[int | None, number(1, 1024)] | None = optional(
        "How many processes, or workers of a Dask cluster; null: one for each CPU, or all workers. "
        "They share concurrency and the rates"
    )
    dask: DaskModel | None = optional("The cluster, for backend: dask")
    connect_timeout: ShortTime = optional("For a connection, in s, min or h", "5s")
    read_timeout: ShortTime = optional("For a silent connection, in s, min or h", "60s")
    target_timeout: ShortTime = optional("For one container, in s, min or h", "1h")
    run_timeout: ShortTime = optional("For a whole sweep, in s, min or h", "6h")


class FileModel(Section):
    """The config of the upload janitor."""

    version: Version = required("Version of the config's language")
    mode: Annotated[
        Literal["report", "enforce"] | None,
        choice(
            "say report (look, change nothing) or enforce (abort what is stale)",
            "report",
            "enforce",
        ),
    ] = optional("report: look and change nothing; enforce: abort what is stale", "report")
    ledger: Ledger = optional(
        "What is remembered between runs: sqlite:///PATH, relative to the current directory (with "
        "four slashes absolute), or postgresql+psycopg://user@host/database; none: nothing",
        DEFAULT_LEDGER,
    )
    schedule: ScheduleModel = optional("When janitor serve sweeps")
    policy: PolicyModel = optional("What makes an upload stale, on every target")
    limits: LimitsModel = optional("How much one run may do; null is unlimited, 0 is none")
    targets: list[AnyTarget] = required("What to sweep, and how to reach it", minItems=1)
    http: HttpModel = optional("Where janitor serve answers for metrics and health, and to whom")
    metrics: MetricsModel = optional("How finely metrics tell about containers")
    prices: PricesModel = optional("What storage costs; a target can have a price of its own")
    push: PushModel | None = optional("Where janitor sweep leaves its metrics")
    leader_election: ElectionModel | None = optional(
        "Of several janitor serve, let the holder of a Lease of Kubernetes sweep; null is off"
    )
    audit: AuditModel | None = optional("A trail of JSON lines, besides the ledger")
    log: LogModel = optional("What goes to standard error, and how")
    notify: NotYet = optional("Not part of this version yet")
    execution: ExecutionModel = optional("How hard to work, and when to give up")
