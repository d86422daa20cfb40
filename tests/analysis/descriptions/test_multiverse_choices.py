"""Which other analyses there are: costs, interpolations, bases, replicates, cells."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.descriptions import multiverse as module
from analysis.descriptions.multiverse import multiverse
from analysis.study.table import Table
from helpers.default_study import FLOPS, default_study, judged


@pytest.mark.slow
def test_other_interpolations_are_those_of_the_sensitivities():
    table, cells, prereg, found = judged(default_study(-0.02, 0.03))
    others = multiverse(table, cells, prereg, found)
    for j in found:
        if j.rule.name in ("R1-long", "R1-interaction"):
            labels = [a for a in others[j.rule.name].verdicts if a.dimension == "interpolation"]
            at_flops = [a for a in labels if a.cost == "FLOPs"]
            assert len(at_flops) == 3
            for analysis in at_flops:
                same = j.sensitivities[analysis.label].verdict.value
                assert others[j.rule.name].verdicts[analysis] == same


@pytest.mark.slow
def test_costs_that_say_the_same_are_taken_once_and_those_without_range_not():
    rows = default_study(-0.02, 0.03, peak_memory_bytes=3e8)
    found = multiverse(*judged(rows))["R1-long"]
    # Training FLOPs are proportional to FLOPs in each regime; memory is the same everywhere.
    assert {a.cost for a in found.verdicts} == {"FLOPs", "step time", "parameters", "activations"}
    for row in rows:
        row["peak_memory_bytes"] = row["flops"] ** 1.1
    found = multiverse(*judged(rows))["R1-long"]
    assert "peak memory" in {a.cost for a in found.verdicts}


@pytest.mark.slow
def test_cells_of_one_name_are_told_apart():
    rows = default_study(-0.06, 0.06)
    twins = [
        {**row, "settings": (("model.act", "x"),), "config_id": f"{row['config_id']}x"}
        for row in rows
    ]
    found = multiverse(*judged([*rows, *twins]))["R1-long"]
    left_out = [a.label for a in found.verdicts if a.dimension == "cell" and a.cost == "FLOPs"]
    assert len(left_out) == len({*left_out}) == found.cells == 10


@pytest.mark.slow
def test_many_cells_are_changed_one_thing_at_a_time(monkeypatch):
    rows = default_study(-0.02, 0.03)
    whole = multiverse(*judged(rows))["R1-long"]
    monkeypatch.setattr(module, "MOST_CELLS", 100)
    alone = multiverse(*judged(rows))["R1-long"]
    assert {*alone.verdicts} < {*whole.verdicts}
    assert all(a.cost == "FLOPs" or not a.dimension for a in alone.verdicts)
    assert "and, at the declared one, " in alone.description
    monkeypatch.setattr(module, "LEAST", 11)
    fewer = multiverse(*judged(rows))["R1-long"]
    assert len(fewer.verdicts) == 11
    assert fewer.description.endswith("without 1 cell that weighs most")
    monkeypatch.setattr(module, "MOST_CELLS", 20)
    monkeypatch.setattr(module, "LEAST", 2)  # fewer than there are replicates
    made = []
    passes = Table.cells
    monkeypatch.setattr(Table, "cells", lambda *given: made.append(1) or passes(*given))
    few = multiverse(*judged(rows))["R1-long"].verdicts
    assert len({row["seed"] for row in rows}) > len(made) == len(few) == 2


@pytest.mark.slow
def test_other_bases_are_those_from_which_both_arms_have_cells():
    """A grid of 3 by 3 has two by two bases with both arms; a star has one."""
    rows = [
        {
            **{"config_id": f"d{d}w{w}e{e}", "run_id": f"d{d}w{w}e{e}s{s}", "depth": d, "width": w},
            **{"resolution": 16, "epochs": e, "seed": s, "status": "ok", "n_val": 8000},
            **{
                "val_error": 0.4 - 0.02 * np.log(d * w) + 0.002 * s * (d % 3 - 1),
                "flops": d * w**2,
            },
        }
        for d in (14, 26, 50)
        for w in (0.25, 0.5, 1.0)
        for e in (4, 20)
        for s in range(3)
    ]
    found = multiverse(*judged(rows))["R1-long"]
    labels = {a.label for a in found.verdicts if a.dimension == "base"}
    assert labels == {
        "from depth 14 and width 0.5",
        "from depth 26 and width 0.25",
        "from depth 26 and width 0.5",
    }
    star = multiverse(*judged(default_study()))["R1-long"]
    assert not [a for a in star.verdicts if a.dimension == "base"]


def test_without_a_second_replicate_none_is_left_out():
    rows = [row for row in default_study() if row["seed"] == 0]
    declared = {"rules": {**FLOPS["rules"], "seed_sd": 0.01}}
    found = multiverse(*judged(rows, declared))["R1-long"]
    assert {a.dimension for a in found.verdicts} == {"", "interpolation", "cell"}
    assert replace(found, value="refuted").same == sum(
        value == "refuted" for value in found.made.values()
    )
