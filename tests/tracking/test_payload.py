"""Rows of metrics, as they are sent."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from helpers.mirrored_runs import train
from scaling_study.config.execution import ExecutionConfig
from scaling_study.tracking.payload import rows_of


@pytest.mark.slow
def test_metrics_within_an_epoch_are_written_at_most_so_often(execution: ExecutionConfig) -> None:
    rare, _ = train(execution, epochs=4)
    often, _ = train(replace(execution, metrics_every_s=0), seed=1, epochs=4)
    assert [row["epoch"] for _, row in rows_of(rare)] == [1, 2, 3, 4, 4]
    steps = [row["step"] for _, row in rows_of(often)]
    assert steps == [*range(1, 4 * 8 + 1), 32]


def test_rows_get_rising_numbers_and_torn_lines_none(tmp_path: Path) -> None:
    rows = [{"step": 3}, {"step": 3, "val_error": 0.1}, {"step": 4}, {"step": 9}]
    text = "".join(json.dumps(row) + "\n" for row in rows) + '{"step": 1'
    (tmp_path / "metrics.jsonl").write_text(text, encoding="utf-8")
    assert [number for number, _ in rows_of(tmp_path)] == [3, 4, 5, 9]
    assert rows_of(tmp_path / "none") == ()
