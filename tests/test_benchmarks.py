"""The benchmark of training runs, on networks small enough to say nothing about speed."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from helpers.commands import environment
from helpers.made_up_results import cell

PATH = Path(__file__).resolve().parent.parent / "benchmarks" / "training.py"
TINY = ("model.depth=14", "model.width=0.125", "data.resolution=16", "train.batch_size=8")
FEW = ("data.classes=2", "data.train_per_class=8")


def loaded(path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"{path.stem}_benchmark", path)
    assert spec is not None
    assert spec.loader is not None
    monkeypatch.setattr(sys, "path", list(sys.path))  # it puts the checkout first
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def training(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = loaded(PATH, monkeypatch)
    monkeypatch.setattr(module, "LOOPS", {"tiny": {"cpu": (*TINY, *FEW)}})
    monkeypatch.setattr(module, "EPOCHS", 2)
    return module


def test_our_loop_is_measured_beside_a_bare_one(
    training: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    (found,) = training.loops("cpu", "fp32", repeats=1)
    assert found["seconds"] > 0
    assert found["seconds_other"] > 0
    assert found["ratio"] == found["seconds_other"] / found["seconds"]
    assert "our loop / bare loop, tiny: " in capsys.readouterr().out


def orchestration() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "orchestration_benchmark", PATH.with_name("orchestration.py")
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("ours_s", "absent", "longest_idle_s", "said"),
    [
        (0.010, [], 0.1, "met"),
        (0.010, ["Hydra, joblib"], 0.1, "not all measured"),
        (0.010, [], 0.3, "missed"),
        (0.011, [], 0.1, "missed"),
    ],
)
def test_launchers_meet_the_targets_only_if_all_were_measured(
    capsys: pytest.CaptureFixture[str],
    ours_s: float,
    absent: list[str],
    longest_idle_s: float,
    said: str,
) -> None:
    module = orchestration()
    # One slow round does not decide.
    took = {module.OURS: [ours_s, ours_s, 9.0], "Hydra, basic": [0.05, 0.05, 0.0001]}
    code = module.report(took, absent, 2.0, [0.0, 0.0, longest_idle_s])
    printed = capsys.readouterr().out
    assert printed.endswith(f"targets (20 ms, 5 times, 0.2 s): {said}\n")
    assert (code == 0) == (said == "met")
    assert all(f"{name:24} not measured" in printed for name in absent)


@pytest.mark.parametrize(
    ("beyond", "said"), [([0.05, 0.06, 0.9], "met"), ([0.05, 0.2, 0.3], "missed")]
)
def test_runs_that_train_meet_their_target_by_the_median(
    capsys: pytest.CaptureFixture[str], beyond: list[float], said: str
) -> None:
    code = orchestration().report_training(beyond)
    assert capsys.readouterr().out.endswith(f"target 0.1 s: {said}\n")
    assert (code == 0) == (said == "met")


@pytest.mark.slow
def test_what_runs_take_beyond_their_training_is_measured_on_real_ones() -> None:
    words = [sys.executable, str(PATH.with_name("orchestration.py")), "--training"]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    assert re.search(r"takes [0-9.]+ s of CPU beyond the training", done.stdout), done.stdout


def test_the_networks_whose_speed_is_measured_are_the_papers(training: ModuleType) -> None:
    runs = {n: training.composed(*s, precision="bf16") for n, s, _ in training.SPEEDS}
    models = {name: run.model for name, run in runs.items() if name.startswith("ResNet-RS")}
    assert [model.depth for model in models.values()] == [50, 152, 350]
    assert {(model.stem, model.se_ratio) for model in models.values()} == {("rs", 0.25)}
    assert [int(name.rpartition("@")[2]) for name in runs] == [
        run.data.resolution for run in runs.values()
    ]


@pytest.mark.slow
def test_where_a_cpus_time_goes_is_measured(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cpu = loaded(PATH.with_name("cpu_training.py"), monkeypatch)
    run = cpu.composed(*TINY, precision="fp32")
    shares = cpu.profiled(run, 0.1)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["convolutions, backward"] > shares["optimizer"] > 0
    monkeypatch.setattr(cpu, "BATCHES", (8, 32))
    monkeypatch.setattr(cpu, "EVALUATION_BATCHES", (250,))
    trained, scored = cpu.options(run, 0.1, 1), cpu.evaluation(run, 0.1, 1)
    assert list(trained) == ["batch 8", "batch 32", "contiguous"]
    assert min(*trained.values(), *scored.values()) > 0
    cpu.table("options", {"tiny": trained}, "batch 32", "images/s")
    assert "| batch 32 | 1.00 (" in capsys.readouterr().out


def test_the_variance_of_contrasts_is_measured_against_independent_cells(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cells that share all of a seed's error, relative to theirs, have no variance of contrasts."""
    crn = loaded(PATH.with_name("common_random_numbers.py"), monkeypatch)
    moods = np.array([0.9, 1.0, 1.1])
    shared = [cell("a", 1.0, tuple(0.4 * moods)), cell("b", 1.0, tuple(0.2 * moods))]
    assert crn.ratio({"a": 1.0, "b": -1.0}, shared) == (pytest.approx(0, abs=1e-12), 2)
    rng = np.random.default_rng(0)
    alone = [cell(k, 1.0, tuple(0.3 + 0.01 * rng.standard_normal(4000))) for k in "abc"]
    value, df = crn.ratio({"a": 1.0, "b": -0.5, "c": -0.5}, alone)
    assert value == pytest.approx(1, abs=0.1)
    assert df == 3999
