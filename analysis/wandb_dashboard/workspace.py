"""The W&B workspace of a study: which panels show what. Built here, saved by `dashboard`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from analysis.rules.phrases import capitalised
from analysis.study.measure import ERROR, Measure
from scaling_study.study.axes import CELL_AXES, Axis

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

# Costs that runs are shown over; those known before training are in a run's config.
CONFIG_COSTS = {"flops": "FLOPs per image", "params": "parameters", "train_flops": "training FLOPs"}
MEASURED_COSTS = {"step_time_s": "step time, s", "peak_memory_bytes": "peak memory, bytes"}
# What runs report while they train; errors where train.evaluate_every asks for them.
CURVES = {
    "loss": ("loss",),
    "lr": ("lr",),
    "validation error": ("curve_val_error", "curve_val_error_raw"),
    "training error": ("curve_train_error", "curve_train_error_raw"),
}
AXES = tuple(axis.name for axis in CELL_AXES)
# Under which the analysis run logs the arms of a regime, and the frontiers over a cost.
ARMS_KEY = "arms/{} epochs"
FRONTIER_KEY = "frontiers/{}"


def build(
    entity: str,
    project: str,
    study: str,
    tag: str,
    panels: Sequence[Any],
    own: Sequence[Axis] = (),
    column: str = "val_error",
) -> "Workspace":
    """The workspace of `study`, whose runs carry `tag`, with `panels` as `sections` makes them."""
    from wandb_workspaces import workspaces as ws

    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"Study {study}",
        sections=list(panels),
        # The run table: replicates grouped, our columns first, best on top.
        runset_settings=ws.RunsetSettings(
            filters=[ws.Tags().isin([tag])],
            groupby=[ws.Config("epochs"), ws.Config("config_id")],
            order=[ws.Ordering(ws.Summary(column), ascending=True)],
            pinned_columns=[
                *(f"config:{name}" for name in (*AXES, *_config_keys(own), "seed", "flops")),
                *(f"summary:{n}" for n in (column, "train_error", "step_time_s", "status")),
            ],
        ),
    )


def _config_keys(own: Sequence[Axis]) -> list[str]:
    """Where W&B has the values of a grid's own axes: in the whole run config under `run`."""
    return [f"run.{axis.key}" for axis in own]


def sections(
    epochs: Sequence[int],
    costs: Sequence[str],
    images: Sequence[str],
    own: Sequence[Axis] = (),
    outcome: tuple[str, Measure] = ("val_error", ERROR),
) -> list[Any]:
    """Frontiers and arms by regime, runs, parallel coordinates, training curves, the analysis.

    There are arms for each regime in `epochs`, and frontiers over each of `costs`; `images` are the
    keys of the figures in the analysis run. `own` are the axes that only this grid has: each has a
    column in the parallel coordinates and the outcome drawn over it. `outcome` is the column that
    runs are compared by, and what people call it.
    """
    import wandb_workspaces.reports.v2.interface as wr
    from wandb_workspaces import workspaces as ws

    column, measure = outcome
    error, name = wr.SummaryMetric(column), capitalised(measure.name)
    metrics: dict[Any, str] = {wr.Config(name): title for name, title in CONFIG_COSTS.items()}
    metrics |= {wr.SummaryMetric(name): title for name, title in MEASURED_COSTS.items()}
    # A running minimum would be one for all regimes together; the colour tells them apart.
    scatter: list[Any] = [
        wr.ScatterPlot(
            title=f"{name} over {title}", x=cost, y=error, z=wr.Config("epochs"), log_x=True
        )
        for cost, title in metrics.items()
    ]
    labels = [axis.label for axis in own]
    mine = {label: wr.Config(key) for label, key in zip(labels, _config_keys(own), strict=True)}
    scatter += [
        wr.ScatterPlot(title=f"{name} over {label}", x=key, y=error, z=wr.Config("epochs"))
        for label, key in mine.items()
    ]
    frontiers = [_chart(FRONTIER_KEY.format(cost), f"Frontiers over {cost}") for cost in costs]
    arms = [_chart(ARMS_KEY.format(e), f"Arms at {measure.at(e)}") for e in epochs]
    columns = [
        *(wr.ParallelCoordinatesPlotColumn(wr.Config(name), name) for name in AXES),
        *(wr.ParallelCoordinatesPlotColumn(key, label) for label, key in mine.items()),
        wr.ParallelCoordinatesPlotColumn(wr.Config("flops"), "FLOPs", log=True),
        wr.ParallelCoordinatesPlotColumn(error, measure.label),
    ]
    curves: list[Any] = [
        wr.LinePlot(title=title, x="epoch", y=list(y), title_x="epoch")
        for title, y in CURVES.items()
    ]
    analysed: list[Any] = [
        wr.MediaBrowser(title="Figures", media_keys=list(images), num_columns=2),
        wr.WeavePanelSummaryTable(table_name="verdicts"),
        wr.WeavePanelSummaryTable(table_name="frontier"),
    ]
    return [
        ws.Section("Frontiers by regime", panels=frontiers, is_open=True),
        ws.Section("Arms by regime", panels=arms, is_open=True),
        ws.Section("Runs", panels=scatter, is_open=True),
        ws.Section("All axes", panels=[wr.ParallelCoordinatesPlot(columns=columns)], is_open=True),
        ws.Section("Verdicts, frontier table, figures", panels=analysed, is_open=True),
        ws.Section("Training", panels=curves),
    ]


def _chart(key: str, title: str) -> Any:
    """Error over cost, some lines, as `wandb.plot.line_series` logs them under `key`."""
    import wandb_workspaces.reports.v2.interface as wr

    return wr.CustomChart(
        query={"summaryTable": {"tableKey": f"{key}_table"}},
        chart_name="wandb/lineseries/v0",
        chart_fields={"step": "step", "lineKey": "lineKey", "lineVal": "lineVal"},
        chart_strings={"title": title},
    )
