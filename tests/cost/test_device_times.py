"""Times of a device: which measurements count, also without a GPU here, and GPU hours."""

import csv
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.rules.check_grid import check
from helpers.commands import Command
from helpers.made_up_times import NOTHING, made_up
from helpers.tiny import tiny
from scaling_study.config.hydra_app import composed
from scaling_study.cost.device_times import Times
from scaling_study.cost.time_model import Estimate
from scaling_study.cost.timings import keep_probes, kept_probes
from scaling_study.planning.budget import Budget
from scaling_study.planning.draft import draft
from scaling_study.planning.plan import planned_cells
from scaling_study.planning.plan_table import table


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaling_study.common.device._of_gpus", lambda column: [])


@pytest.mark.slow
@pytest.mark.usefixtures("no_gpu")
def test_a_machine_without_a_gpu_plans_by_the_gpus_that_were_measured(
    sweep_here: Command, tmp_path: Path
) -> None:
    ask = ("+grid=smoke", "device=cuda", "launcher=slurm", "dry_run=true")
    (cell, *_) = planned_cells(composed("sweep", [*ask[:2]]), [], NOTHING)[1]
    folder = tmp_path / "probes"
    cache = f"cache_dir={folder}"
    blank = sweep_here(*ask, cache)
    assert "nothing has been measured on this device" in blank.stdout
    keep_probes(folder, [made_up(36.0, cell.run, "cuda: NVIDIA A100")])
    done = sweep_here(*ask, cache, "budget.gpu_hours=1000")
    assert done.returncode == 0, done.stderr
    assert "forecast: times are those of cuda: NVIDIA A100, not of this machine" in done.stdout
    assert "GPU-hours" in done.stdout
    keep_probes(folder, [made_up(18.0, cell.run, "cuda: NVIDIA H100")])
    both = sweep_here(*ask, cache)
    assert (
        "several were measured: cuda: NVIDIA A100, cuda: NVIDIA H100; plan.device=" in both.stdout
    )
    one = sweep_here(*ask, cache, "plan.device=NVIDIA H100")
    assert "forecast: times are those of cuda: NVIDIA H100" in one.stdout
    other = sweep_here(*ask, cache, "plan.device=NVIDIA Z100")
    assert other.returncode == 2
    assert "plan.device='NVIDIA Z100': nothing was measured on such a device" in other.stderr
    assert "known: cuda: NVIDIA A100, cuda: NVIDIA H100" in other.stderr
    probing = sweep_here(*ask, cache, "plan.probe=true")
    assert probing.returncode == 2
    assert "srun --gpus=1" in probing.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("no_gpu")
def test_a_data_sheet_gives_hours_before_anything_is_measured(
    sweep_here: Command, tmp_path: Path
) -> None:
    ask = ("+grid=smoke", "device=cuda", "launcher=slurm", "dry_run=true", "plan.device=h100")
    cache, out = f"cache_dir={tmp_path / 'probes'}", tmp_path / "plan.csv"
    done = sweep_here(*ask, cache, f"plan.out={out}", "budget.gpu_hours=1000")
    assert done.returncode == 0, done.stderr
    assert "forecast: a prior of h100 from its data sheet, not" in done.stdout
    assert "forecast by prior: " in done.stdout
    assert "runs have steps below 20 ms by the prior" in done.stdout
    rows = read_table(out)
    assert {row["forecast_basis"] for row in rows} == {"prior"}
    assert all(float(row["gpu_hours_high"]) > 2 * float(row["gpu_hours"]) for row in rows)
    (cell, *_) = planned_cells(composed("sweep", [*ask[:2]]), [], NOTHING)[1]
    keep_probes(tmp_path / "probes", [made_up(36.0, cell.run, "cuda: NVIDIA H100 80GB HBM3")])
    probed = sweep_here(*ask, cache)
    assert "from its data sheet with 1 measurements" in probed.stdout
    assert "forecast by prior and measurements: " in probed.stdout
    # By the name that was measured there is no prior.
    by_name = sweep_here(*ask[:-1], cache, "plan.device=NVIDIA H100 80GB HBM3")
    assert "prior" not in by_name.stdout


@pytest.mark.slow
@pytest.mark.usefixtures("no_gpu")
def test_energy_co2_and_price_follow_from_gpu_hours(sweep_here: Command, tmp_path: Path) -> None:
    ask = ("+grid=smoke", "device=cuda", "launcher=slurm", "dry_run=true", "plan.device=h100")
    (cell, *_) = planned_cells(composed("sweep", [*ask[:2]]), [], NOTHING)[1]
    folder = tmp_path / "probes"
    keep_probes(folder, [made_up(3600.0, cell.run, "cuda: NVIDIA H100 80GB HBM3")])
    asks = (*ask, f"cache_dir={folder}")
    silent = sweep_here(*asks).stdout
    assert not any(word in silent for word in ("kWh", "CO2", "price"))
    more = ("plan.energy=true", "plan.kg_co2_per_kwh=0.5", "plan.price_per_gpu_hour=2")
    told = sweep_here(*asks, *more).stdout
    hours, kwh, kg, price = (
        float(re.search(pattern, told)[1].replace(",", ""))  # type: ignore[index]
        for pattern in (r"([\d.]+) GPU-hours", r"energy: (\S+)", r"CO2: (\S+)", r"price: (\S+)")
    )
    assert kwh == pytest.approx(0.7 * hours, rel=0.02)  # 700 W
    assert kg == pytest.approx(0.5 * kwh, rel=0.02)
    assert price == pytest.approx(2 * hours, rel=0.02)
    unknown = sweep_here(*asks[:2], "dry_run=true", f"cache_dir={folder}", "device=cpu", *more)
    assert unknown.returncode == 0  # nothing is measured: blank
    negative = sweep_here(*asks, "plan.price_per_gpu_hour=-1")
    assert negative.returncode == 2
    assert "plan.price_per_gpu_hour=-1.0: must be 0 or more" in negative.stderr


def test_gpu_hours_count_every_gpu_of_a_run(execution: Any, tmp_path: Path) -> None:
    """8 GPUs on 4 nodes train a run: an hour of it is 32 GPU-hours, in plan, where and budget."""
    ask = ["+grid=smoke", "device=cuda", "precision=bf16"]
    ask += ["train.batch_size=64", "train.sync_batch_norm=true"]
    several = ["launcher=slurm", "launcher.gpus_per_run=8", "launcher.nodes=4"]
    values = composed("sweep", [*ask, *several])
    own = replace(execution, cache_dir=str(tmp_path / "probes"))
    (cell, *_) = planned_cells(values, [], NOTHING)[1]
    keep_probes(tmp_path / "probes", [made_up(36.0, cell.run, "", 32)])
    rows = draft(values, [], own, None, check)[0].rows
    hours = [row.gpu_hours.value for row in rows if row.gpu_hours]
    assert hours == pytest.approx([32 * (row.forecast_s or 0) / 3600 for row in rows])
    assert Budget(1e9, None, False).needed(rows)["gpu_hours"] == pytest.approx(sum(hours))
    first = table(rows, values["grid"])[0]
    assert first["gpu_hours"] == pytest.approx(32 * first["forecast_s"] / 3600)
    values["grid"]["where"] = [f"gpu_hours < {sorted(hours)[0] * 1.001}"]
    assert 1 <= len(draft(values, [], own, None, check)[0].rows) < len(rows)
    # Two that share a GPU pay for half of it; a CPU's slots are not shared.
    shared = Times([made_up(36.0, cell.run), made_up(36.0, tiny())], 1, 1, 2)
    hour = Estimate(3600.0, 1800.0, 7200.0)
    assert shared.gpu_hours(cell.run, hour) == Estimate(0.5, 0.25, 1.0)
    assert shared.gpu_hours(tiny(), hour) == Estimate(1.0, 0.5, 2.0)


def test_measurements_that_cannot_be_read_stop_nothing(tmp_path: Path) -> None:
    good = made_up(0.1, tiny())
    keep_probes(tmp_path, [good])
    line = (tmp_path / "probes.jsonl").read_bytes()
    bad = [b"[1]", b"7", b"null", b'{"conditions": 3}', b"\xff\xfe", b'{"torn', b""]
    for old, new in (
        (b'"step_time_s": 0.1', b'"step_time_s": NaN'),
        (b'"step_time_s": 0.1', b'"step_time_s": -1'),
        (b'"shape": [', b'"shape": [0, '),
        (b'"shape": [', b'"shape": [-'),
        (b'"shape": [', b'"shape": [1e999, '),
        (b'"conditions": ["', b'"conditions": [["'),
        (b"cpu", b"\xff"),
        (b"0.1", b"1" + 400 * b"0"),
    ):
        assert old in line
        bad.append(line.strip().replace(old, new))
    (tmp_path / "probes.jsonl").write_bytes(b"\n".join([*bad, line]))
    assert kept_probes(tmp_path) == [good]
