"""A family and a data set as a user wrote them for the version before still work, unchanged."""

import importlib
import json
from pathlib import Path

import pytest
from write_store import USER

from helpers.commands import Command
from scaling_study.data import DATA_SETS


def test_a_users_family_trains_on_a_users_data_set(
    command_here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(USER)
    stripes = importlib.import_module("own_data.stripes")
    monkeypatch.setitem(DATA_SETS, "stripes", stripes.DATA_SET)
    done = command_here(
        "scaling_study.train",
        *("--config-dir", str(USER / "conf"), "model=mobilenet", "data=stripes"),
        *("model.depth=18", "model.width=0.25", "data.resolution=32", "train.epochs=2"),
        "precision=fp32",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = tmp_path.glob("results/runs/*/result.json")
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["run_id"] == "d18-w0.25-r32-e2-s0-235b7c7f4f"
    assert (result["status"], result["family"], result["data"], result["n_val"]) == (
        *("ok", "own_models.mobilenet", "stripes"),
        200,
    )


def test_compound_scaling_is_where_the_page_said() -> None:
    module = importlib.import_module("scaling_study.models.families.efficientnet")
    assert module.compound(1) == (1.2, 1.1, 258)
