"""The few kinds of panels that the dashboard is made of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from grafana_foundation_sdk.builders import (
    bargauge,
    common,
    prometheus,
    stat,
    table,
    timeseries,
)
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models import common as looks
from grafana_foundation_sdk.models import dashboard as model
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

Panel = Builder[model.Panel]
# From which value on which colour; None is where the first one begins.
Steps = Sequence[tuple[float | None, str]]
# An expression, and what to call its series.
Query = tuple[str, str]

SOURCE = model.DataSourceRef(type_val="prometheus", uid="${datasource}")
FINE: Steps = ((None, "green"),)
_STAT, _GRAPH, _TABLE = (4, 4), (8, 12), (10, 24)


def number(title: str, text: str, query: Query, unit: str, steps: Steps = FINE) -> stat.Panel:
    """Show the newest value, large; series with a name each under it."""
    named = looks.BigValueTextMode.VALUE_AND_NAME if query[1] else looks.BigValueTextMode.VALUE
    return (
        stat.Panel()
        .title(title)
        .description(text)
        .datasource(SOURCE)
        .height(_STAT[0])
        .span(_STAT[1])
        .unit(unit)
        .thresholds(_thresholds(steps))
        .color_scheme(build.FieldColor().mode(model.FieldColorModeId.THRESHOLDS))
        .graph_mode(looks.BigValueGraphMode.NONE)
        .text_mode(named)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(query, "A").instant())
    )


def word(title: str, text: str, query: Query, words: Mapping[str, tuple[str, str]]) -> stat.Panel:
    """Show a number as the word and colour that it stands for; without words, the series' name."""
    panel = number(title, text, query, "none")
    if not words:
        return panel.text_mode(looks.BigValueTextMode.NAME)
    meanings = {
        value: model.ValueMappingResult(text=name, color=color, index=index)
        for index, (value, (name, color)) in enumerate(words.items())
    }
    return panel.mappings([model.ValueMap(options=meanings)])


def bars(title: str, text: str, query: Query, steps: Steps) -> bargauge.Panel:
    """Show shares between 0 and 1 as bars."""
    return (
        bargauge.Panel()
        .title(title)
        .description(text)
        .datasource(SOURCE)
        .height(_STAT[0])
        .span(2 * _STAT[1])
        .unit("percentunit")
        .min(0)
        .max(1)
        .no_value("no limit is set")
        .thresholds(_thresholds(steps))
        .orientation(looks.VizOrientation.HORIZONTAL)
        .reduce_options(common.ReduceDataOptions().calcs(["lastNotNull"]))
        .with_target(_query(query, "A").instant())
    )


def graph(
    title: str, text: str, unit: str, *queries: Query, stacked: bool = False, width: int = _GRAPH[1]
) -> timeseries.Panel:
    """Show values over time, each with its newest and its largest in the legend."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(text)
        .datasource(SOURCE)
        .height(_GRAPH[0])
        .span(width)
        .unit(unit)
        .min(0)
        .fill_opacity(20 if stacked else 0)
        .show_points(looks.VisibilityMode.AUTO)
        .tooltip(common.VizTooltipOptions().mode(looks.TooltipDisplayMode.MULTI))
        .legend(_legend())
    )
    if stacked:
        panel.stacking(common.StackingConfig().mode(looks.StackingMode.NORMAL))
    for ref, query in zip("ABCDEFGH", queries, strict=False):
        panel.with_target(_query(query, ref))
    return panel


def list_of(
    title: str, text: str, queries: Iterable[tuple[str, str, str]], hidden: Iterable[str] = ()
) -> table.Panel:
    """Show one row per set of labels; each query gives a column: its expression, name and unit.

    A column without a name is for the labels of its query alone.
    """
    panel = table.Panel().title(title).description(text).datasource(SOURCE)
    panel.height(_TABLE[0]).span(_TABLE[1]).filterable(filterable=True)
    panel.show_header(show_header=True)
    names: dict[str, str] = {}
    dropped = {"Time": True} | dict.fromkeys(hidden, True)
    for ref, (expression, name, unit) in zip("ABCDEFGH", queries, strict=False):
        panel.with_target(_query((expression, ""), ref).instant().format(PromQueryFormat.TABLE))
        if name:
            names[f"Value #{ref}"] = name
            panel.override_by_name(name, [model.DynamicConfigValue("unit", unit)])
        else:
            dropped[f"Value #{ref}"] = True
    panel.with_transformation(model.DataTransformerConfig(id_val="merge", options={}))
    wanted = {"excludeByName": dropped, "renameByName": names, "indexByName": {}}
    panel.with_transformation(model.DataTransformerConfig(id_val="organize", options=wanted))
    return panel


def _query(query: Query, ref: str) -> prometheus.Dataquery:
    made = prometheus.Dataquery().datasource(SOURCE).expr(query[0]).ref_id(ref)
    return made.legend_format(query[1]) if query[1] else made


def _legend() -> common.VizLegendOptions:
    legend = common.VizLegendOptions().display_mode(looks.LegendDisplayMode.TABLE)
    return legend.placement(looks.LegendPlacement.BOTTOM).calcs(["lastNotNull", "max"])


def _thresholds(steps: Steps) -> build.ThresholdsConfig:
    chosen = [model.Threshold(value=value, color=color) for value, color in steps]
    return build.ThresholdsConfig().mode(model.ThresholdsMode.ABSOLUTE).steps(chosen)
