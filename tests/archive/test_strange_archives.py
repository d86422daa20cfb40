"""A strange archive does nothing."""

import hashlib
import json
import stat
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helpers.archives import RESULTS, files_in
from scaling_study.archive.pack import main as pack
from scaling_study.archive.unpack import FREE_BYTES
from scaling_study.archive.unpack import main as unpack


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


@pytest.mark.slow
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


@pytest.mark.slow
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
