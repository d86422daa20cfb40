"""A study and its archive."""

import os
from pathlib import Path

import pytest

from helpers.archives import RESULTS
from helpers.study import make_study
from scaling_study.archive.pack import main as pack
from scaling_study.study.claims import claim_of_this_process, write_note


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
