"""The code of a user's family is part of its runs' ids: an edit gives new runs, and says why."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from helpers.own_modules import FAMILY, MODEL, NETS, write_mlp
from helpers.tiny import TINY, tiny
from scaling_study.common import source
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig, changed_code, run_config, stored_run
from scaling_study.cost.device_times import Times
from scaling_study.grid.cell import Cell
from scaling_study.launch.code_snapshot import freeze
from scaling_study.launch.job import Job
from scaling_study.models.counting import process
from scaling_study.planning.code_changes import code_changes
from scaling_study.planning.plan import plan

Edit = Callable[[str, str], None]


@pytest.fixture
def edit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Edit:
    """Writes a file of the family, as between two calls of the sweep."""
    write_mlp(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)

    def edited(name: str, text: str) -> None:
        (tmp_path / "own_mlp" / name).write_text(text, encoding="utf-8")
        source.source_files.cache_clear()
        source.sources_of.cache_clear()
        process.end()
        for module in [module for module in sys.modules if module.startswith("own_mlp")]:
            del sys.modules[module]

    edited("nets.py", NETS)
    return edited


def mlp() -> RunConfig:
    return tiny(model=MODEL)


def test_the_code_of_what_ships_is_in_no_id() -> None:
    assert tiny().code == {}
    assert tiny().run_id == stored_run(TINY).run_id


@pytest.mark.slow
def test_an_edit_gives_another_id_and_going_back_the_same(edit: Edit) -> None:
    first = mlp()
    assert {*first.code} == {"own_mlp.family", "own_mlp.nets"}
    edit("nets.py", NETS.replace("GELU", "ReLU"))
    assert mlp().run_id != first.run_id
    assert mlp().config_id != first.config_id
    assert changed_code(first) == ["own_mlp.nets"]
    edit("nets.py", NETS)
    assert (mlp().run_id, changed_code(first)) == (first.run_id, [])


@pytest.mark.slow
def test_the_plan_says_why_runs_are_new(edit: Edit, execution: ExecutionConfig) -> None:
    job = Job(mlp(), execution)
    assert job().status == "ok"
    edit("nets.py", NETS.replace("GELU", "ReLU"))
    results = job.store.read()
    rows = plan([Cell(mlp(), {})], job.store, results, Times([], 1))
    assert [row.state for row in rows] == ["planned"]
    assert code_changes(rows, job.store, results) == [
        "1 run is new, because the code of own_mlp.nets changed; the results of before stay"
    ]
    edit("nets.py", NETS)
    rows = plan([Cell(mlp(), {})], job.store, results, Times([], 1))
    assert [row.state for row in rows] == ["ok"]
    assert code_changes(rows, job.store, results) == []


@pytest.mark.slow
def test_runs_from_before_code_was_in_ids_stay_and_are_named(
    edit: Edit, execution: ExecutionConfig
) -> None:
    edit("family.py", FAMILY)
    former = stored_run({**TINY, "model": MODEL})
    store = Job(former, execution).store
    folder = store.run_dir(former.run_id)
    folder.mkdir(parents=True)
    values = {**TINY, "model": MODEL}
    (folder / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    rows = plan([Cell(mlp(), {})], store, {}, Times([], 1))
    (line,) = code_changes(rows, store, {former.run_id: None})
    assert "own_mlp.family, own_mlp.nets is part of their ids now" in line


@pytest.mark.slow
def test_a_run_is_not_trained_by_other_code_than_it_was_planned_with(
    edit: Edit, execution: ExecutionConfig
) -> None:
    job = Job(mlp(), execution)
    edit("nets.py", NETS.replace("GELU", "ReLU"))
    outcome = job()
    assert outcome.status == "failed"
    assert outcome.error is not None
    assert "code of own_mlp.nets has changed since the run was planned" in outcome.error


@pytest.mark.slow
def test_a_snapshot_has_what_is_imported_only_in_training(
    edit: Edit, execution: ExecutionConfig, tmp_path: Path
) -> None:
    run = mlp()
    frozen = freeze(execution, tmp_path / "snapshots", [run]).folder
    edit("nets.py", "raise RuntimeError")
    values: dict[str, Any] = {"run": run.code}
    script = (
        "from scaling_study.common.source import sources_of\n"
        "import own_mlp.nets; print(sources_of('own_mlp.family') == "
        f"{values['run']!r}, own_mlp.nets.__file__)"
    )
    import subprocess

    done = subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": str(frozen)},
        cwd="/",
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith(f"True {frozen}")


@pytest.mark.slow
def test_a_stored_run_keeps_the_code_of_its_file(edit: Edit) -> None:
    code = {"own_mlp.family": "0" * 16}
    edit("family.py", FAMILY)
    assert run_config({**TINY, "model": MODEL, "code": code}).code == code
