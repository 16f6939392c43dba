"""What no single key of a target can know: contradictions, and names that can match nothing."""

from __future__ import annotations

from collections.abc import Iterator

from janitor.matching import Pattern, Ternary
from janitor.policy import FLOOR
from janitor.settings import addresses
from janitor.settings.names import COMPATIBLE, NAMINGS, objection
from janitor.settings.problems import Finding, KeyPath
from janitor.settings.sections import Sections, TargetSection
from janitor.settings.target_models import GlacierModel, QingStorModel, S3Model
from janitor.targets import is_glob

_AWS_REGION_PARTS = 3
_PLAIN_HTTP = "would send requests in the clear: say https, or allow_http: true on this target"


def check_targets(sections: Sections) -> Iterator[Finding]:
    """Check every target that can be read, and their names against each other."""
    yield from _check_names(sections)
    for index, target in sections.targets.items():
        path = ("targets", index)
        yield from _check_containers(path, target)
        yield from _check_reach(path, target)
        if isinstance(target, QingStorModel):
            yield from _check_qingstor(path, target)
        else:
            yield from _check_aws(path, target)


def containers_of(target: TargetSection) -> tuple[str, list[str]]:
    """Give the key that names the containers, and the names."""
    if isinstance(target, GlacierModel):
        return "vaults", target.vaults
    return "buckets", target.buckets


def _check_names(sections: Sections) -> Iterator[Finding]:
    if sections.usable.get("targets") == []:
        yield Finding(("targets",), "is empty: say at least one target")
    seen: set[str] = set()
    for index in sections.names:
        names = sections.names_of(index) or ()
        if not seen.isdisjoint(names):
            sentence = "is the name of another target: rename one"
            yield Finding(("targets", index, "name"), sentence)
        seen.update(names)


def _check_containers(path: KeyPath, target: TargetSection) -> Iterator[Finding]:
    key, names = containers_of(target)
    compatible = target.provider == "s3" and target.endpoint_url is not None
    naming = COMPATIBLE if compatible else NAMINGS[target.provider]
    if not names:
        yield Finding((*path, key), f'is empty: say [name], or ["*"] for all {naming.kind}s')
    for list_key, entries in ((key, names), ("exclude", target.exclude or [])):
        for position, name in enumerate(entries):
            place = (*path, list_key, position)
            sentence = objection(name, naming)
            if sentence is not None:
                yield Finding(place, sentence)
            elif name in entries[:position]:
                yield Finding(place, "is in the list twice: remove one")
            elif list_key == key and not is_glob(name) and _is_excluded(name, target):
                yield Finding(place, "is excluded by exclude: remove it here or there")


def _is_excluded(name: str, target: TargetSection) -> bool:
    # Globs that are not usable are reported on their own.
    naming = COMPATIBLE
    globs = [glob for glob in target.exclude or [] if objection(glob, naming) is None]
    return any(Pattern(glob).test(name) is Ternary.YES for glob in globs)


def _check_reach(path: KeyPath, target: TargetSection) -> Iterator[Finding]:
    if target.endpoint_url is not None and not _is_safe(target.endpoint_url, target):
        yield Finding((*path, "endpoint_url"), _PLAIN_HTTP)
    if target.proxy_url is not None and target.proxy_from_environment:
        sentence = "contradicts proxy_url: keep one of the two"
        yield Finding((*path, "proxy_from_environment"), sentence)
    if target.unsafe_min_age is not None and target.unsafe_min_age >= FLOOR:
        sentence = "only goes below the floor of 24h: remove it, and say stale_after instead"
        yield Finding((*path, "unsafe_min_age"), sentence)


def _is_safe(url: str, target: TargetSection) -> bool:
    plain = addresses.is_plain_http(url)
    return not plain or addresses.is_loopback(url) or target.allow_http is True


def _check_qingstor(path: KeyPath, target: QingStorModel) -> Iterator[Finding]:
    if (target.prefix or "").startswith("/"):
        sentence = "can match nothing: QingStor's keys do not begin with /, remove it"
        yield Finding((*path, "prefix"), sentence)
    if target.endpoint_url is not None:
        for name in ("protocol", "host", "port"):
            if name in target.model_fields_set:
                yield Finding((*path, name), "contradicts endpoint_url, which says it: remove one")
        if target.addressing == "virtual":
            sentence = "contradicts endpoint_url, which means path: remove one"
            yield Finding((*path, "addressing"), sentence)
        return
    if target.zone is None:
        yield Finding((*path, "zone"), "is missing: say for example zone: pek3b")
    if target.zone == "" and target.host is None:
        sentence = "must not be empty: say for example pek3b, or host for a cloud without zones"
        yield Finding((*path, "zone"), sentence)
    if target.protocol == "http" and target.allow_http is not True:
        host = target.host or ""
        if not addresses.is_loopback(host):
            yield Finding((*path, "protocol"), _PLAIN_HTTP)


def _check_aws(path: KeyPath, target: GlacierModel | S3Model) -> Iterator[Finding]:
    for name in ("access_key_id", "access_key_id_file"):
        if target.profile is not None and name in target.model_fields_set:
            sentence = "contradicts profile, which has credentials of its own: keep one of the two"
            yield Finding((*path, name), sentence)
    if target.endpoint_url is None and target.region is not None and not _is_aws(target.region):
        sentence = "is not a region of AWS: say for example eu-west-1"
        yield Finding((*path, "region"), sentence)
    sts = target.assume_role.sts_endpoint_url if target.assume_role is not None else None
    if sts is not None and not _is_safe(sts, target):
        yield Finding((*path, "assume_role", "sts_endpoint_url"), _PLAIN_HTTP)
    if target.sts_endpoint_url is not None and not _is_safe(target.sts_endpoint_url, target):
        yield Finding((*path, "sts_endpoint_url"), _PLAIN_HTTP)
    if None not in (target.caller_account, target.endpoint_url) and not target.sts_endpoint_url:
        sentence = (
            "cannot be checked: with endpoint_url nobody knows where STS is, "
            "say sts_endpoint_url too, or remove it"
        )
        yield Finding((*path, "caller_account"), sentence)


def _is_aws(region: str) -> bool:
    *words, number = region.split("-")
    return len(words) >= _AWS_REGION_PARTS - 1 and number.isdigit() and region == region.lower()
