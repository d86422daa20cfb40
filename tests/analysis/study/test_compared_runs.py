"""Which runs are compared: those at chance, mixed tables, settings that differ."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.study.table import table_of
from helpers.judged import judged, verdicts
from helpers.made_up_results import renamed, runs
from helpers.study import write_study
from scaling_study.common.errors import InputError
from scaling_study.study.table import read_study
from scaling_study.tasks.classification import learned_error

EFFECTS = {4: -0.10, 24: 0.10}


@pytest.mark.parametrize(
    ("n_classes", "limit"), [(2, 0.45), (4, 0.675), (11, 9 / 11), (32, 30 / 32), (1000, 0.998)]
)
def test_who_guesses_has_learned_nothing(n_classes, limit):
    assert learned_error(n_classes) == pytest.approx(limit)
    right = np.random.default_rng(0).binomial(10_000, 1 / n_classes, size=2000)
    assert np.mean(1 - right / 10_000 > learned_error(n_classes)) > 0.99


def test_runs_hardly_better_than_chance_are_excluded(tmp_path):
    results = runs(EFFECTS)
    results.append(replace(results[0], run_id="bad", val_error=0.96))
    study = write_study(tmp_path, results, "n_classes: 32\n")
    table = table_of(read_study(study), {})
    assert list(table.left_out.values()) == [
        "hardly better than chance: error 96 % with 32 classes"
    ]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"precision": "bf16"}, "--where 'precision=bf16'"),
        ({"n_val": 10}, "--where 'n_val=10'"),
        ({"device": "cuda: H100"}, "device"),
    ],
)
def test_mixed_tables_are_refused(tmp_path, capsys, change, told):
    results = runs(EFFECTS)
    study = write_study(tmp_path, [*results, replace(renamed(results[0], "-x"), **change)])
    assert main([str(study), "-o", str(tmp_path / "out"), "--formats", "none"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: mixed table: ")
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.usefixtures("verdicts_only")
def test_where_selects_from_a_mixed_table(tmp_path):
    results = runs(EFFECTS)
    other = [replace(renamed(r, "-x"), precision="bf16") for r in results]
    study = write_study(tmp_path, [*results, *other])
    assert judged(study, {"precision": "fp32"}.items())["R1"].verdict.value == "supported"
    chosen = ["--where", "precision=fp32", "--where", "epochs=24"]
    assert main([str(study), "-o", str(tmp_path), "--formats", "none", *chosen]) == 0
    found = verdicts(tmp_path)["R1-long"]
    assert found["exploratory"] is True
    assert (found["verdict"], found["estimate"]) == ("not_testable", None)


@pytest.mark.parametrize("where", ["precision", "colour=red", "precision=fp8"])
def test_bad_where_is_refused(tmp_path, where, capsys):
    study = write_study(tmp_path, runs(EFFECTS, seeds=2))
    assert main([str(study), "-o", str(tmp_path), "--formats", "none", "--where", where]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_runs_that_differ_in_more_than_the_axes_are_not_compared(tmp_path):
    found = runs(EFFECTS)
    threads = [replace(r, threads=2) if r.width > 0.25 else r for r in found]
    with pytest.raises(InputError, match="mixed table: threads has 2 values"):
        judged(write_study(tmp_path / "threads", threads))
    twins = [replace(r, config_id=f"{r.config_id}-x") if r.seed == 2 else r for r in found]
    with pytest.raises(InputError, match="differ in something other than depth"):
        judged(write_study(tmp_path / "twins", twins))
    # Another learning rate is a setting of its own: the width arm then has no base.
    lr = [replace(r, lr=0.4) if r.width > 0.25 else r for r in found]
    verdict = judged(write_study(tmp_path / "lr", lr))["R1-long"].verdict
    assert verdict.value == "not_testable"


def test_errors_that_agree_exactly_are_no_noise_to_judge_by(tmp_path):
    equal = [replace(r, val_error=0.3) for r in runs(EFFECTS)]
    found = judged(write_study(tmp_path, equal))
    assert "replicates agree exactly" in found["R1-long"].verdict.reason
