"""The W&B workspace of a study: which panels show what. Built here, saved by `dashboard`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wandb_workspaces.workspaces import Workspace

# Costs that a frontier is drawn over; those known before training are in a run's config.
CONFIG_COSTS = {
    "flops": "FLOPs per image",
    "params": "parameters",
    "train_flops": "training FLOPs",
}
MEASURED_COSTS = {"step_time_s": "step time, s", "peak_memory_bytes": "peak memory, bytes"}
AXES = ("depth", "width", "resolution", "epochs")


def arms_key(epochs: int) -> str:
    """Under which the analysis run logs the arms of one regime."""
    return f"arms/{epochs} epochs"


def build(
    entity: str, project: str, study: str, epochs: Sequence[int], images: Sequence[str]
) -> "Workspace":
    """The workspace of `study`, with a chart of the arms for each regime in `epochs`.

    `images` are the keys of the figures in the analysis run.
    """
    from wandb_workspaces import workspaces as ws

    return ws.Workspace(
        entity=entity,
        project=project,
        name=f"Study {study}",
        sections=sections(epochs, images),
        runset_settings=runset(study),
    )


def runset(study: str) -> Any:
    """The run table: runs of this study, replicates grouped, our columns first, best on top."""
    from wandb_workspaces import workspaces as ws

    return ws.RunsetSettings(
        filters=[ws.Tags().isin([study])],
        groupby=[ws.Config("epochs"), ws.Config("config_id")],
        order=[ws.Ordering(ws.Summary("val_error"), ascending=True)],
        pinned_columns=[
            *(f"config:{name}" for name in (*AXES, "seed", "flops")),
            *(f"summary:{name}" for name in ("val_error", "train_error", "step_time_s", "status")),
        ],
    )


def sections(epochs: Sequence[int], images: Sequence[str]) -> list[Any]:
    """Frontiers, arms by regime, parallel coordinates, training curves, the analysis."""
    import wandb_workspaces.reports.v2.interface as wr
    from wandb_workspaces import workspaces as ws

    error = wr.SummaryMetric("val_error")
    metrics: dict[Any, str] = {wr.Config(name): title for name, title in CONFIG_COSTS.items()}
    metrics |= {wr.SummaryMetric(name): title for name, title in MEASURED_COSTS.items()}
    frontiers: list[Any] = [
        wr.ScatterPlot(
            title=f"Error over {title}",
            x=cost,
            y=error,
            z=wr.Config("depth"),
            log_x=True,
            running_ymin=True,
        )
        for cost, title in metrics.items()
    ]
    columns = [
        *(wr.ParallelCoordinatesPlotColumn(wr.Config(name), name) for name in AXES),
        wr.ParallelCoordinatesPlotColumn(wr.Config("flops"), "FLOPs", log=True),
        wr.ParallelCoordinatesPlotColumn(error, "validation error"),
    ]
    curves: list[Any] = [
        wr.LinePlot(title=y, x="epoch", y=[y], title_x="epoch") for y in ("loss", "lr")
    ]
    analysed: list[Any] = [
        wr.MediaBrowser(title="Figures", media_keys=list(images), num_columns=2),
        wr.WeavePanelSummaryTable(table_name="verdicts"),
        wr.WeavePanelSummaryTable(table_name="frontier"),
    ]
    return [
        ws.Section("Frontiers", panels=frontiers, is_open=True),
        ws.Section("Arms by regime", panels=[arms_chart(e) for e in epochs], is_open=True),
        ws.Section("All axes", panels=[wr.ParallelCoordinatesPlot(columns=columns)], is_open=True),
        ws.Section("Verdicts, frontier table, figures", panels=analysed, is_open=True),
        ws.Section("Training", panels=curves),
    ]


def arms_chart(epochs: int) -> Any:
    """Error over cost, a line an arm, as `wandb.plot.line_series` logs it."""
    import wandb_workspaces.reports.v2.interface as wr

    return wr.CustomChart(
        query={"summaryTable": {"tableKey": f"{arms_key(epochs)}_table"}},
        chart_name="wandb/lineseries/v0",
        chart_fields={"step": "step", "lineKey": "lineKey", "lineVal": "lineVal"},
        chart_strings={"title": f"Arms at {epochs} epochs"},
    )
