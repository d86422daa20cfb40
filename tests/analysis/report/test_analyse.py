"""A synthetic study through result.json files and the command line: what is written."""

import csv
import json
import subprocess
import sys
from dataclasses import replace

import pytest

from analysis.__main__ import main
from helpers.judged import verdicts
from helpers.made_up_results import renamed, runs
from helpers.study import write_study

EFFECTS = {4: -0.10, 24: 0.10}
FIGURES = (
    "verdicts",
    "arms_step_time_s",
    "gaps",
    "gap_map",
    "frontier_params",
    "frontier_train_flops",
    "frontier_flops",
    "frontier_step_time_s",
    "main_effects",
    "train_validation_gap",
)


def analysis(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "analysis", *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.slow
def test_known_answer_through_the_command(tmp_path):
    study = write_study(tmp_path, runs(EFFECTS))
    out = tmp_path / "figures"
    done = analysis(study, "-o", out, "--details")
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
    # Few cells carry the weight: fewer degrees of freedom than the pool's 12.
    assert 2 < found["R1-long"]["df"] < 12
    assert found["R1-long"]["exploratory"] is False
    last = done.stdout.splitlines()[-15:-3]
    assert last[0].startswith("R1-long         supported  +")
    assert f"24 epochs; margin 0.5 %, df {found['R1-long']['df']:.0f})" in last[0]
    assert last[1].startswith("                at equal FLOPs supported  +")
    assert found["R1"]["prereg_sha256"] in last[11]
    assert last[10].startswith("not testable    with this grid: R2, R2-depth, R2-exponent, R3")
    assert (study / "prereg.yaml").is_file()
    fits = json.loads((out / "fits.json").read_text())
    assert [f["form"] for f in fits] == ["pl", "spl", "pl", "spl", "surface"]
    assert all("-fold" in " ".join(f["description"]) or f.get("reason") for f in fits)
    with (out / "frontier.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == 4 * 12  # memory was not measured


@pytest.mark.slow
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
    assert main([str(study), "-o", str(tmp_path), "--formats", "png"]) == 0
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_one_arm_only_is_not_testable(tmp_path, capsys):
    study = write_study(tmp_path, [r for r in runs(EFFECTS) if r.width == 0.25])
    assert main([str(study), "-o", str(tmp_path), "--formats", "none", "--details"]) == 0
    assert {v["verdict"] for v in verdicts(tmp_path).values()} == {"not_testable"}
    out = capsys.readouterr().out
    assert "R1-long         not_testable  (no resolution has two cells" in out
    assert "untested  3 rules cannot be tested: no resolution has two cells" in out


@pytest.mark.slow
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
    # The prior is not known exactly either.
    assert 2 < found["df"] < 10
    assert any("prior" in note for note in found["notes"])
    assert not (tmp_path / "frontier_step_time_s.png").exists()


def test_an_output_that_cannot_be_written_is_named(tmp_path, capsys):
    study = write_study(tmp_path, runs(EFFECTS))
    (tmp_path / "file").write_text("")
    assert main([str(study), "-o", str(tmp_path / "file")]) == 2
    assert "cannot write there" in capsys.readouterr().err


@pytest.mark.slow
def test_published_points_are_laid_over_on_request(tmp_path, frontiers_only):
    study = write_study(tmp_path, runs(EFFECTS))
    for extra, marks in (([], 0), (["--published"], 2)):
        assert main([str(study), "-o", str(tmp_path), "--formats", "svg", *extra]) == 0
        drawn = (tmp_path / "frontier_flops.svg").read_text()
        assert drawn.count(" on ImageNet (Bello et al. 2021, Table 7) -->") == marks
        with (tmp_path / "frontier_flops.csv").open(newline="") as file:
            sources = [row.get("source") for row in csv.DictReader(file)]
        assert sources.count("ImageNet (Bello et al. 2021, Table 7)") == (19 if extra else 0)


@pytest.mark.slow
def test_cells_without_errors_are_told_of_and_nothing_falls_over(tmp_path):
    results = [replace(r, val_error=0.0) if r.depth > 26 else r for r in runs(EFFECTS)]
    study = write_study(tmp_path, results)
    main([str(study), "--out", str(tmp_path / "out"), "--formats", "png"])
    told = verdicts(tmp_path / "out")
    for rule in ("R1-long", "R1-short", "R4"):
        assert "makes no errors" in str(told[rule])
    assert (tmp_path / "out" / "report.html").exists()


@pytest.mark.slow
def test_figures_are_written_in_the_formats_asked_for(tmp_path, capsys, frontiers_only):
    study, out = write_study(tmp_path, runs(EFFECTS, seeds=2)), tmp_path / "out"

    def written(*options):
        assert main([str(study), "-o", str(out), *options]) == 0
        return {path.suffix[1:] for path in out.glob("frontier_flops.*")}

    out.mkdir()
    (out / "frontier_flops.svg").touch()
    # What an earlier analysis drew would show other numbers than the page.
    assert written("--formats", "pdf") == {"png", "pdf", "csv"}
    assert "<img alt=" in (out / "report.html").read_text()
    assert written("--formats", "none") == {"csv"}
    assert "<img alt=" not in (out / "report.html").read_text()
    assert main([str(study), "-o", str(out), "--formats", "png,gif"]) == 2
    assert (
        "--formats png,gif: 'gif' is none of png, svg, pdf; none: no figures"
        in capsys.readouterr().err
    )
