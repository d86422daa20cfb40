"""What `python -m analysis.dashboard` does: analyse a study, and send what was found to W&B."""

import argparse
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.report.command import command as analyse
from analysis.study.columns import own_axes
from analysis.study.measure import Measure, description_of, measure_of
from analysis.wandb_dashboard import payload, report, workspace
from analysis.wandb_dashboard.payload import Chart
from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file
from scaling_study.common.reading import read_json
from scaling_study.config.tracking import Tracking, require_key, tag_of
from scaling_study.study.store import Store
from scaling_study.study.table import read_grid, read_plan, read_study
from scaling_study.tracking import wandb_client, wandb_project
from scaling_study.tracking.base import TrackedRun, TrackingError
from scaling_study.tracking.payload import DIGEST, rows_of
from scaling_study.tracking.wandb_client import Target, Upload

TIMEOUT_S = 60
# What a later call replaces of a workspace and of a report: people may have changed the rest.
WORKSPACE_PARTS = ("sections", "runset_settings")
REPORT_PARTS = ("title", "description", "blocks")


def command(args: argparse.Namespace) -> list[str]:
    """Analyse a study, send what was found, and save the workspace; the lines to print.

    It is analysed anew every time: the runs on disk may be more than those of the last analysis.

    Raises:
        InputError: no study, no key, an analysis of another study, or W&B takes nothing.
    """
    results: Path = args.results
    plan, study = read_plan(results), results.resolve().name
    output = args.output or Path("figures") / study
    wandb_client.quiet_environment()
    require_key("dashboard")
    if (found := _read(output / "verdicts.json").get("study", study)) != study:
        raise InputError(f"-o {output}: that is the analysis of {found}, not of {study}")
    try:
        wandb_client.require_answer()
        entity = args.entity or wandb_project.default_entity()
        tracking = Tracking(
            name="online",
            project=args.project,
            entity=entity,
            tags=(tag_of(study),),
            finish_timeout_s=TIMEOUT_S,
            study=study,
        )
        names = ("with_halved", "anchor", "details", "formats")
        more = {name: getattr(args, name) for name in names}
        lines = analyse(results, output, args.where, args.published, **more)
        if not (verdicts := _read(output / "verdicts.json").get("verdicts")):
            raise InputError(f"{results}: nothing to send; {lines[-1]}")
        grid = read_grid(results)
        measure, column = measure_of(grid), description_of(grid).outcome
        charts, own = payload.charts(output, measure), own_axes(grid)
        page = wandb_project.project_page(entity, args.project)
        url = _send(output, verdicts, tracking, charts, measure)
        shown = _shown(output, charts, results)
        panels = workspace.sections(shown, own, (column, measure))
        about = (entity, args.project, study, tag_of(study))
        built = workspace.build(*about, panels, len(plan), own, column)
        said = _read(output / "answer.json")
        saved, told = _save(results, built, report.build(report.Place(*about), said, panels))
    except TrackingError as error:
        raise InputError(f"W&B: {error}") from None
    return [
        *lines,
        f"W&B: project at {page}",
        f"analysis of {study}: {url}",
        f"workspace: {saved}",
        f"report: {told}",
    ]


def _shown(output: Path, charts: Sequence[Chart], results: Path) -> workspace.Shown:
    """What there is to show of an analysis and of the runs of its study."""
    runs, store = read_study(results).runs, Store(results.resolve().parent)
    columns = frozenset(name for name in runs.columns if runs[name].notna().any())
    rows = [row for run_id in runs["run_id"] for _, row in rows_of(store.run_dir(run_id))]
    records = frozenset(key for row in rows for key in row)
    images = [*payload.images(output)]
    return workspace.Shown(charts, images, bool(payload.frontier(output)), columns, records)


def _read(path: Path) -> dict[str, Any]:
    """What a JSON file holds; empty if there is none that can be read."""
    return dict(read_json(path, {}))


def _send(
    output: Path,
    verdicts: Mapping[str, Any],
    tracking: Tracking,
    charts: Sequence[Chart],
    measure: Measure,
) -> str:
    """The analysis as one run, unless W&B has this very one; where it can be seen."""
    (tag,) = tracking.tags
    run_id, digest = f"analysis-{tag}", payload.digest(output)
    url = f"{wandb_project.page(tracking)}/runs/{run_id}"
    found = wandb_project.stored_runs([run_id], tracking.project, tracking.entity).get(run_id)
    if found is not None and found.digest == digest:
        return url
    name, config = f"analysis of {tracking.study}", {"study": tracking.study}
    with tempfile.TemporaryDirectory(prefix="scaling_study_") as folder:
        run = TrackedRun(run_id, name, config, Path(folder), tracking)
        upload = Upload.open(run, Target(tracking.study, tracking.tags, "analysis"))
        upload.handle.log(payload.content(output, verdicts, charts, measure))
        upload.send_files(run_id, "analysis", payload.files(output))
        values = {f"verdict/{name}": verdict["verdict"] for name, verdict in verdicts.items()}
        upload.handle.summary.update({**values, DIGEST: digest})
        upload.close(exit_code=0)
    return url


def _save(results: Path, built: Any, written: Any) -> tuple[str, str]:
    """Save workspace and report, over those that an earlier call saved; their addresses."""
    path = results / "workspace.json"
    earlier = _read(path)
    url = wandb_project.save_view(built, earlier.get("url"), WORKSPACE_PARTS)
    told = wandb_project.save_view(written, earlier.get("report"), REPORT_PARTS)
    replace_file(path, json.dumps({"url": url, "report": told}) + "\n")
    return url, told
