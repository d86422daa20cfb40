"""A packed study is the same study elsewhere, and a strange archive does nothing."""

import hashlib
import json
import os
import stat
import zipfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import main as analyse
from helpers.made_up_results import runs
from helpers.quick_analysis import verdicts_alone
from helpers.study import make_study
from scaling_study.archive.pack import main as pack
from scaling_study.archive.unpack import FREE_BYTES
from scaling_study.archive.unpack import main as unpack
from scaling_study.study.claims import claim_of_this_process, write_note
from scaling_study.study.store import Store

RESULTS = runs({4: -0.05, 20: 0.08})


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """A frozen study whose runs have notes of their workers, and one that has failed."""
    study = make_study(tmp_path / "here" / "demo", RESULTS, "name: demo\nn_classes: 10\n")
    for number, result in enumerate(RESULTS):
        folder = study.parent / "runs" / result.run_id
        ended = 2e9 + number
        note = claim_of_this_process() | {"began": ended - 60, "ended": ended, "cause": None}
        write_note(folder / "job.json", note)
        os.utime(folder / "result.json", (ended, ended + 0.125))
        (folder / "metrics.jsonl").write_text('{"step": 1}\n')
        (folder / "checkpoint.pt").write_bytes(b"weights")
        (folder / "log.txt").write_text("a line\n")
    for name in ("sweep.json", "jobs.json", "report.log", ".grid.yaml.7.tmp"):
        (study / name).write_text("{}")
    return study


@pytest.fixture
def archive(study: Path, tmp_path: Path) -> Path:
    file = tmp_path / "demo.zip"
    assert pack([str(study), "-o", str(file)]) == 0
    return file


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def verdicts(study: Path, out: Path) -> bytes:
    assert analyse([str(study), "-o", str(out)]) == 0
    return (out / "verdicts.json").read_bytes()


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
    assert names == {"manifest.json", "demo/environment.json"} | own | of_runs
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
    extra = {"demo/environment.json"}
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


def rewritten(
    archive: Path,
    out: Path,
    change: Callable[[dict[str, bytes], dict[str, Any]], None],
    sign: bool = True,
    attributes: int = 0o644 << 16,
) -> Path:
    """The archive with changed members, its manifest made anew from them if it is to `sign`."""
    with zipfile.ZipFile(archive) as old:
        members = {name: old.read(name) for name in old.namelist()}
    manifest = json.loads(members.pop("manifest.json"))
    change(members, manifest)
    if sign:
        manifest["files"] = {
            name: {"size": len(c), "sha256": hashlib.sha256(c).hexdigest(), "mtime": 1.0}
            for name, c in members.items()
        }
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("manifest.json", json.dumps(manifest))
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = attributes
            new.writestr(info, content)
    return out


RUN = f"runs/{RESULTS[0].run_id}"
NAMES = [
    *("../evil", "/tmp/evil", "demo/../../evil", f"{RUN}/../../evil", "demo//plan.csv"),
    *("demo/report/../../evil", "..\\evil", "C:/evil", "demo/.hidden", "other/plan.csv"),
    *(f"{RUN}/evil.py", "runs/result.json", f"{RUN}/deeper/result.json", "demo/sweep.json"),
    *("demo/jobs/1.json", "evil", "demo/a\nb", "demo/evil.py", "demo/report/evil.py"),
    *("demo/report/evil.so", "demo/report/evil.pyc", "demo/plan.csv/evil.txt"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_no_study_has_is_refused(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    bad = rewritten(archive, tmp_path / "bad.zip", lambda m, _: m.update({name: b"x"}))
    before = files_in(tmp_path)
    assert unpack([str(bad), "--results", str(tmp_path / "there")]) == 2
    assert files_in(tmp_path) == before
    told = capsys.readouterr().err
    assert told.startswith(f"error: {bad}: ")
    assert "has no such file" in told


def with_pid(members: dict[str, bytes], _: dict[str, Any]) -> None:
    members[f"{RUN}/job.json"] = json.dumps({"pid": 1, "host": "here", "began": 1.0}).encode()


def bomb(members: dict[str, bytes], _: dict[str, Any]) -> None:
    members[f"{RUN}/metrics.jsonl"] = bytes(3 * FREE_BYTES)


def lie(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members[f"{RUN}/metrics.jsonl"] = b'{"step": 2}\n'


def longer(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members[f"{RUN}/metrics.jsonl"] += b" "


def unlisted(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    members[f"{RUN}/checkpoint.pt"] = b"x"


def lacking(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    del members[f"{RUN}/metrics.jsonl"]


def no_plan(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    del members["demo/plan.csv"]


def no_result(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    del members[f"{RUN}/result.json"]


def named_runs(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["study"] = "runs"


def newer(members: dict[str, bytes], manifest: dict[str, Any]) -> None:
    manifest["schema"] = 2


@pytest.mark.parametrize(
    ("change", "sign", "said"),
    [
        (with_pid, True, "more than when the run was trained"),
        (bomb, True, "more than any study does"),
        (lie, False, "damaged"),
        (longer, False, "not the size"),
        (unlisted, False, "differ"),
        (lacking, False, "differ"),
        (no_plan, True, "demo/plan.csv is missing"),
        (no_result, True, "has no result"),
        (named_runs, True, "runs"),
        (newer, True, "schema 1"),
    ],
)
def test_a_strange_archive_is_refused_and_leaves_nothing(
    archive: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    change: Callable[[dict[str, bytes], dict[str, Any]], None],
    sign: bool,
    said: str,
) -> None:
    bad, there = rewritten(archive, tmp_path / "bad.zip", change, sign), tmp_path / "there"
    assert unpack([str(bad), "--results", str(there)]) == 2
    assert files_in(there) == {}
    told = capsys.readouterr().err
    assert said in told
    assert len(told.splitlines()) == 1


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFDIR, stat.S_IFIFO, stat.S_IFCHR])
def test_links_folders_and_devices_are_refused(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: int
) -> None:
    bad = rewritten(archive, tmp_path / "bad.zip", lambda *_: None, attributes=(kind | 0o777) << 16)
    there = tmp_path / "there"
    assert unpack([str(bad), "--results", str(there)]) == 2
    assert files_in(there) == {}
    assert "is no plain file" in capsys.readouterr().err


def test_a_member_that_is_there_twice_is_refused(archive: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(archive, "a") as file, pytest.warns(UserWarning, match="Duplicate"):
        file.writestr("demo/plan.csv", "run_id,epochs\n")
    there = tmp_path / "there"
    assert unpack([str(archive), "--results", str(there)]) == 2
    assert files_in(there) == {}


@pytest.mark.parametrize(
    "content", [b"", b"PK torn", b"not a zip file", pytest.param(None, id="half")]
)
def test_a_damaged_file_is_one_message(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes | None
) -> None:
    whole = archive.read_bytes()
    archive.write_bytes(whole[: len(whole) // 2] if content is None else content)
    assert unpack([str(archive), "--results", str(tmp_path / "there")]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {archive}: no archive of a study")
    assert len(told.splitlines()) == 1


def test_flipped_bytes_never_get_through(archive: Path, tmp_path: Path) -> None:
    whole, there = archive.read_bytes(), tmp_path / "there"
    assert unpack([str(archive), "--results", str(there)]) == 0
    expected = files_in(there)
    for at in range(0, len(whole), max(1, len(whole) // 30)):
        archive.write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        other = tmp_path / f"other{at}"
        code = unpack([str(archive), "--results", str(other)])
        assert files_in(other) == (expected if code == 0 else {})


def test_a_study_that_is_not_there_is_named(
    study: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pack(["dmo", "--results", str(study.parent)]) == 2
    assert capsys.readouterr().err.endswith("has demo\n")


def test_failed_runs_go_along(tmp_path: Path) -> None:
    failed = replace(RESULTS[0], status="failed", val_error=None, error="boom", cause="error")
    study = make_study(tmp_path / "here" / "demo", [failed, *RESULTS[1:]])
    assert pack([str(study), "-o", str(tmp_path / "demo.zip")]) == 0
    assert unpack([str(tmp_path / "demo.zip"), "--results", str(tmp_path / "there")]) == 0
    assert Store(tmp_path / "there").state(failed.run_id) == "failed"
