"""Stores of each schema that was released: read, continued, or refused with the way out."""

import json
import tarfile
from pathlib import Path

import pytest
from write_small_store import SMALL, store_of

from helpers.commands import Command
from helpers.tracked import call
from scaling_study.common.errors import InputError
from scaling_study.study.result import READABLE, SCHEMA, OtherSchemaError, read_result
from scaling_study.study.store import Store
from scaling_study.study.table import read_study

# Kept in store.tar.gz, with more than this file asks of it: test_old_store.py.
LARGE = 2


@pytest.fixture(params=[schema for schema in READABLE if schema != LARGE])
def folder(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with a small store of a schema: two results, and a checkpoint without its result."""
    with tarfile.open(store_of(request.param)) as tar:
        tar.extractall(tmp_path, filter="data")
    return tmp_path


def test_every_schema_that_is_read_has_a_store() -> None:
    assert SCHEMA in READABLE
    assert all(store_of(schema).is_file() for schema in READABLE if schema != LARGE)


@pytest.mark.slow
def test_a_store_is_read_and_continued(folder: Path, command: Command) -> None:
    found = read_study(folder / "results/small")
    assert (len(found.runs), len(found.left_out)) == (2, 1)
    (lost,) = found.left_out
    done = command("scaling_study.sweep", *SMALL)
    assert done.returncode == 0, done.stderr
    assert "results/small: 3 ok" in done.stdout
    result = read_result(folder / "results/runs" / lost / "result.json")
    before = json.loads((folder / "results/lost.json").read_text(encoding="utf-8"))
    assert (result.run_id, result.status) == (before["run_id"], "ok")
    # The checkpoint has what was timed: nothing was trained again.
    assert result.step_time_s == before["step_time_s"]
    assert result.val_loss == pytest.approx(before["val_loss"], rel=1e-3)


@pytest.mark.parametrize(
    ("schema", "advice"),
    [
        (SCHEMA + 1, "update scaling-study, or give another results_dir"),
        (1, "use the version that wrote it, or give another results_dir"),
    ],
)
def test_a_result_of_another_version_is_refused_and_kept(
    folder: Path, schema: int, advice: str
) -> None:
    path = min(folder.glob("results/runs/*/result.json"))
    record = json.loads(path.read_text(encoding="utf-8")) | {"schema": schema, "new": 1}
    path.write_text(json.dumps(record), encoding="utf-8")
    with pytest.raises(OtherSchemaError, match=advice):
        read_result(path)
    store = Store(folder / "results")
    assert store.state(path.parent.name) == "unreadable"
    with pytest.raises(InputError, match=advice):
        store.set_aside(path.parent.name)
    assert advice in read_study(folder / "results/small").left_out[path.parent.name]
    assert path.is_file()


@pytest.mark.slow
def test_a_sweep_in_a_store_of_another_version_is_refused(folder: Path) -> None:
    path = min(folder.glob("results/runs/*/result.json"))
    text = path.read_text(encoding="utf-8").replace(f'"schema": {SCHEMA}', '"schema": 99')
    path.write_text(text, encoding="utf-8")
    code, said = call("scaling_study.sweep", *SMALL, cwd=folder)
    assert code == 2
    assert "schema 99, this version reads 2 and 3; update scaling-study" in said
    assert path.read_text(encoding="utf-8") == text
