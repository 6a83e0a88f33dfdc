"""How a panel of a dashboard is written, so that what is shown is told apart from how it looks."""

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
        title: What is seen.
        queries: PromQL, each with the legend of its series.
        unit: Grafana's name for it, such as `s`, `bytes`, `cps`.
        means: What it means, and what is well.
        kind: A graph over time, the figures of now, or a table of labels.
        width: Of the 24 columns.
    """

    title: str
    queries: Sequence[tuple[str, str]]
    unit: str
    means: str
    kind: Literal["graph", "figure", "table"] = "graph"
    width: int = 8


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard: who it is for, and its panels in rows.

    Attributes:
        name: Of the file and in the address.
        title: What Grafana lists.
        means: For whom, and what it answers.
        rows: Titles, each with its panels.
        variable: Label by which it is narrowed, with the series that has it; None for none.
    """

    name: str
    title: str
    means: str
    rows: Sequence[tuple[str, Sequence[Panel]]]
    variable: tuple[str, str] | None = None


def render_board(board: Board) -> str:
    """Return a dashboard as the JSON that Grafana is provisioned with; the same text for the same board."""
    built = (
        Dashboard(board.title)
        .uid(board.name)
        .description(board.means)
        .tags(["sharing"])
        .timezone("utc")
        .time("now-1h", "now")
        .refresh("15s")
        .readonly()
    )
    if board.variable is not None:
        label, series = board.variable
        built.with_variable(
            QueryVariable(label)
            .label(label.capitalize())
            .datasource(SOURCE)
            .query(f"label_values({series}, {label})")
            .include_all(include_all=True)
            .all_value(".*")
            .multi(multi=True)
        )
    number = 0
    for title, panels in board.rows:
        built.with_row(Row(title))
        for panel in panels:
            number += 1
            built.with_panel(_build(panel).id(number))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def _build(panel: Panel) -> timeseries.Panel | stat.Panel | table.Panel:
    shape: timeseries.Panel | stat.Panel | table.Panel
    match panel.kind:
        case "graph":
            legend = VizLegendOptions().display_mode(LegendDisplayMode.LIST).placement(LegendPlacement.BOTTOM)
            shape = timeseries.Panel().legend(legend.show_legend(show_legend=True)).fill_opacity(10)
        case "figure":
            shape = stat.Panel().reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        case "table":
            shape = table.Panel()
    shape.title(panel.title).description(panel.means).unit(panel.unit).datasource(SOURCE)
    shape.height(8 if panel.kind == "graph" else 5).span(panel.width)
    for letter, (expr, name) in zip("ABCDEF", panel.queries, strict=False):
        query = prometheus.Dataquery().expr(expr).legend_format(name).ref_id(letter)
        if panel.kind == "graph":
            query.range()
        else:
            query.instant()
        if panel.kind == "table":
            query.format(PromQueryFormat.TABLE)
        shape.with_target(query)
    return shape
