"""Probes: which cells they measure, when, and what is kept of them."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from helpers.commands import Command
from helpers.made_up_times import NOTHING, SIZES, SOLVED, made_up, rows_of, work
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.cost.time_model import SCORING, Timing
from scaling_study.cost.timings import keep_probes, kept_probes
from scaling_study.launch import probe


def test_a_probe_spans_the_grid_and_is_kept(tmp_path: Path, execution: Any) -> None:
    from scaling_study.launch import inline
    from scaling_study.launch.job import Job

    runs = [row.run for row in rows_of({"axes": SIZES | {"seed": [0, 1]}})]
    chosen = probe.choose(runs, NOTHING)
    flops = [describe(run)["flops"] for run in runs]
    assert len(chosen) == probe.PROBES
    assert {min(flops), max(flops)} <= {describe(run)["flops"] for run in chosen}

    def launch(some: Any, folder: Path) -> Any:
        return inline.launch(
            [Job(run, replace(execution, results_dir=str(folder))) for run in some]
        )

    (found,) = probe.measure(chosen[:1], NOTHING, launch)
    assert isinstance(found[1], Timing), found
    keep_probes(tmp_path, [found[1]])
    with (tmp_path / "probes.jsonl").open("a") as file:
        file.write('{"torn')
    assert kept_probes(tmp_path) == [found[1]]
    assert chosen[0] not in probe.choose(runs, Times(kept_probes(tmp_path), 1))
    # One process says nothing of two.
    assert chosen[0] in probe.choose(runs, Times(kept_probes(tmp_path), 1, processes=2))
    assert found[1].wall_s is not None
    # What it took beside its steps any run takes.
    took, spent = found[1].steps + SCORING[0] * found[1].scored, 0.25
    slow = replace(found[1], wall_s=spent + took * found[1].step_time_s)
    whole = Times([slow], 1).whole(chosen[0], describe(chosen[0]))
    assert whole is not None
    assert whole.value == pytest.approx(
        spent + work(describe(chosen[0])) * found[1].step_time_s, rel=1e-6
    )
    assert kept_probes(tmp_path / "elsewhere") == []


@pytest.mark.slow
def test_a_time_without_measurement_is_probed_for(
    sweep_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[RunConfig] = []

    def measure(runs: Any, times: Times, launch: Any, per_flop: float = 1e-9) -> Any:
        asked.extend(runs)
        return ((run, made_up(per_flop * describe(run)["flops"], run)) for run in runs)

    monkeypatch.setattr(probe, "measure", measure)
    cache = f"cache_dir={tmp_path / 'probes'}"
    blank = sweep_here(*SOLVED, cache, "dry_run=true")
    assert blank.returncode == 2
    assert "plan.probe=true measures a few cells first" in blank.stderr
    done = sweep_here(*SOLVED, cache, "dry_run=true", "plan.probe=true")
    assert done.returncode == 0, done.stderr
    assert "4 runs: 4 planned" in done.stdout
    assert 2 <= len({run.model.width for run in asked}) <= 3
    # Probed again, what only probes have measured is measured anew, and the newest counts.
    known, n = kept_probes(tmp_path / "probes"), len(asked)
    assert len(known) == n
    monkeypatch.setattr(probe, "measure", partial(measure, per_flop=1.1e-9))
    assert sweep_here(*SOLVED, cache, "dry_run=true", "plan.probe=true").returncode == 0
    renewed = kept_probes(tmp_path / "probes")
    assert [t.shape for t in renewed] == [t.shape for t in known]
    assert [t.step_time_s for t in renewed] == pytest.approx([1.1 * t.step_time_s for t in known])
    assert len(asked) == 2 * n


def test_what_finished_runs_have_measured_is_not_probed() -> None:
    runs = [row.run for row in rows_of({"axes": {"depth": [14, 26]}})]
    assert probe.choose(runs, Times([made_up(0.1, runs[0])], 1)) == runs[1:]


def test_a_probe_is_not_begun_where_it_cannot_be_kept(
    sweep_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "measure", lambda *_: pytest.fail("probes ran"))
    (tmp_path / "file").touch()
    done = sweep_here("+grid=smoke", "plan.probe=true", "dry_run=true", "cache_dir=file")
    assert done.returncode == 2
    assert "cache_dir=file: cannot write there, it is a file; give a folder" in done.stderr
    below = sweep_here("+grid=smoke", "plan.probe=true", "dry_run=true", "cache_dir=file/below")
    assert below.returncode == 2
    assert "cache_dir=file/below: cannot write to" in below.stderr
    early = sweep_here("+grid=smoke", "results_dir=file", "dry_run=true")
    assert early.returncode == 2
    assert "results_dir=file: cannot write there, it is a file; give a folder" in early.stderr
