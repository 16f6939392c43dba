"""Makes the frozen settings from checked sections. Finds no problems: all have been found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from janitor.matching import Match
from janitor.plan import Limits
from janitor.policy import Policy, Rule
from janitor.settings import ledger_url
from janitor.settings.credentials import NAMES
from janitor.settings.expanding import expanded
from janitor.settings.file_model import ExecutionModel, ScheduleModel
from janitor.settings.merging import effective, floor_of, rules_of
from janitor.settings.policy_models import PolicyModel, RuleModel
from janitor.settings.sections import Sections, TargetSection
from janitor.settings.service_models import AuditModel, HttpModel, PushModel
from janitor.settings.side_files import Beside
from janitor.settings.target_checks import containers_of
from janitor.settings.target_models import AssumeRoleModel, GlacierModel, QingStorModel, S3Model
from janitor.settings.types import (
    DEFAULT_LEDGER,
    Election,
    Exposition,
    Http,
    Log,
    Prices,
    Push,
    Schedule,
    Settings,
)
from janitor.settings.web_files import Web
from janitor.targets import (
    AssumeRole,
    AwsIdentity,
    Credentials,
    Dask,
    Execution,
    GlacierOptions,
    Options,
    QingStorOptions,
    Reach,
    S3Options,
    Target,
)

_HTTP_PORT = 80


def build(
    sections: Sections,
    credentials: Mapping[int, Credentials | None],
    web: Web,
    beside: Beside,
) -> Settings:
    """Make the settings; `credentials` are by position of target, `beside` is the config."""
    base = beside.directory
    targets = tuple(
        target
        for index in sorted(sections.targets)
        for target in _targets(sections, index, credentials[index], base)
    )
    usable = sections.usable
    election, audit = usable["leader_election"], usable["audit"] or AuditModel()
    return Settings(
        targets=targets,
        mode=usable["mode"] or "report",
        ledger=_ledger(usable["ledger"]),
        schedule=_schedule(usable["schedule"] or ScheduleModel()),
        limits=Limits(**_said(usable["limits"])),
        execution=_execution(usable["execution"], base),
        http=_http(usable["http"] or HttpModel(), web, base),
        metrics=Exposition(**_said(usable["metrics"])),
        prices=Prices(**_said(usable["prices"])),
        push=_push(usable["push"] or PushModel(), base),
        election=None if election is None else Election(**election.said()),
        audit_file=_path(audit.file, base),
        log=Log(**_said(usable["log"])),
        side_files=tuple(_side_files(sections, base)),
    )


def _side_files(sections: Sections, base: Path) -> Iterator[str]:
    """Name the files whose content is now in the settings; certificates are read by others."""
    http = sections.usable["http"] or HttpModel()
    for said in (http.basic_auth_users_file, http.web_config_file):
        if said is not None:
            yield str(base / said)
    for target in sections.targets.values():
        for name in (*NAMES, "accounts"):
            said = getattr(target, f"{name}_file", None)
            if said is not None:
                yield str(base / said)


def _said(section: Any) -> dict[str, Any]:
    """Give what a section says; the frozen types know the rest."""
    return {} if section is None else section.said()


def _ledger(said: str | None) -> str | None:
    return None if said == ledger_url.NONE else said or DEFAULT_LEDGER


def _execution(section: ExecutionModel | None, base: Path) -> Execution:
    said = _said(section)
    if section is not None and section.dask is not None:
        dask = section.dask
        files = [_path(path, base) for path in (dask.ca_file, dask.cert_file, dask.key_file)]
        said["dask"] = Dask(dask.scheduler, *files)
    return Execution(**said)


def _schedule(section: ScheduleModel) -> Schedule:
    said = {name: value for name, value in section.said().items() if value is not None}
    return Schedule(**({"every": None} | said if section.cron is not None else said))


def _http(section: HttpModel, web: Web, base: Path) -> Http:
    default = Http()
    host, port = section.listen or (default.host, default.port)
    return Http(
        host,
        port,
        tls=web.tls,
        users=web.users,
        users_file=_path(section.basic_auth_users_file, base),
        web_config_file=_path(section.web_config_file, base),
    )


def _push(section: PushModel, base: Path) -> Push:
    said = section.said()
    if "grouping" in said:
        said["grouping"] = tuple(sorted(said["grouping"].items()))
    return Push(**(said | {"textfile": _path(section.textfile, base)}))


def _path(said: str | None, base: Path) -> str | None:
    return None if said is None else str(base / said)


def _targets(
    sections: Sections, index: int, credentials: Credentials | None, base: Path
) -> Iterator[Target]:
    """Make the target of an entry, or one for each of its accounts."""
    target = _target(sections, index, credentials, base)
    accounts = sections.accounts.get(index)
    if accounts is None:
        yield target
    else:
        yield from expanded(target, accounts)


def _target(sections: Sections, index: int, credentials: Credentials | None, base: Path) -> Target:
    section = sections.targets[index]
    return Target(
        name=section.name,
        provider=section.provider,
        containers=tuple(containers_of(section)[1]),
        options=_options(section, credentials, base),
        policy=_policy(sections, index),
        exclude=tuple(section.exclude or ()),
        prefix="" if isinstance(section, GlacierModel) else section.prefix or "",
        page_size=section.page_size,
        price_per_gib_month=section.price_per_gib_month,
    )


def _policy(sections: Sections, index: int) -> Policy:
    own, common = sections.policy_of(index), sections.policy or PolicyModel()
    return Policy(
        stale_after=effective("stale_after", own, common),
        idle_for=effective("idle_for", own, common),
        grace=effective("grace", own, common),
        rules=tuple(_rule(rule) for _, rule in rules_of(sections, index)),
        minimum_age=floor_of(sections, index),
    )


def _rule(section: RuleModel) -> Rule:
    return Rule(
        name=section.name,
        match=Match(**section.match.said()),
        keep=section.action == "keep",
        stale_after=section.stale_after,
        idle_for=section.idle_for,
        judge_by_age_alone="idle_for" in section.model_fields_set and section.idle_for is None,
    )


def _options(section: TargetSection, credentials: Credentials | None, base: Path) -> Options:
    reach = Reach(
        endpoint_url=section.endpoint_url,
        ca_file=_path(section.ca_file, base),
        proxy_url=section.proxy_url,
        proxy_from_environment=section.proxy_from_environment or False,
    )
    match section:
        case GlacierModel():
            identity = _identity(section, credentials)
            return GlacierOptions(
                section.region,
                section.account_id or "-",
                reach,
                identity,
                **_only(section, ("transport",)),
            )
        case S3Model():
            identity = _identity(section, credentials)
            names = (
                "region",
                "addressing",
                "signature_version",
                "expected_owner",
                "request_payer",
                "finished_object_check",
                "transport",
                "listing",
            )
            return S3Options(reach=reach, identity=identity, **_only(section, names))
        case QingStorModel():
            return _qingstor(section, credentials, reach)


def _qingstor(
    section: QingStorModel, credentials: Credentials | None, reach: Reach
) -> QingStorOptions:
    if credentials is None:  # checked before; here for the reader and the type checker
        msg = "QingStor has no credentials of its own"
        raise ValueError(msg)
    said = _only(section, ("host", "port", "protocol", "addressing", "transport"))
    if section.protocol == "http":
        said.setdefault("port", _HTTP_PORT)
    return QingStorOptions(section.zone or "", credentials, reach=reach, **said)


def _identity(section: GlacierModel | S3Model, credentials: Credentials | None) -> AwsIdentity:
    return AwsIdentity(
        profile=section.profile,
        credentials=credentials,
        assume_role=_role(section.assume_role, section.sts_endpoint_url),
        caller_account=section.caller_account,
        sts_endpoint_url=section.sts_endpoint_url,
    )


def _role(section: AssumeRoleModel | None, sts_endpoint_url: str | None) -> AssumeRole | None:
    if section is None:
        return None
    sts = section.sts_endpoint_url or sts_endpoint_url
    return AssumeRole(**{**section.said(), "sts_endpoint_url": sts})


def _only(section: TargetSection, names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in section.said().items() if name in names}
