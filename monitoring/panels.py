"""Definitions of dashboards and panels, and their rendering for Grafana: content here, layout in `render_dashboard`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from grafana_foundation_sdk.builders import prometheus, stat, table, timeseries
from grafana_foundation_sdk.builders.common import ReduceDataOptions, VizLegendOptions
from grafana_foundation_sdk.builders.dashboard import Dashboard, QueryVariable, Row
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SOURCE = DataSourceRef(type_val="prometheus", uid="prometheus")


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        title: What the panel shows.
        queries: PromQL queries, each with the legend of its series.
        unit: Grafana's identifier of the unit, such as `s`, `bytes`, `cps`.
        description: What the figures mean, and which values are normal.
        kind: `graph` for a time series, `figure` for current values, `table` for a table of labels.
        width: Width in Grafana's 24 columns.
    """

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str
    description: str
    kind: Literal["graph", "figure", "table"] = "graph"
    width: int = 8


@dataclass(frozen=True, slots=True)
class DashboardSpec:
    """One dashboard.

    Attributes:
        name: Name of the generated file, and Grafana's uid of the dashboard.
        title: Title in Grafana's list.
        description: The question that the dashboard answers.
        rows: Titles of the rows, each with its panels.
        variable: Label to filter by, and a series that carries it; None for no filter.
    """

    name: str
    title: str
    description: str
    rows: Sequence[tuple[str, Sequence[Panel]]]
    variable: tuple[str, str] | None = None


def render_dashboard(spec: DashboardSpec) -> str:
    """Return the JSON with which Grafana is provisioned; the output is deterministic."""
    dashboard = (
        Dashboard(spec.title)
        .uid(spec.name)
        .description(spec.description)
        .tags(["sharing"])
        .timezone("utc")
        .time("now-1h", "now")
        .refresh("15s")
        .readonly()
    )
    if spec.variable is not None:
        label, series = spec.variable
        dashboard.with_variable(
            QueryVariable(label)
            .label(label.capitalize())
            .datasource(SOURCE)
            .query(f"label_values({series}, {label})")
            .include_all(include_all=True)
            .all_value(".*")
            .multi(multi=True)
        )
    number = 0
    for title, panels in spec.rows:
        dashboard.with_row(Row(title))
        for panel in panels:
            number += 1
            dashboard.with_panel(_build_panel(panel).id(number))
    return JSONEncoder(sort_keys=True, indent=2).encode(dashboard.build()) + "\n"


def _build_panel(panel: Panel) -> timeseries.Panel | stat.Panel | table.Panel:
    built: timeseries.Panel | stat.Panel | table.Panel
    match panel.kind:
        case "graph":
            legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
            built = timeseries.Panel().legend(legend.show_legend(show_legend=True)).fill_opacity(10)
        case "figure":
            built = stat.Panel().reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        case "table":
            built = table.Panel()
    built.title(panel.title).description(panel.description).unit(panel.unit).datasource(SOURCE)
    built.height(8 if panel.kind == "graph" else 5).span(panel.width)
    for ref_id, (expr, legend_format) in zip("ABCDEF", panel.queries, strict=False):
        query = prometheus.Dataquery().expr(expr).legend_format(legend_format).ref_id(ref_id)
        if panel.kind == "graph":
            query.range()
        else:
            query.instant()
        if panel.kind == "table":
            query.format(PromQueryFormat.TABLE)
        built.with_target(query)
    return built
