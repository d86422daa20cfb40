"""The benchmark of training runs, on networks small enough to say nothing about speed."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from helpers.commands import environment

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


@pytest.fixture
def orchestration(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    # A script finds the files beside it.
    monkeypatch.setattr(sys, "path", [*sys.path, str(PATH.parent)])
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
    orchestration: ModuleType,
) -> None:
    # One slow round does not decide.
    took = {orchestration.OURS: [ours_s, ours_s, 9.0], "Hydra, basic": [0.05, 0.05, 0.0001]}
    code = orchestration.report(took, absent, 2.0, [0.0, 0.0, longest_idle_s])
    printed = capsys.readouterr().out
    assert printed.endswith(f"targets (20 ms, 5 times, 0.2 s): {said}\n")
    assert (code == 0) == (said == "met")
    assert all(f"{name:24} not measured" in printed for name in absent)


@pytest.mark.parametrize(
    ("beyond", "said"), [([0.05, 0.06, 0.9], "met"), ([0.05, 0.2, 0.3], "missed")]
)
def test_runs_that_train_meet_their_target_by_the_median(
    capsys: pytest.CaptureFixture[str],
    beyond: list[float],
    said: str,
    orchestration: ModuleType,
) -> None:
    code = orchestration.report_training(beyond)
    assert capsys.readouterr().out.endswith(f"target 0.1 s: {said}\n")
    assert (code == 0) == (said == "met")


@pytest.mark.slow
def test_what_runs_take_beyond_their_training_is_measured_on_real_ones() -> None:
    words = [sys.executable, str(PATH.with_name("orchestration.py")), "--training", "2"]
    done = subprocess.run(words, env=environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode in (0, 1), done.stderr
    assert re.search(r"takes -?[0-9.]+ s of CPU beyond the training", done.stdout), done.stdout


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
    trained, scored = cpu.options(run, 2), cpu.evaluation(run, 2)
    assert list(trained) == ["batch 8", "batch 32", "contiguous"]
    turns = [*trained.values(), *scored.values()]
    assert {len(found) for found in turns} == {2}
    assert min(min(found) for found in turns) > 0
    cpu.table("options", {"tiny": trained}, "batch 32")
    assert "| batch 32 | 1.00 (" in capsys.readouterr().out


def test_variants_are_compared_turn_by_turn(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A slow turn of the machine slows all variants and changes no ratio."""
    cpu = loaded(PATH.with_name("cpu_training.py"), monkeypatch)
    turns = {"ours": [100.0, 20.0, 90.0], "other": [150.0, 30.0, 135.0]}
    cpu.table("options", {"tiny": turns}, "ours")
    assert "| other | 1.50 (135 images/s) |" in capsys.readouterr().out


SEEDS, FEWER, STUDIES = 5, 2, 400


@pytest.mark.parametrize("shared", [0.0, 0.6])
def test_ratios_of_variances_are_in_their_intervals_as_often_as_they_say(
    shared: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six cells, of different noise, whose relative errors correlate by `shared` within seeds."""
    crn = loaded(PATH.with_name("common_random_numbers.py"), monkeypatch)
    rng, sds = np.random.default_rng(1), dict(zip("abcdef", 0.01 * np.arange(1, 7), strict=True))
    inside: dict[str, list[bool]] = {"contrast": [], "all": []}
    for _ in range(STUDIES):
        mood = np.sqrt(shared) * rng.standard_normal(SEEDS)
        drawn = {k: rng.standard_normal((2, SEEDS)) for k in sds}
        common = {k: 1 + sd * (mood + np.sqrt(1 - shared) * drawn[k][0]) for k, sd in sds.items()}
        own = {k: 1 + sd * drawn[k][1][:FEWER] for k, sd in sds.items()}
        one = crn.of_contrast({"a": 2.0, "b": -1.0}, common, own)
        both = crn.of_all(common, own)
        inside["contrast"].append(one.low <= 1 - shared <= one.high)
        inside["all"].append(both.low <= 1 - shared <= both.high)
        assert one.low < one.value < one.high
        assert both.low < both.value < both.high
    assert 0.85 < np.mean(inside["all"]) < 0.96
    assert np.mean(inside["contrast"]) > 0.86  # wider than it need be


def test_the_half_width_of_a_paired_contrast_has_the_degrees_of_freedom_of_its_seeds(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    crn = loaded(PATH.with_name("common_random_numbers.py"), monkeypatch)
    # Student's t at 97.5 %: 2.776 with 4 degrees of freedom, 2.306 with 8.
    assert crn.half_width(1.0, 4, 8) == pytest.approx(2.776 / 2.306, abs=1e-3)
    assert crn.half_width(0.25, 4, 4) == pytest.approx(0.5)


def test_seeds_that_one_cell_lacks_are_left_out_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    crn = loaded(PATH.with_name("common_random_numbers.py"), monkeypatch)
    whole = SimpleNamespace(name="a", seeds=(2, 0, 1), errors=(0.3, 0.1, 0.9))
    without_1 = SimpleNamespace(name="b", seeds=(0, 2), errors=(0.4, 0.6))
    found = crn.relative_errors([whole, without_1])
    assert found["a"] == pytest.approx([0.5, 1.5])  # seeds 0 and 2, by their mean
    assert found["b"] == pytest.approx([0.8, 1.2])
