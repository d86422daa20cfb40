"""Runs mirrored live by the real W&B client to a local server."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import environment
from helpers.mirrored_runs import (
    PATIENCE_S,
    SMALL,
    left_behind,
    stop_in_the_middle,
    tracked,
    train,
    wait_for,
)
from helpers.tracked import call, logged, secrets_in, start
from helpers.wandb_server import KEY, Server
from scaling_study.config.execution import ExecutionConfig


@pytest.mark.slow
def test_a_sweep_online(server: Server, tmp_path: Path, cache_dir: Path) -> None:
    code, output = call(
        "scaling_study.sweep",
        *("+grid=smoke", "tracking=online", "tracking.project=lab", "tracking.tags=[mine]"),
        *(f"cache_dir={cache_dir}", "metrics_every_s=0.05", "grid.axes.depth=[14]"),
        *("tracking.finish_timeout_s=60", "train.evaluate_every=1"),
        *("tracking.checkpoints=true", "tracking.alerts=true"),
        cwd=tmp_path,
    )
    assert code == 0, output
    run_dirs = sorted((tmp_path / "results/runs").glob("d*"))
    assert sorted(server.runs) == [*(run_dir.name for run_dir in run_dirs), "sweep-smoke"]
    for run_dir in run_dirs:
        run = server.runs[run_dir.name]
        result = json.loads((run_dir / "result.json").read_text())
        assert run.history == [pytest.approx(row) for row in logged(run_dir)]
        assert (run.group, run.job_type, run.tags) == ("smoke", "train", ["smoke", "mine"])
        name = f"d14 w{result['width']:g} {result['resolution']}px {result['epochs']}ep"
        assert (run.display_name, run.exit_code) == (f"{name} s{result['seed']}", 0)
        config, summary = run.values(), run.summary
        assert config["run"]["model"]["depth"] == config["depth"] == result["depth"]
        told = {k: v for k, v in result.items() if v is not None}
        assert {k: config.get(k, summary.get(k)) for k in told} == told
        # Epochs are the axis of everything.
        drawn = axes(run.config)
        assert set(drawn.values()) == {"epoch"}
        assert "*" in drawn or {"loss", "lr", "val_error", "curve_val_error"} <= drawn.keys()
        # Each evaluation is there, and the weights that the last one scored.
        curve = [r["epoch"] for r in run.history if {"curve_val_error", "curve_val_loss"} <= {*r}]
        assert curve == [*range(1, result["epochs"] + 1)]
        sent = server.artifacts.named[f"checkpoint-{run_dir.name}"]["checkpoint.pt"]
        assert sent == (run_dir / "checkpoint.pt").read_bytes()
        assert not (run_dir / "wandb").exists()
        assert left_behind(run_dir) == {}
    page = f"W&B: project at {server.url}/me/lab, a run at …/runs/RUN_ID"
    assert output.count("W&B: project") == output.count(page) == 1
    assert "not taken whole" not in output
    (alert,) = server.alerts
    assert (alert["title"], alert["severity"]) == ("smoke: the sweep has ended", "INFO")
    assert alert["text"].startswith(f"{len(run_dirs)} of {len(run_dirs)} runs finished in ")
    assert server.unknown <= {"ServerFeaturesQuery"}
    assert KEY not in output
    assert secrets_in(tmp_path) == []


def axes(config: dict[str, Any]) -> dict[str, str]:
    """What each metric is drawn over, by `define_metric`; the order of metrics is the client's."""
    metrics = config["_wandb"]["value"]["m"]
    names = [metric.get("1") or metric["2"] for metric in metrics]
    # Keys are field numbers of W&B's MetricRecord: name, pattern, index of the axis from 1 on.
    found = zip(names, metrics, strict=True)
    return {name: names[metric["5"] - 1] for name, metric in found if "5" in metric}


@pytest.mark.slow
def test_a_killed_run_leaves_nothing_behind_and_continues_as_the_same_run(
    server: Server, tmp_path: Path, cache_dir: Path
) -> None:
    arguments = (
        *(*SMALL, "train.epochs=60", "tracking=online", f"cache_dir={cache_dir}"),
        f"tracking.finish_timeout_s={PATIENCE_S}",
    )
    with start("scaling_study.train", *arguments, cwd=tmp_path) as process:
        run_dir = stop_in_the_middle(process, server, tmp_path)
        assert left_behind(run_dir)
        process.kill()
        process.communicate()
    wait_for(lambda: not left_behind(run_dir))
    (run,) = server.runs.values()
    assert (run.exit_code, run.preempting) == (1, True)
    assert run.history
    code, output = call("scaling_study.train", *arguments, cwd=tmp_path)
    assert code == 0, output
    assert "resuming at step" in output
    assert list(server.runs) == [run_dir.name]
    # Steps that the kill undid are sent once; trained again they differ in their speed alone.
    epochs, whole = (
        [{**row, "images_per_s": None} for row in rows if row["epoch"] == int(row["epoch"])]
        for rows in (run.history, logged(run_dir))
    )
    assert [row["epoch"] for row in epochs] == [*range(1, 61), 60]
    assert epochs == [pytest.approx(row) for row in whole]
    assert (run.exit_code, run.summary["status"]) == (0, "ok")


@pytest.mark.slow
def test_of_two_processes_that_train_together_one_is_mirrored(
    server: Server, tmp_path: Path, cache_dir: Path
) -> None:
    arguments = (
        *("--nproc-per-node", "2", "--standalone", "-m", "scaling_study.train"),
        *(*SMALL, "train.epochs=4", "train.sync_batch_norm=true", "tracking=online"),
        *(f"cache_dir={cache_dir}", "tracking.finish_timeout_s=60"),
    )
    code, output = call("torch.distributed.run", *arguments, cwd=tmp_path)
    assert code == 0, output
    (run,) = server.runs.values()
    (run_dir,) = tmp_path.glob("results/runs/d*")
    page = f"{server.url}/me/scaling_study"
    assert output.count(f"W&B: project at {page}, run at {page}/runs/{run_dir.name}") == 1
    assert (run.opened, run.exit_code, run.summary["world_size"]) == (1, 0, 2)
    assert run.history == [pytest.approx(row) for row in logged(run_dir)]


@pytest.mark.slow
def test_offline_sends_nothing_and_wandb_sync_sends_it(
    server: Server, execution: ExecutionConfig, tmp_path: Path
) -> None:
    run_dir, outcome = train(tracked(execution, name="offline", finish_timeout_s=60.0))
    assert outcome.status == "ok"
    wait_for(lambda: not left_behind(run_dir))
    assert server.requests == []
    (folder,) = run_dir.glob("wandb/offline-run-*")
    code, output = call("wandb", "sync", "--yes", str(folder), cwd=tmp_path)
    assert code == 0, output
    (run,) = server.runs.values()
    assert run.history == [pytest.approx(row) for row in logged(run_dir)]
    assert (run.name, run.group, run.summary["status"]) == (run_dir.name, "g", "ok")
    assert secrets_in(tmp_path) == []


@pytest.mark.slow
def test_untracked_runs_know_no_wandb_and_no_network(tmp_path: Path, cache_dir: Path) -> None:
    probe = (
        "import runpy, sys\n"
        "seen = []\n"
        "sys.addaudithook(lambda e, a: seen.append((e, a)) if e in ('socket.connect',\n"
        "    'socket.getaddrinfo', 'socket.sendto') else None)\n"
        "try:\n    runpy.run_module('scaling_study.train', run_name='__main__')\n"
        "except SystemExit as end:\n    print(end.code, seen, 'wandb' in sys.modules)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, *SMALL, "train.epochs=2", f"cache_dir={cache_dir}"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=environment(),
    )
    assert done.stdout.splitlines()[-1] == "0 [] False", done.stderr
    (run_dir,) = tmp_path.glob("results/runs/d*")
    assert not (run_dir / "wandb").exists()
    assert not (run_dir / "tracking.txt").exists()
