"""Settings as YAML that can be loaded again, apart from the secrets, which are stars."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from janitor.matching import Match, Pattern
from janitor.policy import FLOOR, Policy, Rule
from janitor.settings.expanding import grouped
from janitor.settings.ledger_url import NONE, without_passwords
from janitor.settings.quantities import write_duration, write_share, write_size
from janitor.settings.showing_service import service_sections
from janitor.settings.types import Schedule, Settings
from janitor.settings.yaml_text import Noted, write_yaml
from janitor.targets import (
    AwsIdentity,
    Credentials,
    Execution,
    GlacierOptions,
    QingStorOptions,
    Reach,
    S3Options,
    Target,
)

STARS = "***"
_SHORT = ("h", "min", "s")
_TWO_DAYS = timedelta(days=2)


def write_settings(settings: Settings) -> str:
    """Write effective settings, with every default."""
    return write_yaml(_settings(settings))


def _settings(settings: Settings) -> dict[str, Any]:
    common = _common_rules(settings.targets)
    return {
        "version": 1,
        "mode": settings.mode,
        "ledger": NONE if settings.ledger is None else without_passwords(settings.ledger),
        "schedule": _schedule(settings.schedule),
        "limits": {
            "aborts_per_run": _limit(settings.limits.aborts_per_run),
            "aborts_per_day": _limit(settings.limits.aborts_per_day),
            "share_of_listed": _limit(settings.limits.share_of_listed, write_share),
            "bytes_per_run": _limit(settings.limits.bytes_per_run, write_size),
        },
        **({"policy": {"rules": [_rule(rule) for rule in common]}} if common else {}),
        "targets": [
            _entry(target, accounts, len(common)) for target, accounts in grouped(settings.targets)
        ],
        **service_sections(settings),
        "execution": _execution(settings.execution),
    }


def _limit(limit: Any, write: Any = int) -> Any:
    if limit is None:
        return Noted(None, "unlimited")
    return write(limit) if limit else Noted(write(limit), "none")


def _schedule(schedule: Schedule) -> dict[str, Any]:
    every = schedule.every
    return {
        "cron": schedule.cron,
        "every": None if every is None else write_duration(every, ("d", "h", "min")),
        "timezone": schedule.timezone,
        "jitter": write_duration(schedule.jitter, _SHORT),
        "at_start": schedule.at_start,
    }


def _execution(execution: Execution) -> dict[str, Any]:
    return {
        "concurrency": execution.concurrency,
        "requests_per_second": _rate(execution.requests_per_second),
        "container_reads_per_second": _rate(execution.container_reads_per_second),
        "container_writes_per_second": _rate(execution.container_writes_per_second),
        "backend": execution.backend,
        "workers": Noted(None, "as many as there are")
        if execution.workers is None
        else execution.workers,
        "dask": None if execution.dask is None else asdict(execution.dask),
        "connect_timeout": write_duration(execution.connect_timeout, _SHORT),
        "read_timeout": write_duration(execution.read_timeout, _SHORT),
        "target_timeout": write_duration(execution.target_timeout, _SHORT),
        "run_timeout": write_duration(execution.run_timeout, _SHORT),
    }


def _rate(rate: float | str | None) -> Any:
    return Noted(None, "unlimited") if rate is None else rate


def _entry(target: Target, accounts: Sequence[str], common: int) -> dict[str, Any]:
    """Write an entry; one that stands for several accounts as it was."""
    found = _target(target, common)
    if target.fleet is None:
        return found
    role = found["assume_role"] | {"role_arn": target.fleet.role_arn}
    of_one = ("name", "assume_role", "expected_owner", "account_id", "caller_account")
    rest = {name: value for name, value in found.items() if name not in of_one}
    return {
        "name": target.fleet.name,
        "accounts": list(accounts),
        "assume_role": role,
        **rest,
    }


def _target(target: Target, common: int) -> dict[str, Any]:
    keyed = target.provider != "glacier"
    return {
        "name": target.name,
        "provider": target.provider,
        ("buckets" if keyed else "vaults"): list(target.containers),
        "exclude": list(target.exclude),
        **({"prefix": target.prefix} if keyed else {}),
        "page_size": Noted(None, "the provider's own")
        if not target.page_size
        else target.page_size,
        **_options(target),
        "transport": target.options.transport,
        **_floor(target.policy),
        "price_per_gib_month": Noted(None, "that of prices")
        if target.price_per_gib_month is None
        else target.price_per_gib_month,
        "policy": _policy(target.policy, common),
    }


def _options(target: Target) -> dict[str, Any]:
    # What is plain http has been allowed to be.
    http = _says_http(target)
    match target.options:
        case GlacierOptions() as options:
            own = {"region": options.region, "account_id": options.account_id}
            return own | _identity(options.identity) | _reach(options.reach, http=http)
        case S3Options() as options:
            own_s3: dict[str, Any] = {
                "region": options.region,
                "addressing": options.addressing,
                "signature_version": options.signature_version,
                "expected_owner": options.expected_owner,
                "request_payer": options.request_payer,
                "finished_object_check": options.finished_object_check,
                "listing": options.listing,
            }
            return own_s3 | _identity(options.identity) | _reach(options.reach, http=http)
        case QingStorOptions() as options:
            return _qingstor(options) | _reach(options.reach, http=http)


def _says_http(target: Target) -> bool:
    options = target.options
    urls = [options.reach.endpoint_url]
    if isinstance(options, QingStorOptions):
        urls.append(f"{options.protocol}:")
    else:
        urls.append(options.identity.sts_endpoint_url)
        role = options.identity.assume_role
        urls.append(None if role is None else role.sts_endpoint_url)
    return any(url is not None and url.lower().startswith("http:") for url in urls)


def _qingstor(options: QingStorOptions) -> dict[str, Any]:
    address: dict[str, Any] = {
        "host": options.host,
        "port": options.port,
        "protocol": options.protocol,
        "addressing": options.addressing,
    }
    zone = {} if options.reach.endpoint_url and not options.zone else {"zone": options.zone}
    by_url = options.reach.endpoint_url is not None
    return zone | ({} if by_url else address) | _credentials(options.credentials)


def _identity(identity: AwsIdentity) -> dict[str, Any]:
    role = identity.assume_role
    return {
        "profile": identity.profile,
        **_credentials(identity.credentials),
        "assume_role": None
        if role is None
        else {
            "role_arn": role.role_arn,
            "external_id": role.external_id,
            "session_name": role.session_name,
            "sts_endpoint_url": role.sts_endpoint_url,
        },
        "caller_account": identity.caller_account,
        "sts_endpoint_url": identity.sts_endpoint_url,
    }


def _credentials(credentials: Credentials | None) -> dict[str, Any]:
    if credentials is None:
        return {}
    token = {} if credentials.session_token is None else {"session_token": STARS}
    return {"access_key_id": STARS, "secret_access_key": STARS, **token}


def _reach(reach: Reach, *, http: bool) -> dict[str, Any]:
    proxy = reach.proxy_url
    return {
        "endpoint_url": reach.endpoint_url,
        "allow_http": http,
        "ca_file": reach.ca_file,
        "proxy_url": None if proxy is None else re.sub("//.*@", f"//{STARS}@", proxy),
        "proxy_from_environment": reach.proxy_from_environment,
    }


def _floor(policy: Policy) -> dict[str, Any]:
    if policy.minimum_age == FLOOR:
        return {"unsafe_min_age": Noted(None, "nothing younger than 24h is aborted")}
    return {"unsafe_min_age": _threshold(policy.minimum_age)}


def _policy(policy: Policy, common: int) -> dict[str, Any]:
    own = policy.rules[: len(policy.rules) - common]
    return {
        "stale_after": _threshold(policy.stale_after),
        "idle_for": _idle(policy.idle_for),
        "grace": _threshold(policy.grace),
        "rules": [_rule(rule) for rule in own],
    }


def _common_rules(targets: Sequence[Target]) -> Sequence[Rule]:
    """Give the rules that all targets end with, which are the global ones or as good as them."""
    first = targets[0].policy.rules
    for start in range(len(first)):
        common = first[start:]
        if all(target.policy.rules[-len(common) :] == common for target in targets):
            return common
    return ()


def _threshold(length: timedelta) -> str:
    return write_duration(length, ("d", "h") if length >= _TWO_DAYS else ("h",))


def _idle(idle_for: timedelta | None) -> Any:
    return Noted("off", "age alone decides") if idle_for is None else _threshold(idle_for)


def _rule(rule: Rule) -> dict[str, Any]:
    found: dict[str, Any] = {"name": rule.name, "match": _match(rule.match)}
    if rule.keep:
        found["action"] = "keep"
    if rule.stale_after is not None:
        found["stale_after"] = _threshold(rule.stale_after)
    if rule.judge_by_age_alone or rule.idle_for is not None:
        found["idle_for"] = _idle(rule.idle_for)
    return found


def _match(match: Match) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name in match.__dataclass_fields__:
        value = getattr(match, name)
        if isinstance(value, Pattern):
            found[name] = value.text
        elif value is not None:
            found[name] = write_size(value) if isinstance(value, int) else value
    return found
