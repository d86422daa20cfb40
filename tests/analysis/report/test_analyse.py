"""A synthetic study through result.json files and the command line, and what is refused."""

import csv
import json
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.figures import all_figures
from analysis.rules.judge import judge
from analysis.rules.preregistration import freeze, load_rules
from analysis.rules.wording import lines, record
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.analysis_data import renamed, runs, verdicts, write_study
from scaling_study.common.errors import InputError
from scaling_study.study.table import read_study
from scaling_study.tasks.classification import learned_error

EFFECTS = {4: -0.10, 24: 0.10}
FIGURES = (
    "verdicts",
    "arms_step_time_s",
    "gaps",
    "gap_map",
    "laws",
    "frontier_params",
    "frontier_train_flops",
    "frontier_flops",
    "frontier_step_time_s",
    "train_validation_gap",
)


def analysis(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "analysis", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def undrawn(monkeypatch):
    """No pictures, which take most of the time: for tests of verdicts and words."""
    monkeypatch.setattr("analysis.report.analyse.figures", lambda *_: [])


@pytest.fixture
def frontiers_only(monkeypatch):
    """No other pictures: for tests about frontiers."""
    kept = [figure for figure in all_figures.FIGURES if figure.name.startswith("frontier_")]
    monkeypatch.setattr("analysis.figures.all_figures.FIGURES", kept)


def judged(study, where=()):
    """Verdicts by rule, without drawing anything."""
    loaded = read_study(study)
    table = table_of(loaded, dict(where))
    return {
        j.rule.name: j
        for j in judge(table, StudyCells.of(table.rows), load_rules(study, loaded.grid))
    }


def test_known_answer_through_the_command(tmp_path):
    study = write_study(tmp_path, runs(EFFECTS))
    out = tmp_path / "figures"
    done = analysis(study, "-o", out)
    assert (done.returncode, done.stderr) == (0, "")
    for name in FIGURES:
        for end in ("png", "svg", "pdf", "csv"):
            assert (out / f"{name}.{end}").stat().st_size > 100
    found = verdicts(out)
    about_arms = [
        v for v in found.values() if v["kind"] in ("arms", "all", "interaction", "regret")
    ]
    assert [v["verdict"] for v in about_arms] == ["supported"] * 5
    laws = [v["verdict"] for v in found.values() if v not in about_arms]
    # A few steps in width can be counted in any study; the other laws need more cells, or families.
    assert laws == [*["not_testable"] * 5, "inconclusive", "not_testable"]
    assert found["R1-long"]["ci_low"] < 0.10 < found["R1-long"]["ci_high"]
    assert found["R1-short"]["ci_low"] < -0.10 < found["R1-short"]["ci_high"]
    assert found["R1-long"]["df"] == 12
    assert found["R1-long"]["exploratory"] is False
    last = done.stdout.splitlines()[-8:]
    assert last[0].startswith("R1-long         supported  +")
    assert "24 epochs; margin 0.5 %, df 12)" in last[0]
    assert found["R1"]["prereg_sha256"] in last[7]
    assert last[6].startswith("not testable    with this grid: R2, R2-depth, R2-exponent, R3")
    assert (study / "prereg.yaml").is_file()
    fits = json.loads((out / "fits.json").read_text())
    assert [f["form"] for f in fits] == ["pl", "spl", "pl", "spl", "surface"]
    assert all("-fold" in " ".join(f["description"]) or f.get("reason") for f in fits)
    with (out / "frontier.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4 * 12  # memory was not measured


def test_report_stands_alone_and_lists_what_is_left_out(tmp_path, capsys):
    evil = '<script>alert("x")</script>&'
    results = runs(EFFECTS)
    first, second = results[:2]
    results += [
        replace(renamed(first, "-x"), status="failed", error=evil),
        replace(renamed(first, "-y"), config_id=first.config_id, status="diverged", val_error=None),
    ]
    study = write_study(tmp_path, results)
    (tmp_path / "results" / "runs" / second.run_id / "result.json").unlink()
    assert main([str(study), "-o", str(tmp_path)]) == 0
    page = (tmp_path / "report.html").read_text()
    assert page.count("<img alt=") == len(FIGURES)
    assert page.count(evil) == 0
    assert "&lt;script&gt;alert" in page
    assert "\\u003cscript\\u003ealert" in page
    assert "src=http" not in page
    assert page.index("Verdicts") < page.index("Figures") < page.index("Runs not analysed (3)")
    out = capsys.readouterr().out
    for told in (f"{first.run_id}-y: diverged", f"{second.run_id}: no result yet"):
        assert f"left out: {told}" in out
        assert told.split(":")[0] in page
    notes = verdicts(tmp_path)["R1-short"]["notes"]
    assert any("1 excluded runs by side: 1 base; classes unknown" in note for note in notes)


def test_diverged_runs_scored_at_chance_can_lower_a_verdict(tmp_path):
    results = runs({4: -0.10, 24: 0.03})
    results += [
        replace(renamed(r, "-bad"), config_id=r.config_id, status="diverged", val_error=None)
        for r in results
        if r.epochs == 24 and r.depth == 50
    ]
    study = write_study(tmp_path, results, "name: demo\nn_classes: 32\n")
    found = judged(study)
    assert found["R1-long"].verdict.value == "inconclusive"
    assert "scored at chance" in found["R1-long"].verdict.reason
    assert found["R1-short"].verdict.value == "supported"


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
        "hardly better than chance: error 96.0 % with 32 classes"
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
    assert main([str(study), "-o", str(tmp_path / "out")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: mixed table: ")
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_where_selects_from_a_mixed_table(tmp_path, undrawn):
    results = runs(EFFECTS)
    other = [replace(renamed(r, "-x"), precision="bf16") for r in results]
    study = write_study(tmp_path, [*results, *other])
    assert judged(study, {"precision": "fp32"}.items())["R1"].verdict.value == "supported"
    chosen = ["--where", "precision=fp32", "--where", "epochs=24"]
    assert main([str(study), "-o", str(tmp_path), *chosen]) == 0
    found = verdicts(tmp_path)["R1-long"]
    assert found["exploratory"] is True
    assert (found["verdict"], found["estimate"]) == ("not_testable", None)


@pytest.mark.parametrize("where", ["precision", "colour=red", "precision=fp8"])
def test_bad_where_is_refused(tmp_path, where, capsys):
    study = write_study(tmp_path, runs(EFFECTS, seeds=2))
    assert main([str(study), "-o", str(tmp_path), "--where", where]) == 2
    assert capsys.readouterr().err.startswith("error: ")


def test_missing_and_empty_studies_are_refused(tmp_path, capsys):
    missing = analysis(tmp_path / "none", "-o", tmp_path)
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr.startswith("error: no study in ")
    assert missing.stderr.count("\n") == 1
    study = write_study(
        tmp_path, [replace(r, status="failed", error="disk") for r in runs(EFFECTS)]
    )
    assert main([str(study), "-o", str(tmp_path)]) == 2
    assert "0 finished, 36 left out: failed: disk" in capsys.readouterr().err


def test_one_arm_only_is_not_testable(tmp_path, capsys, undrawn):
    study = write_study(tmp_path, [r for r in runs(EFFECTS) if r.width == 0.25])
    assert main([str(study), "-o", str(tmp_path)]) == 0
    assert {v["verdict"] for v in verdicts(tmp_path).values()} == {"not_testable"}
    assert "R1-long         not_testable  (no resolution has two cells" in capsys.readouterr().out


def test_one_seed_without_step_times(tmp_path, frontiers_only):
    results = [replace(r, step_time_s=None, train_error=None) for r in runs(EFFECTS, seeds=1)]
    study = write_study(tmp_path, results, "rules: {cost: flops}\n")
    assert main([str(study), "-o", str(tmp_path)]) == 0
    blind = verdicts(tmp_path)["R1-long"]
    assert blind["verdict"] == "not_testable"
    assert "one seed per cell does not measure" in blind["reason"]
    (study / "prereg.yaml").unlink()
    (study / "grid.yaml").write_text("rules: {cost: flops, seed_sd: prior}\n")
    assert main([str(study), "-o", str(tmp_path)]) == 0
    found = verdicts(tmp_path)["R1-long"]
    assert found["df"] is None
    assert any("prior" in note for note in found["notes"])
    assert not (tmp_path / "frontier_step_time_s.png").exists()


def test_changed_rules_make_verdicts_exploratory(tmp_path):
    study = write_study(tmp_path, runs(EFFECTS, seeds=2))
    loaded = read_study(study)
    freeze(study, loaded.grid)
    (study / "grid.yaml").write_text("rules: {margin: 0.0001}\n")
    rules = load_rules(study, read_study(study).grid)
    table = table_of(loaded, {})
    judgements = judge(table, StudyCells.of(table.rows), rules)
    said = [text for text in lines(judgements, rules) if not text.startswith("not testable")]
    assert all("EXPLORATORY" in text for text in said)
    assert record(judgements[0], rules)["exploratory"] is True


def test_a_look_before_all_runs_are_there_is_exploratory(tmp_path, capsys, undrawn):
    results = runs(EFFECTS)
    study = write_study(tmp_path, results)
    (tmp_path / "results" / "runs" / results[0].run_id / "result.json").write_text("[]")
    assert main([str(study), "-o", str(tmp_path)]) == 0
    assert "EXPLORATORY: 1 planned runs have no result" in capsys.readouterr().out
    assert verdicts(tmp_path)["R1-long"]["exploratory"] is True


def test_a_planned_regime_without_results_is_not_replaced_by_another(tmp_path):
    study = write_study(tmp_path, runs(EFFECTS))
    with (study / "plan.csv").open("a") as file:
        file.write("longer-0,400\n")
    found = judged(study)
    assert found["R1-long"].verdict.value == "not_testable"
    assert "no run of 400 epochs" in found["R1-long"].verdict.reason


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


@pytest.mark.parametrize("content", ["a: [", "- 1", "n_classes: many\n"])
def test_a_broken_grid_file_is_named(tmp_path, content, capsys):
    study = write_study(tmp_path, runs(EFFECTS))
    (study / "grid.yaml").write_text(content)
    assert main([str(study), "-o", str(tmp_path)]) == 2
    assert "grid.yaml" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_named(tmp_path, capsys):
    study = write_study(tmp_path, runs(EFFECTS))
    (tmp_path / "file").write_text("")
    assert main([str(study), "-o", str(tmp_path / "file")]) == 2
    assert "cannot write there" in capsys.readouterr().err


def test_published_points_are_laid_over_on_request(tmp_path, frontiers_only):
    study = write_study(tmp_path, runs(EFFECTS))
    for extra, marks in (([], 0), (["--published"], 2)):
        assert main([str(study), "-o", str(tmp_path), *extra]) == 0
        drawn = (tmp_path / "frontier_flops.svg").read_text()
        assert drawn.count(" on ImageNet (Bello et al. 2021, Table 7) -->") == marks
        with (tmp_path / "frontier_flops.csv").open(newline="") as file:
            sources = [row.get("source") for row in csv.DictReader(file)]
        assert sources.count("ImageNet (Bello et al. 2021, Table 7)") == (19 if extra else 0)


def test_cells_without_errors_are_told_of_and_nothing_falls_over(tmp_path):
    results = [replace(r, val_error=0.0) if r.depth > 26 else r for r in runs(EFFECTS)]
    study = write_study(tmp_path, results)
    main([str(study), "--out", str(tmp_path / "out")])
    told = verdicts(tmp_path / "out")
    for rule in ("R1-long", "R1-short", "R4"):
        assert "makes no errors" in str(told[rule])
    assert (tmp_path / "out" / "report.html").exists()
