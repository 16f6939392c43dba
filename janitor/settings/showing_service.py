"""The sections about the running service: who may ask it, what it measures, where that goes."""

from __future__ import annotations

from typing import Any

from janitor.settings.quantities import write_duration
from janitor.settings.types import Election, Http, Push, Settings, Tls
from janitor.settings.yaml_text import Noted

_SHORT = ("h", "min", "s")
_CLIENTS = {
    "none": "no client certificates",
    "optional": "client certificates checked if given",
    "required": "client certificates required",
}


def service_sections(settings: Settings) -> dict[str, Any]:
    """Give the sections as they are written, users as their number only."""
    metrics, prices = settings.metrics, settings.prices
    price = prices.per_gib_month
    return {
        "http": _http(settings.http),
        "metrics": {"detail": metrics.detail, "max_containers": metrics.max_containers},
        "prices": {
            "currency": prices.currency,
            "per_gib_month": Noted(None, "nothing is estimated") if price is None else price,
        },
        "push": _push(settings.push),
        "leader_election": _election(settings.election),
        "audit": {"file": settings.audit_file},
        "log": {"format": settings.log.format, "level": settings.log.level},
    }


def _http(http: Http) -> dict[str, Any]:
    host = f"[{http.host}]" if ":" in http.host else http.host
    own = None if http.web_config_file else http.tls
    users = http.users_file and Noted(http.users_file, _users(http))
    return {
        "listen": f"{host}:{http.port}",
        "tls_cert": own and own.cert,
        "tls_key": own and own.key,
        "tls_client_ca": own and own.client_ca,
        "basic_auth_users_file": users,
        "web_config_file": http.web_config_file
        and Noted(http.web_config_file, f"{_tls(http.tls)}; {_users(http)}"),
    }


def _users(http: Http) -> str:
    return f"users: {len(http.users)}" if http.users else "no users, so everybody may read"


def _tls(tls: Tls | None) -> str:
    if tls is None:
        return "no TLS"
    return f"TLS from {tls.min_version[-2]}.{tls.min_version[-1]} on, {_CLIENTS[tls.client_auth]}"


def _push(push: Push) -> dict[str, Any]:
    return {
        "pushgateway_url": push.pushgateway_url,
        "job": push.job,
        "grouping": dict(push.grouping),
        "delete_on_success": push.delete_on_success,
        "textfile": push.textfile,
    }


def _election(election: Election | None) -> Any:
    if election is None:
        return Noted(None, "off")
    return {
        "lease": election.lease,
        "namespace": Noted(None, "the pod's own")
        if election.namespace is None
        else election.namespace,
        "duration": write_duration(election.duration, _SHORT),
    }
