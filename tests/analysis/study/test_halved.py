"""Runs whose micro-batch was halved stay out of contrasts unless they are asked for."""

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.__main__ import main
from analysis.report import command
from analysis.rules.confounders import differences
from analysis.study.table import Table, table_of
from helpers.made_up_results import runs
from helpers.study import write_study
from scaling_study.study.table import read_study

EFFECTS = {4: -0.10, 24: 0.10}


def test_halved_runs_are_named_and_left_out_unless_asked_for(tmp_path: Path) -> None:
    results = [replace(result, memory_halvings=0) for result in runs(EFFECTS)]
    # Its error is absurd: whoever counts it in sees it.
    results[3] = replace(results[3], memory_halvings=1, val_error=0.011)
    study = write_study(tmp_path, results)
    loaded = read_study(study)
    table = table_of(loaded, {})
    assert len(table.rows) == len(results) - 1
    assert 0.011 not in {row["val_error"] for row in (*table.rows, *table.excluded)}
    assert "micro-batch was halved" in table.left_out[results[3].run_id]
    everything = table_of(loaded, {}, with_halved=True)
    assert len(everything.rows) == len(results)
    assert everything.left_out == {}
    assert any("memory_halvings: 0 to 1" in text for text in differences(everything.rows))


def test_the_command_line_asks_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    results = [replace(result, memory_halvings=1) for result in runs(EFFECTS)[:1]]
    study = write_study(tmp_path, results + runs(EFFECTS)[1:])
    seen: list[Table] = []
    monkeypatch.setattr(command, "analyse", lambda table, *_: seen.append(table) or [])
    for more in ([], ["--with-halved"]):
        assert main([str(study), "-o", str(tmp_path / "out"), "--formats", "none", *more]) == 0
    assert [len(table.rows) for table in seen] == [len(runs(EFFECTS)) - 1, len(runs(EFFECTS))]
