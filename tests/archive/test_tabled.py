"""A study as a folder with one table of results: what a repository keeps."""

import json
from pathlib import Path

import pytest

from helpers.archives import RESULTS
from helpers.commands import Command
from helpers.made_up_results import runs
from helpers.study import write_study
from scaling_study.archive.pack import main as pack
from scaling_study.study.table import read_study

FILES = {"croissant.json", "grid.yaml", "plan.csv", "results.csv"}


def test_the_folder_is_read_as_the_study_is(study: Path, tmp_path: Path) -> None:
    assert pack([str(study), "--folder", str(tmp_path / "kept")]) == 0
    kept = tmp_path / "kept" / "demo"
    assert {path.name for path in kept.iterdir()} >= FILES
    assert not {path.name for path in kept.iterdir()} & {"sweep.json", "jobs.json"}
    here, there = read_study(study), read_study(kept)
    assert there.runs.equals(here.runs)
    assert (there.plan, there.epochs) == (here.plan, here.epochs)
    assert there.left_out.keys() == here.left_out.keys()
    for run in here.runs["run_id"]:
        assert there.began(run, 1.0) == here.began(run, 1.0)


def test_a_folder_that_is_packed_again_keeps_its_results(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Who has no folders of runs packs what the table has."""
    assert pack([str(study), "--folder", str(tmp_path / "kept"), "--license", "CC0-1.0"]) == 0
    kept, again = tmp_path / "kept" / "demo", tmp_path / "again" / "demo"
    assert pack([str(kept), "--folder", str(again.parent)]) == 0
    assert f"{len(RESULTS)} results of {len(RESULTS)} runs" in capsys.readouterr().out
    for path in kept.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()
    assert pack([str(kept), "-o", str(tmp_path / "demo.zip")]) == 0
    assert f"demo with {len(RESULTS)} runs, " in (said := capsys.readouterr().out)
    assert "no result" not in said


def test_results_of_another_time_are_kept_unless_they_are_to_go(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(study), "--folder", str(tmp_path / "kept")]
    assert pack(words) == 0
    assert pack(words) == 0  # the same again
    path = study.parent / "runs" / RESULTS[0].run_id / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"val_error": 0.125}))
    (tmp_path / "kept/demo/measured.csv").write_text("old\n")
    before = (tmp_path / "kept/demo/results.csv").read_bytes()
    assert pack(words) == 2
    assert "demo is there with other results; --replace puts" in capsys.readouterr().err
    assert (tmp_path / "kept/demo/results.csv").read_bytes() == before
    assert pack([*words, "--replace"]) == 0
    assert 0.125 in [*read_study(tmp_path / "kept/demo").runs["val_error"]]
    assert not (tmp_path / "kept/demo/measured.csv").exists()


def test_a_folder_of_runs_is_no_place_for_it(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack([str(study), "--folder", str(study.parent)]) == 2
    assert "it has folders of runs; give one without" in capsys.readouterr().err


@pytest.mark.slow
def test_its_analysis_is_that_of_the_study(tmp_path: Path, command: Command) -> None:
    study = write_study(tmp_path / "results", runs({4: -0.05, 20: 0.08}))
    assert command("analysis", str(study), "-o", "one").returncode == 0
    assert pack([str(study), "--folder", str(tmp_path / "kept")]) == 0
    done = command("analysis", str(tmp_path / "kept" / study.name), "-o", "two")
    assert done.returncode == 0, done.stderr
    one, two = (
        json.loads((tmp_path / name / "verdicts.json").read_text()) for name in ("one", "two")
    )
    assert one["verdicts"] == two["verdicts"]
