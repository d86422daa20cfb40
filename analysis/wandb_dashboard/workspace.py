"""The W&B workspace of a study: which panels show what. Built here, saved by `dashboard`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from analysis.rules.phrases import capitalised
from analysis.study.measure import ERROR, Measure
from analysis.wandb_dashboard.payload import PAGE_KEY, Chart
from scaling_study.study.axes import CELL_AXES, Axis
from scaling_study.study.learning_curves import PREFIX, RAW

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

# Costs that runs are shown over; those known before training are in a run's config.
CONFIG_COSTS = {"flops": "FLOPs per image", "params": "parameters", "train_flops": "training FLOPs"}
MEASURED_COSTS = {"step_time_s": "step time, s", "peak_memory_bytes": "peak memory, bytes"}
# Records of training in words; the splits of what is measured in the midst of it.
CURVES = {"loss": "Training loss", "lr": "Learning rate", "images_per_s": "Images per second"}
SPLITS = {"val": "validation", "train": "training"}
# W&B shows ten runs a panel unless it is told otherwise, and never more than so many.
MOST_RUNS = 1000


@dataclass(frozen=True)
class Shown:
    """What there is to show, so that no panel is empty.

    `charts` and `images`, by their keys, are those of the analysis run, as is whether it has the
    table of `frontiers`. `columns` are those of results that have a value in some run, `records`
    the names in its metrics.
    """

    charts: Sequence[Chart]
    images: Sequence[str]
    frontiers: bool
    columns: frozenset[str]
    records: frozenset[str]


def build(
    entity: str,
    project: str,
    study: str,
    tag: str,
    panels: Sequence[Any],
    runs: int,
    own: Sequence[Axis] = (),
    column: str = "val_error",
) -> "Workspace":
    """The workspace of `study`, whose `runs` carry `tag`, with `panels` as `sections` makes them.

    The analysis run is the first in the table: W&B shows in panels only what is at the top of it.
    """
    from wandb_workspaces import workspaces as ws

    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"Study {study}",
        sections=list(panels),
        settings=ws.WorkspaceSettings(max_runs=min(max(10, runs + 1), MOST_RUNS)),
        # The run table: replicates grouped, our columns first, best on top.
        runset_settings=ws.RunsetSettings(
            filters=[ws.Tags().isin([tag])],
            groupby=[ws.Config("epochs"), ws.Config("config_id")],
            order=[
                ws.Ordering(ws.Metric("JobType"), ascending=True),  # analysis, then train
                ws.Ordering(ws.Summary(column), ascending=True),
            ],
            pinned_columns=[
                *(f"config:{name}" for name in (*_AXES, *_config_keys(own), "seed", "flops")),
                *(f"summary:{n}" for n in (column, "train_error", "step_time_s", "status")),
            ],
        ),
    )


_AXES = tuple(axis.name for axis in CELL_AXES)


def _config_keys(own: Sequence[Axis]) -> list[str]:
    """Where W&B has the values of a grid's own axes: in the whole run config under `run`."""
    return [f"run.{axis.key}" for axis in own]


def sections(
    shown: Shown,
    own: Sequence[Axis] = (),
    outcome: tuple[str, Measure] = ("val_error", ERROR),
) -> list[Any]:
    """The report, frontiers and arms, runs, parallel coordinates, tables, figures, training.

    `own` are the axes that only this grid has: each has a column in the parallel coordinates and
    the outcome drawn over it. `outcome` is the column that runs are compared by, and what people
    call it.
    """
    import wandb_workspaces.reports.v2.interface as wr
    from wandb_workspaces import workspaces as ws

    page = wr.MediaBrowser(title="Report", media_keys=[PAGE_KEY], num_columns=1)
    tables: list[Any] = [wr.WeavePanelSummaryTable(table_name="verdicts")]
    if shown.frontiers:
        tables.append(wr.WeavePanelSummaryTable(table_name="frontier"))
    figures: list[Any] = []
    if shown.images:
        figures = [wr.MediaBrowser(title="Figures", media_keys=list(shown.images), num_columns=2)]
    found: list[tuple[str, list[Any], bool]] = [
        ("What the study says", [page], True),
        ("Frontiers and arms", [_chart(chart) for chart in shown.charts], True),
        ("Runs", _scatter(shown, own, outcome), True),
        ("All axes", [_parallel(shown, own, outcome)], True),
        ("Tables of verdicts and of all configurations", tables, True),
        ("Figures", figures, True),
        ("Training", _training(shown), False),
    ]
    return [ws.Section(name, panels=panels, is_open=o) for name, panels, o in found if panels]


def _scatter(shown: Shown, own: Sequence[Axis], outcome: tuple[str, Measure]) -> list[Any]:
    """The outcome of runs over each cost and each of the grid's own axes."""
    import wandb_workspaces.reports.v2.interface as wr

    column, measure = outcome
    metrics: dict[Any, str] = {
        wr.Config(n): title for n, title in CONFIG_COSTS.items() if n in shown.columns
    }
    metrics |= {
        wr.SummaryMetric(n): title for n, title in MEASURED_COSTS.items() if n in shown.columns
    }
    over = [(title, cost, True) for cost, title in metrics.items()]
    keys = map(wr.Config, _config_keys(own))
    over += [(axis.label, key, False) for axis, key in zip(own, keys, strict=True)]
    # A running minimum would be one for all regimes together; the colour tells them apart.
    return [
        wr.ScatterPlot(
            title=f"{capitalised(measure.name)} over {title}",
            x=x,
            y=wr.SummaryMetric(column),
            z=wr.Config("epochs"),
            log_x=log or None,
        )
        for title, x, log in over
    ]


def _parallel(shown: Shown, own: Sequence[Axis], outcome: tuple[str, Measure]) -> Any:
    """A column for each axis, FLOPs and the outcome."""
    import wandb_workspaces.reports.v2.interface as wr

    column, measure = outcome
    axes = [(axis.label, axis.name) for axis in CELL_AXES if axis.name in shown.columns]
    axes += zip([axis.label for axis in own], _config_keys(own), strict=True)
    columns = [wr.ParallelCoordinatesPlotColumn(wr.Config(key), label) for label, key in axes]
    if "flops" in shown.columns:
        columns.append(wr.ParallelCoordinatesPlotColumn(wr.Config("flops"), "FLOPs", log=True))
    columns.append(wr.ParallelCoordinatesPlotColumn(wr.SummaryMetric(column), measure.label))
    return wr.ParallelCoordinatesPlot(columns=columns)


def _training(shown: Shown) -> list[Any]:
    """What runs report while they train: raw and averaged weights in one panel."""
    import wandb_workspaces.reports.v2.interface as wr

    curves: dict[str, list[str]] = {}
    for key in sorted(shown.records - shown.columns - {"step", "epoch"}):
        base = key.removesuffix(RAW) if key.startswith(PREFIX) else key
        curves.setdefault(base, []).append(key)
    return [
        wr.LinePlot(title=_curve_title(base), x="epoch", y=list(keys), title_x="epoch")
        for base, keys in curves.items()
    ]


def _curve_title(name: str) -> str:
    """A name in the metrics in words: validation error while training."""
    if name in CURVES:
        return CURVES[name]
    split, _, rest = name.removeprefix(PREFIX).partition("_")
    words = f"{SPLITS.get(split, split)} {rest.replace('_', ' ')}".strip()
    return capitalised(f"{words} while training" if name.startswith(PREFIX) else words)


def _chart(chart: Chart) -> Any:
    """Outcome over cost, some lines, as `wandb.plot.line_series` logs them under the key."""
    import wandb_workspaces.reports.v2.interface as wr

    return wr.CustomChart(
        query={"summaryTable": {"tableKey": f"{chart.key}_table"}},
        chart_name="wandb/lineseries/v0",
        chart_fields={"step": "step", "lineKey": "lineKey", "lineVal": "lineVal"},
        chart_strings={"title": chart.title},
    )
