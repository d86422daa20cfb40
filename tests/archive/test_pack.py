"""A packed study is the same study elsewhere."""

import json
import os
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.__main__ import main as analyse
from helpers.archives import RESULTS, files_in
from helpers.quick_analysis import verdicts_alone
from helpers.study import make_study
from scaling_study.archive.contents import is_run_file
from scaling_study.archive.pack import main as pack
from scaling_study.archive.unpack import main as unpack
from scaling_study.study.store import Store


def verdicts(study: Path, out: Path) -> bytes:
    assert analyse([str(study), "-o", str(out), "--formats", "none"]) == 0
    return (out / "verdicts.json").read_bytes()


@pytest.mark.slow
def test_verdicts_are_byte_equal_elsewhere(
    study: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    verdicts_alone(monkeypatch)
    expected = verdicts(study, tmp_path / "figures" / "here")
    assert json.loads(expected)["verdicts"]["R1-long"]["verdict"] == "supported"
    # These runs began after the freeze: what says so has come along.
    assert json.loads(expected)["prereg"]["exploratory"] is None
    there = tmp_path / "there"
    assert unpack([str(archive), "--results", str(there)]) == 0
    assert verdicts(there / "demo", tmp_path / "figures" / "there") == expected


def test_what_goes_along(study: Path, archive: Path, tmp_path: Path) -> None:
    names = {*zipfile.ZipFile(archive).namelist()}
    own = {f"demo/{name}" for name in ("plan.csv", "grid.yaml", "prereg.yaml", "freeze.json")}
    of_runs = {
        f"runs/{r.run_id}/{name}"
        for r in RESULTS
        for name in ("result.json", "metrics.jsonl", "job.json")
    }
    made = {f"demo/{name}" for name in ("environment.json", "results.csv", "croissant.json")}
    assert names == {"manifest.json"} | made | own | of_runs
    found = json.loads(zipfile.ZipFile(archive).read("demo/environment.json"))
    assert found["packages"]["numpy"]
    assert found["python"].startswith("3.")
    # Which process worked on a run, and where, is nobody's business, and no live claim elsewhere.
    job = json.loads(zipfile.ZipFile(archive).read(f"runs/{RESULTS[0].run_id}/job.json"))
    assert {*job} == {"began", "ended", "cause"}
    with_weights = tmp_path / "weights.zip"
    assert pack([str(study), "-o", str(with_weights), "--checkpoints"]) == 0
    more = {*zipfile.ZipFile(with_weights).namelist()} - names
    assert more == {f"runs/{r.run_id}/checkpoint.pt" for r in RESULTS}


def test_a_report_goes_along_and_another_studys_does_not(
    study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    figures = tmp_path / "figures" / "demo"
    figures.mkdir(parents=True)
    (figures / "verdicts.json").write_text('{"study": "demo"}')
    (figures / "report.html").write_text("<p>")
    assert pack(["demo", "--results", "here"]) == 0
    names = {*zipfile.ZipFile("demo.zip").namelist()}
    assert {"demo/report/report.html", "demo/report/verdicts.json"} <= names
    assert unpack(["demo.zip", "--results", "there"]) == 0
    assert (tmp_path / "there/demo/report/report.html").read_text() == "<p>"
    # Packed again where it was unpacked, it has its own report and environment.
    os.rename(figures, tmp_path / "figures" / "old")
    assert pack(["demo", "--results", "there", "-o", "again.zip"]) == 0
    both = (zipfile.ZipFile(name).read("manifest.json") for name in ("demo.zip", "again.zip"))
    first, second = (json.loads(text) for text in both)
    plain = [{n: f["sha256"] for n, f in m["files"].items()} for m in (first, second)]
    assert plain[0] == plain[1]
    (tmp_path / "figures/old/verdicts.json").write_text('{"study": "other"}')
    assert pack(["demo", "--results", "here", "--report", "figures/old", "-o", "x.zip"]) == 2


def test_equal_studies_make_equal_files(study: Path, archive: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.zip"
    assert pack([str(study), "-o", str(again)]) == 0
    assert again.read_bytes() == archive.read_bytes()
    # Over the same file nothing happens; over another one neither.
    assert pack([str(study), "-o", str(again)]) == 0
    again.write_bytes(b"precious")
    assert pack([str(study), "-o", str(again)]) == 2
    assert again.read_bytes() == b"precious"


def test_a_run_without_a_result_is_in_the_plan_alone(
    study: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (study.parent / "runs" / RESULTS[0].run_id / "result.json").unlink()
    assert pack([str(study), "-o", str(tmp_path / "part.zip")]) == 0
    assert "1 planned runs have no result" in capsys.readouterr().out
    assert unpack([str(tmp_path / "part.zip"), "--results", str(tmp_path / "there")]) == 0
    assert Store(tmp_path / "there").state(RESULTS[0].run_id) == "planned"
    assert Store(tmp_path / "there").state(RESULTS[1].run_id) == "ok"


def test_unpacking_twice_changes_nothing(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    there = tmp_path / "there"
    assert unpack([str(archive), "--results", str(there)]) == 0
    before = files_in(there)
    assert unpack([str(archive), "--results", str(there)]) == 0
    assert files_in(there) == before
    assert f"{len(RESULTS)} of which were there" in capsys.readouterr().out
    assert {path.name for path in there.iterdir()} == {"demo", "runs"}


def test_unpacking_where_it_was_packed_leaves_the_store_alone(study: Path, archive: Path) -> None:
    before = files_in(study.parent)
    assert unpack([str(archive), "--results", str(study.parent)]) == 0
    extra = {f"demo/{name}" for name in ("environment.json", "results.csv", "croissant.json")}
    assert {n: c for n, c in files_in(study.parent).items() if n not in extra} == before


def other_result(there: Path) -> None:
    path = there / "runs" / RESULTS[3].run_id / "result.json"
    path.write_text(path.read_text().replace('"val_error": 0.', '"val_error": 0.9'))


def other_plan(there: Path) -> None:
    with (there / "demo" / "plan.csv").open("a") as file:
        file.write("more,4\n")


def in_work(there: Path) -> None:
    (there / "runs" / RESULTS[3].run_id / "result.json").unlink()


@pytest.mark.parametrize("change", [other_result, other_plan, in_work])
def test_what_is_there_is_never_replaced(
    archive: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[Path], None],
) -> None:
    there = tmp_path / "there"
    assert unpack([str(archive), "--results", str(there)]) == 0
    (there / "runs" / RESULTS[0].run_id / "metrics.jsonl").unlink()
    change(there)
    before = files_in(there)
    assert unpack([str(archive), "--results", str(there)]) == 2
    assert files_in(there) == before
    assert "is there with" in capsys.readouterr().err


def test_failed_runs_go_along(tmp_path: Path) -> None:
    failed = replace(RESULTS[0], status="failed", val_error=None, error="boom", cause="error")
    study = make_study(tmp_path / "here" / "demo", [failed, *RESULTS[1:]])
    assert pack([str(study), "-o", str(tmp_path / "demo.zip")]) == 0
    assert unpack([str(tmp_path / "demo.zip"), "--results", str(tmp_path / "there")]) == 0
    assert Store(tmp_path / "there").state(failed.run_id) == "failed"


def test_what_a_run_says_of_its_images_goes_along():
    assert is_run_file("images.json")
    assert not is_run_file("images.json.bad")
