"""`status` and `cancel` of a study on this machine, with a sweep at work and without."""

import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from conftest import environment
from scaling_study.claims import _started, me
from scaling_study.config import Setting
from scaling_study.launch.job import Job
from scaling_study.overview import SCHEMA, STATES, overview
from scaling_study.plan import plan, write_csv
from scaling_study.planning.cells import Cell
from scaling_study.planning.times import Times
from scaling_study.status import _goes_on
from scaling_study.statusview import view
from tiny import tiny

STATUS, CANCEL = "scaling_study.status", "scaling_study.cancel"
LONG = ("+grid=smoke", "train.epochs=4000", "launcher.slots=2")


def call(folder: Path, module: str, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_sweep_is_watched_and_cancelled(tmp_path: Path, cache_dir: Path) -> None:
    sweep = subprocess.Popen(
        [sys.executable, "-m", "scaling_study.sweep", *LONG, f"cache_dir={cache_dir}"],
        cwd=tmp_path,
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    end = time.monotonic() + 120
    while len(list(tmp_path.glob("results/runs/*/checkpoint.pt"))) < 2:
        assert time.monotonic() < end
        time.sleep(0.2)
    seen = json.loads(call(tmp_path, STATUS, "results/smoke", "--json").stdout)
    assert {s: n for s, n in seen["counts"].items() if n} == {"running": 2, "planned": 2}
    assert seen["scheduler"] == "not asked"
    text = call(tmp_path, STATUS, "results/smoke").stdout
    assert "◐ 2 running" in text
    assert "· 2 planned" in text

    done = call(tmp_path, CANCEL, "results/smoke")
    assert done.returncode == 0, done.stderr
    assert "cancelled 2 running and 0 queued runs" in done.stdout
    _, errors = sweep.communicate(timeout=60)
    assert sweep.returncode == 130
    assert "nothing is lost" in errors
    seen = json.loads(call(tmp_path, STATUS, "results/smoke", "--json").stdout)
    assert {s: n for s, n in seen["counts"].items() if n} == {"failed": 2, "planned": 2}
    assert seen["causes"] == {"cancelled": 2}
    assert len(list(tmp_path.glob("results/runs/*/checkpoint.pt"))) == 2


@pytest.fixture
def study(tmp_path: Path, setting: Setting) -> Path:
    """A study of two depths and two lengths in which all has gone differently."""
    folder = tmp_path / "results"
    runs = [tiny(**{"model.depth": d, "train.epochs": e}) for d in (14, 26) for e in (2, 3)]
    jobs = [Job(run, replace(setting, results_dir=str(folder))) for run in runs]
    store = jobs[0].store
    jobs[0]()
    jobs[1].write_failure("CUDA out of memory", "gpu_memory")
    log = store.run_dir(runs[1].run_id) / "log.txt"
    log.write_text("".join(f"line {i}\n" for i in range(20)), encoding="utf-8")
    store.enqueue(runs[2].run_id, "12_3")
    (folder / "grid").mkdir()
    rows = plan([Cell(run, {}) for run in runs], store, store.read(), Times([], 1))
    write_csv(rows, {}, folder / "grid" / "plan.csv")
    return folder / "grid"


def test_the_overview_tells_states_causes_and_what_is_left(study: Path) -> None:
    seen = overview(study)
    assert (seen.schema, set(seen.counts)) == (SCHEMA, set(STATES))
    counts = {state: n for state, n in seen.counts.items() if n}
    assert counts == {"ok": 1, "failed": 1, "queued": 1, "planned": 1}
    ok, failed, queued, _ = seen.runs
    assert (ok.epoch, ok.epochs) == (2, 2)
    assert failed.log_tail == tuple(f"line {i}" for i in range(15, 20))
    assert (failed.cause, queued.job) == ("gpu_memory", "12_3")
    # Of the planned and the queued run neither is in work, and nobody says when one starts.
    assert seen.eta_s is None
    assert json.loads(seen.as_json())["runs"][1]["cause"] == "gpu_memory"


def test_the_map_has_a_sign_for_every_run(study: Path) -> None:
    console = Console(width=100, record=True)
    console.print(view(overview(study)))
    lines = [line.rstrip() for line in console.export_text().splitlines()]
    assert lines[0].split("  ") == ["depth × width", "16 px, 2 ep", "16 px, 3 ep"]
    assert lines[1].split() == ["14", "×", "0.125", "●", "✗"]
    assert lines[2].split() == ["26", "×", "0.125", "○", "·"]
    text = "\n".join(lines)
    assert "(gpu_memory" in text
    assert "line 19" in text
    assert "line 14" not in text


def test_watching_goes_on_before_the_first_run_starts(study: Path) -> None:
    idle = replace(overview(study), counts=dict.fromkeys(STATES, 0))
    assert not _goes_on(idle, study)
    with subprocess.Popen(["sleep", "60"]) as sweep:
        note = me() | {"pid": sweep.pid, "started": _started(sweep.pid) or ""}
        (study / "sweep.json").write_text(json.dumps(note), encoding="utf-8")
        assert _goes_on(idle, study)
        sweep.kill()
    assert not _goes_on(idle, study)


def test_a_run_is_followed_within_an_epoch(study: Path) -> None:
    with (study / "../runs" / overview(study).runs[2].run_id / "metrics.jsonl").open("w") as file:
        file.write('{"step": 8, "epoch": 1.0, "loss": 2}\n{"step": 10, "epoch": 1.25}\n{"step"')
    assert overview(study).runs[2].epoch == 1.25


@pytest.mark.parametrize("module", [STATUS, CANCEL])
def test_what_is_no_study_is_bad_input(module: str) -> None:
    done = call(Path("/"), module, "results/nothing")
    assert done.returncode == 2
    assert done.stderr.startswith("error: no study in results/nothing")
    assert "Traceback" not in done.stderr
