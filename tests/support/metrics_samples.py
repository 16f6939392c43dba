"""Metrics that have heard something, and how to read what they show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import choose_encoder

from janitor.model import ContainerRef, ContainerResult, TargetOutcome
from janitor.observe.events import Event
from janitor.observe.metrics import Metrics
from support.observe_script import NOW, finished


def metrics_after(*events: Event, mode: str = "report", **options: Any) -> Metrics:
    """Make metrics that have heard these events; `options` are those of `Metrics`."""
    metrics = Metrics(CollectorRegistry(), mode, now=lambda: NOW, **options)
    for event in events:
        metrics(event)
    return metrics


def metrics_of(results: Iterable[ContainerResult], **options: Any) -> Metrics:
    """Make metrics that have heard of one sweep with these results."""
    return metrics_after(finished(*results), **options)


def exposed(metrics: Metrics) -> str:
    """Give the whole exposition as text."""
    return generate_latest(metrics.registry).decode()


def exposed_openly(metrics: Metrics) -> str:
    """Give the whole exposition as OpenMetrics."""
    encode, _ = choose_encoder("application/openmetrics-text; version=1.0.0")
    return encode(metrics.registry).decode()


def value(
    metrics: Metrics, name: str, where: ContainerRef | None = None, /, **labels: str
) -> float | None:
    """Give one sample, None if there is none."""
    if where is not None:
        labels |= {
            "target": where.target,
            "provider": where.provider,
            "container": where.container,
        }
    return metrics.registry.get_sample_value(name, labels)


def shown(metrics: Metrics, name: str, *labels: str) -> dict[tuple[str, ...], float]:
    """Give all samples of one metric by these labels, which must tell them apart."""
    samples = [
        (tuple(sample.labels.get(label, "") for label in labels), sample.value)
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name
    ]
    found = dict(samples)
    assert len(found) == len(samples), "two samples have the same labels"
    return found


def total(metrics: Metrics, name: str, **labels: str) -> float:
    """Sum up all samples of a metric that have these labels; whole numbers stay exact."""
    return sum(
        sample.value
        for family in metrics.registry.collect()
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


def outcomes(metrics: Metrics, where: ContainerRef) -> dict[str, object]:
    """Give all outcomes that a container shows."""
    name = "janitor_target_outcome"
    found = {each: value(metrics, name, where, outcome=each) for each in TargetOutcome}
    return {outcome.value: number for outcome, number in found.items() if number is not None}


def only(outcome: str) -> dict[str, object]:
    """Give 1 for one outcome and 0 for all others."""
    return {each.value: float(each == outcome) for each in TargetOutcome}
