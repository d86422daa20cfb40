"""The plan as a table: memory of several processes, what differs beside the axes."""

from pathlib import Path

from analysis.rules.confounders import differences
from analysis.study.compared_settings import compared
from helpers.made_up_times import rows_of
from scaling_study.cost.device_times import Times
from scaling_study.planning.plan import plan
from scaling_study.planning.plan_table import table
from scaling_study.study.store import Store
from scaling_study.sweep.display import lines


def test_several_processes_share_a_runs_memory() -> None:
    cells = [row.cell for row in rows_of({"axes": {"width": [0.125]}})]
    one, four = (plan(cells, Store(Path("none")), {}, Times([], 1, n)) for n in (1, 4))
    assert four[0].cost.memory_bytes < one[0].cost.memory_bytes
    assert "on each of 4 devices" in "\n".join(lines(four, 1, "longest"))


def test_what_else_differs_is_named() -> None:
    grid = {
        "axes": {"train.weight_decay": [1e-4, 5e-4]},
        "points": [{"depth": 14}, {"depth": 26, "train.label_smoothing": 0.0}],
    }
    records = table(rows_of(grid), grid)
    assert differences(records, compared(grid)) == [
        "train.label_smoothing: 0 to 0.1",
    ]
    assert compared({"blocks": [grid], "variants": {"cumulative": {"a": {"seed": 1}}}}) == {
        "train.weight_decay",
        "seed",
    }
