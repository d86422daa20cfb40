"""A run that the kernel kills because its control group may hold no more memory."""

import json
from pathlib import Path

import pytest

from soak.faults import MissingError, join, small_group
from soak.study import Study, ended

LONG = ("train.epochs=2000", "grid.axes.seed=[0]")


@pytest.mark.slow
def test_its_cause_is_memory(tmp_path: Path) -> None:
    study = Study(tmp_path, tmp_path / "results", tmp_path / "cache")
    try:
        with small_group(1 << 20) as group:
            sweep = study.start(words=LONG)
            while not study.workers():
                assert sweep.poll() is None, study.said()
            join(group, study.workers()[0])
            assert ended(sweep) == 1
    except MissingError as missing:
        pytest.skip(f"no {missing}")
    assert "the process was killed by SIGKILL because memory ran out" in study.said()
    (path,) = study.results.glob("runs/*/result.json")
    found = json.loads(path.read_text(encoding="utf-8"))
    assert (found["status"], found["cause"]) == ("failed", "host_memory")
