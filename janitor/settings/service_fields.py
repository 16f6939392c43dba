"""The types of the settings about the running service: names, labels, prices, paths."""

from __future__ import annotations

import math
import re
from datetime import timedelta
from typing import Annotated

from janitor.settings import addresses, quantities
from janitor.settings.environment import Filled
from janitor.settings.fields import Entry, Read, shape, text
from janitor.settings.quantities import Unusable

_DNS_LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
# As Kubernetes has it: the whole has a longest length, its labels have none.
_WORD = "[a-z0-9](?:[a-z0-9-]*[a-z0-9])?"
_DNS_NAME = rf"(?=.{{1,253}}$){_WORD}(?:\.{_WORD})*"
_HIGHEST_PRICE = 1_000_000
_SHORTEST_LEASE, _LONGEST_LEASE = timedelta(seconds=5), timedelta(minutes=5)

# Labels that the janitor's own series have: the Pushgateway writes the group's
# labels over them, and series that differ in nothing else become the same.
OWN_LABELS = frozenset(
    {
        "code",
        "container",
        "currency",
        "le",
        "limit",
        "mode",
        "operation",
        "outcome",
        "provider",
        "python_version",
        "quantile",
        "reason",
        "target",
        "version",
    }
)
JOB = "job"
LABEL = "[a-zA-Z_][a-zA-Z0-9_]*"
GROUPING_LABEL = rf"(?!__|(?:{'|'.join(sorted({JOB, *OWN_LABELS}))})$){LABEL}"


def price(value: object) -> float:
    """Read a price: a number from 0 to a million."""
    if isinstance(value, Filled) and re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not _is_price(value):
        msg = f"must be a number from 0 to {_HIGHEST_PRICE}, without quotes: say for example 0.023"
        raise Unusable(msg)
    return float(value)


def _is_price(value: float) -> bool:
    return 0 <= value <= _HIGHEST_PRICE and math.isfinite(value)


def lease_time(value: object) -> timedelta:
    """Read how long a Lease is held without being renewed."""
    found = quantities.short_time(value)
    if not _SHORTEST_LEASE <= found <= _LONGEST_LEASE:
        msg = "must be from 5s to 5min: say for example 15s"
        raise Unusable(msg)
    return found


def pushgateway(value: object) -> str:
    """Read the URL of a Pushgateway."""
    return addresses.pushgateway(text(value))


Price = Annotated[
    float | None, Read(price, {"type": "number", "minimum": 0, "maximum": _HIGHEST_PRICE})
]
Currency = Annotated[
    str | None, shape("[A-Z]{3}", "must be three capital letters: say for example USD or EUR")
]
Pushgateway = Annotated[
    str | None, Read(pushgateway, {"type": "string", "pattern": "^https?://[^?#@]+$"})
]
Grouping = dict[str, Entry]
LeaseName = Annotated[
    str,
    shape(
        _DNS_NAME, "must be a name that Kubernetes takes: say a-z, 0-9, - and ., as upload-janitor"
    ),
]
Namespace = Annotated[
    str | None,
    shape(_DNS_LABEL, "must be a namespace of Kubernetes: say a-z, 0-9 and -, at most 63"),
]
LeaseTime = Annotated[
    timedelta | None,
    Read(lease_time, {"type": "string", "pattern": f"^(?:{quantities.SHORT_TIME})$"}),
]
TextFile = Annotated[
    str | None,
    shape(
        r".*[^/]\.prom",
        "must end in .prom, or node_exporter does not read it: "
        "say for example /var/lib/node_exporter/upload-janitor.prom",
    ),
]
AuditFile = Annotated[
    str | None,
    shape(r"(?:.*/)?[^/]+", "must be a file: say for example /var/log/upload-janitor/audit.jsonl"),
]
