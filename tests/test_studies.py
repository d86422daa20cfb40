"""The list of studies."""

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.made_up_results import runs
from helpers.study import make_study, write_plan
from scaling_study.studies import main

RESULTS = [replace(result, wall_s=120.0) for result in runs({4: -0.05})]


def lines(
    folder: Path, capsys: pytest.CaptureFixture[str], *options: str
) -> tuple[int, list[str], str]:
    code = main([str(folder), *options])
    said = capsys.readouterr()
    return code, said.out.splitlines(), said.err


def test_a_line_says_what_a_study_has(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    question = "does scaling depth or width lower the error more at equal step time?"
    study = make_study(tmp_path / "demo", RESULTS, f"name: demo\nquestion: {question}\n")
    planned = [r.run_id for r in RESULTS] + ["never-run"]
    write_plan(study, [{"run_id": run_id, "epochs": 4} for run_id in planned])
    last = time.mktime((2026, 3, 9, 12, 0, 0, 0, 0, -1))
    for number, result in enumerate(RESULTS):
        path = tmp_path / "runs" / result.run_id / "result.json"
        os.utime(path, (last - 86400 * number,) * 2)
    code, (head, line), _ = lines(tmp_path, capsys)
    assert code == 0
    assert head.split() == ["study", "runs", "run", "time", "last", "question"]
    # 18 runs of two minutes.
    for part in ("demo ", "18 ok, 1 planned", "36:00 min", "2026-03-09", "does scaling"):
        assert part in line
    assert len(line) == 80
    assert line.endswith("…")
    _, said, _ = lines(tmp_path, capsys, "--json")
    (found,) = json.loads("\n".join(said))
    assert found["question"] == question
    assert found["states"] == {"ok": 18, "planned": 1}
    assert found["train_flops"] == sum(r.train_flops for r in RESULTS)
    assert found["last"] == last


def test_no_line_is_longer_than_80_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    make_study(tmp_path / ("long" * 30), RESULTS)
    broken = make_study(tmp_path / "broken", RESULTS)
    (broken / "plan.csv").write_text("epochs\nsoon\n")
    code, said, _ = lines(tmp_path, capsys)
    assert code == 0
    assert max(map(len, said)) <= 80
    assert any(line.split()[:4] == ["broken", "cannot", "be", "read;"] for line in said)
    _, said, _ = lines(tmp_path, capsys, "--json")
    found = {study["name"]: study for study in json.loads("\n".join(said))}
    assert found["broken"]["problem"].startswith(f"{broken / 'plan.csv'} is no plan")


def test_an_empty_folder_and_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said, _ = lines(tmp_path, capsys)
    assert (code, said) == (
        *(0, [f"{tmp_path} has no study yet; scaling-study run +grid=NAME makes one"]),
    )
    code, said, error = lines(tmp_path / "nowhere", capsys)
    assert (code, said) == (2, [])
    assert error.startswith(f"error: {tmp_path / 'nowhere'}: no such folder")
