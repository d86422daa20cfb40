"""What the report knows of runs, noise, environment and frontiers."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.report.page import content
from analysis.report.page.content import assumed_regimes, environment, frontier_values, run_values
from analysis.report.page.glossary import WORDS
from analysis.report.page.sections import explorer, left_out
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of, without_result
from helpers.made_up_results import cell, runs
from helpers.printed_commands import composed
from helpers.real_study import write_real_study
from helpers.study import add_run, write_plan, write_study
from scaling_study.study.forecasts import RunForecast
from scaling_study.study.result import write_result
from scaling_study.study.store import Store
from scaling_study.study.table import read_study


def test_finished_runs_are_repeated_elsewhere_and_failed_ones_in_place(tmp_path):
    study = tmp_path / "results" / "demo"
    results = write_real_study(study, seeds=1)
    add_run(study, results[0], run_id="no-folder", status="failed", error="disk")
    path = study.parent / "runs" / results[1].run_id / "result.json"
    path.unlink()
    values = run_values(
        table_of(read_study(study), {}),
        study.parent / "runs",
        {"no-folder": RunForecast(3.0, None, None)},
    )
    by_id = {run["id"]: run for run in values}
    assert len(by_id) == len(results) + 1
    done, missing, bare = (by_id[k] for k in (results[0].run_id, results[1].run_id, "no-folder"))
    assert composed(done["command"])[1] == "repeated"
    again, folder = composed(missing["command"])
    assert (again.run_id, folder) == (results[1].run_id, str(study.parent))
    assert missing["reason"] == "no result yet"
    assert (bare["command"], bare["forecast_s"]) == (None, 3.0)


def test_runs_without_a_result_have_a_state_and_what_was_planned(tmp_path):
    study = tmp_path / "results" / "demo"
    results = write_real_study(study, seeds=1)
    runs_dir = study.parent / "runs"
    planned, failed, torn, halved = results[:4]
    (runs_dir / planned.run_id / "result.json").unlink()
    changes = {"status": "failed", "val_error": None, "cause": "host_memory", "error": "oom"}
    write_result(runs_dir / failed.run_id, replace(failed, **changes))
    (runs_dir / torn.run_id / "result.json").write_text("{")
    write_result(runs_dir / halved.run_id, replace(halved, memory_halvings=1))
    columns = ("run_id", "config_id", "epochs", "depth", "width", "resolution", "seed", "flops")
    write_plan(study, [{c: getattr(r, c) for c in columns} for r in results])
    table = table_of(read_study(study), {})
    by_id = {run["id"]: run for run in run_values(table, runs_dir, {})}
    assert len(by_id) == len(results)
    states = {"planned": planned, "failed": failed, "unreadable": torn, "left out": halved}
    for state, result in states.items():
        found = by_id[result.run_id]
        assert found["state"] == state
        assert [found[c] for c in columns[2:]] == [getattr(result, c) for c in columns[2:]]
        folder = composed(found["command"])[1]
        assert (folder == "repeated") == (state == "left out")
    assert by_id[halved.run_id]["val_error"] == halved.val_error
    with Store(study.parent).claim(planned.run_id):
        (row, *_) = without_result(read_study(study))
    assert (row["run_id"], row["state"]) == (planned.run_id, "running")
    listed = "".join(left_out(table))
    assert "1 planned, 1 failed, 1 unreadable, 1 left out. " in listed
    assert "failed (host_memory): oom" in listed


@pytest.mark.parametrize("kind", ["failed", "diverged"])
def test_a_study_without_a_comparable_run_has_a_page_of_what_became_of_them(tmp_path, capsys, kind):
    results = runs({10: 0.1}, seeds=1)
    changes = {"status": kind, "val_error": None, "error": "boom & bust", "cause": "error"}
    study = write_study(tmp_path, [replace(r, **changes) for r in results])
    page = tmp_path / "out" / "report.html"
    assert main([str(study), "-o", str(page.parent), "--formats", "none"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("error: ")
    assert said.rstrip().endswith(f"{page} lists every run")
    text = page.read_text()
    assert all(result.run_id in text for result in results)
    assert ("failed (error): boom &amp; bust" in text) == (kind == "failed")
    assert ("6 failed. The sweep&#x27;s command" in text) == (kind == "failed")
    page.unlink()
    assert (
        main([str(study), "-o", str(page.parent), "--formats", "none", "--where", "depth=7"]) == 2
    )
    assert not page.exists()  # the page of another choice of runs would be lost


def test_bars_from_an_assumed_noise_say_so():
    seeds = [cell("a", 1.0, (0.5, 0.51)), cell("b", 2.0, (0.4, 0.41))]
    single = [replace(c, errors=c.errors[:1], epochs=99) for c in seeds]
    assert assumed_regimes(StudyCells([*seeds, *single])) == [99]
    assert (
        "mean over its seeds with a 95 % interval. "
        in explorer(StudyCells(seeds), published=False)[0]
    )
    assert (
        "one run, its bar assumed noise, one seed"
        in explorer(StudyCells(single), published=False)[0]
    )
    assert (
        "at 99 epochs one run, its bar assumed" in explorer(StudyCells([*seeds, *single]), False)[0]
    )


def test_the_environment_counts_runs(tmp_path):
    study = tmp_path / "results" / "demo"
    results = write_real_study(study, seeds=1)
    rows = [vars(replace(r, git_dirty=i == 0)) for i, r in enumerate(results)]
    found = {(e["what"], e["value"]): e["runs"] for e in environment(rows)}
    commit = results[0].git_commit
    assert found["git commit", commit] == len(rows) - 1
    assert found["git commit", f"{commit} with uncommitted changes"] == 1
    assert found["version of torch", "2.13"] == len(rows)
    assert found["device", "cpu: test"] == len(rows)


@pytest.mark.slow
def test_the_report_of_500_runs_is_small(tmp_path):
    study = tmp_path / "results" / "demo"
    assert len(write_real_study(study, seeds=52, resolutions=(16,))) == 520
    assert main([str(study), "-o", str(tmp_path / "out"), "--formats", "none"]) == 0
    assert (tmp_path / "out" / "report.html").stat().st_size < 8e6


def test_every_resolution_has_a_frontier_of_its_own_with_a_band():
    """The frontier at a cost is the least error of what costs no more, of that px or of any."""
    cells = [
        replace(cell(f"{px}-{cost}", cost, (e, e + 0.01, e - 0.01)), resolution=px)
        for px, shift in ((16, 0.0), (24, 0.05))
        for cost, error in ((1.0, 0.5), (2.0, 0.3), (3.0, 0.4), (4.0, 0.2))
        for e in (error + shift,)
    ]
    found = frontier_values(StudyCells(cells), ["flops"])["flops"][10]
    assert found["16"]["cost"] == pytest.approx([1, 2, 3, 4])
    assert found["16"]["error"] == pytest.approx([0.5, 0.3, 0.3, 0.2])
    assert found["24"]["error"] == pytest.approx([0.55, 0.35, 0.35, 0.25])
    assert found["all"]["error"] == pytest.approx([0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.2, 0.2])
    for part in found.values():
        rows = zip(part["band_low"], part["error"], part["band_high"], strict=True)
        assert all(low < error < high for low, error, high in rows)


def test_the_glossary_of_the_page_is_that_of_the_docs():
    text = (Path(__file__).parents[4] / "docs/report.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (\w[\w ]*) \| (.*) \|$", text.split("## Ten words")[1], re.MULTILINE)
    assert [(word, text.replace("*", "")) for word, text in rows[1:]] == [*WORDS]


def test_a_run_that_stopped_early_says_so():
    assert content._notes({"stopped_epoch": 7}) == ["Stopped early, after 7 epochs."]
    assert content._notes({"stopped_epoch": None}) == []
    assert content._notes({"anchor": "d14-1"}) == ["By cosine, to compare with a cell of a trunk."]
