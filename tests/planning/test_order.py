"""The order of runs, near the best makespan or with the frontier's cheap end first."""

import heapq
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.made_up_times import law, rows_of, timings
from helpers.packaged_plans import planned
from scaling_study.common.errors import InputError
from scaling_study.cost.device_times import Times
from scaling_study.grid.declared import names
from scaling_study.planning.order import last_end_s, makespan, needs_of, to_do
from scaling_study.planning.plan import Planned

jobs = st.lists(st.integers(1, 40), min_size=1, max_size=12)


@settings(max_examples=40, deadline=None)
@given(jobs, st.integers(1, 4))
def test_longest_first_is_near_the_best_makespan(epochs: list[int], slots: int) -> None:
    times = Times(timings(law, depth=[14]), 1)
    grid = {"axes": {"epochs": [e + 1 for e in dict.fromkeys(epochs)]}}
    rows = to_do(rows_of(grid, times), "longest")
    seconds = [row.forecast_s or 0 for row in rows]
    assert seconds == sorted(seconds, reverse=True)
    found = makespan(rows, slots)
    assert found is not None
    # Graham's bound for longest processing time first.
    best = max(sum(seconds) / slots, seconds[0])
    assert best <= found + 1e-9 <= best * (4 / 3) + max(seconds) / 3
    free = [0.0] * slots
    for s in seconds:
        heapq.heapreplace(free, free[0] + s)
    assert found == max(free)


@settings(max_examples=60, deadline=None)
@given(jobs, st.integers(1, 4), st.integers(1, 5))
def test_replicates_come_block_by_block_and_end_nearly_as_early(
    epochs: list[int], slots: int, seeds: int
) -> None:
    times = Times(timings(law, depth=[14]), 1)
    axes = {"epochs": [e + 1 for e in dict.fromkeys(epochs)], "seed": list(range(seeds))}
    rows = rows_of({"axes": axes}, times)
    blocked, longest = to_do(rows, "blocked", slots), to_do(rows, "longest", slots)
    assert sorted(r.run.run_id for r in blocked) == sorted(r.run.run_id for r in longest)
    ends = [makespan(found, slots) for found in (blocked, longest)]
    assert ends[0] is not None
    assert ends[1] is not None
    assert ends[0] <= 1.05 * ends[1] + 1e-9
    # Up to some replicate they come one by one; the rest is longest first.
    first = [row.run.seed for row in blocked[: len(blocked) // seeds]]
    if slots == 1:
        assert [row.run.seed for row in blocked] == sorted(row.run.seed for row in blocked)
        assert set(first) == {0}


def test_the_default_study_is_run_seed_by_seed() -> None:
    grid = {"axes": {"depth": [14, 26, 38], "epochs": [4, 20], "seed": [0, 1, 2]}}
    seeds = [row.run.seed for row in to_do(rows_of(grid), slots=2)]
    assert seeds == sorted(seeds)


def end(rows: Sequence[Planned], slots: int) -> float:
    """Training FLOPs until the last run ends: nothing is measured, so that they stand for time.

    Runs wait for those that they start from; `last_end_s` is tested by a simulation below.
    """
    needs = needs_of({row.run.run_id: row.run.parents for row in rows})
    return last_end_s([row.columns["train_flops"] for row in rows], slots, needs)


@pytest.mark.slow
@pytest.mark.parametrize("slots", [2, 8])
@pytest.mark.parametrize("name", names())
def test_shipped_grids_end_as_early_seed_by_seed_as_longest_first(name: str, slots: int) -> None:
    rows, _ = planned(name)
    blocked, longest = (to_do(rows, order, slots) for order in ("blocked", "longest"))
    assert {row.run.run_id for row in blocked} == {row.run.run_id for row in longest}
    assert end(blocked, slots) <= 1.05 * end(longest, slots)
    seeds = [row.run.seed for row in blocked]
    cells = len({row.columns["config_id"] for row in rows})
    if set(seeds[:cells]) != {0}:  # the first replicate alone first would end too late
        first = sorted(longest, key=lambda row: row.run.seed > 0)
        assert end(first, slots) > 1.05 * end(longest, slots)
        assert len(rows) <= 3 * slots  # a slot has too few runs to fill the gaps
    elif slots == 2 and seeds != sorted(seeds):
        # A longer run of a later replicate comes earlier only where all end too late otherwise.
        strict = sorted(longest, key=lambda row: row.run.seed)
        assert end(strict, slots) > 1.05 * end(longest, slots)


def test_a_resumed_sweep_keeps_the_blocks_of_the_whole_plan() -> None:
    rows = rows_of({"axes": {"depth": [14, 26, 38], "seed": [0, 1, 2]}})
    # One cell has lost its second replicate alone, another has its first alone.
    done = {(14, 0), (14, 2), (26, 0)}
    rows = [
        replace(row, state="ok") if (row.run.model.depth, row.run.seed) in done else row
        for row in rows
    ]
    found = [(row.run.model.depth, row.run.seed) for row in to_do(rows, slots=1)]
    assert found == [(38, 0), (38, 1), (26, 1), (14, 1), (38, 2), (26, 2)]


def test_the_frontiers_cheap_end_can_come_first() -> None:
    grid = {"axes": {"depth": [14, 26, 101], "seed": [0, 1]}}
    rows = rows_of(grid)
    found = [(row.run.model.depth, row.run.seed) for row in to_do(rows, "frontier_first")]
    assert found[0][0] == 14
    assert found[1][0] == 101
    assert sorted(found) == sorted((d, s) for d in (14, 26, 101) for s in (0, 1))
    with pytest.raises(InputError, match=r"plan\.order='fast': must be one of blocked, longest, f"):
        to_do(rows, "fast")


def test_runs_that_end_together_free_their_slots_together() -> None:
    """At 2 s runs 4, 5 and 6 can start, before 7, whichever of 1, 2 and 3 is asked first."""
    needs = [[], [0], [0], [0], [0], [3], [3], [0]]
    assert last_end_s([1.0] * 7 + [2.0], 3, needs) == 5


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 8)), min_size=1, max_size=9), st.data())
def test_runs_that_need_others_end_as_a_second_by_second_simulation_says(
    drawn: list[tuple[int, int]], data: st.DataObject
) -> None:
    """Against a clock that ticks: each run after an earlier one of the list, or after none."""
    slots = data.draw(st.integers(1, 3))
    seconds = [s for s, _ in drawn]
    needs = [[parent] if parent < i else [] for i, (_, parent) in enumerate(drawn)]
    left, done, working, now = list(range(len(seconds))), set[int](), dict[int, int](), 0
    while left or working:
        for i in list(left):
            if len(working) < slots and done.issuperset(needs[i]):
                left.remove(i)
                working[i] = seconds[i]
        now += 1
        working = {i: s - 1 for i, s in working.items()}
        done |= {i for i, s in working.items() if not s}
        working = {i: s for i, s in working.items() if s}
    assert last_end_s([float(s) for s in seconds], slots, needs) == now


@pytest.mark.parametrize("order", ["blocked", "longest", "frontier_first"])
def test_parents_come_before_what_starts_from_them_and_count_as_long_as_both(order: str) -> None:
    times = Times(timings(law, depth=[14]), 1)
    grid = {
        "parents": {"long": {"epochs": 9}, "short": {"epochs": 2, "data.classes": 3}},
        "axes": {"init": ["none", "run(long)", "run(short)"], "epochs": [3, 12], "seed": [0, 1]},
    }
    rows = to_do(rows_of(grid, times), order, 2)
    place = {row.run.run_id: i for i, row in enumerate(rows)}
    assert all(place[p] < i for i, row in enumerate(rows) for p in row.run.parents)
    assert sum(bool(row.stage) for row in rows) == 4
    if order == "longest":
        # With its child of 12 epochs it takes longer than any other.
        assert rows[0].stage == "long"
    alone = makespan(rows, 100)
    longest = max(row.forecast_s or 0 for row in rows if row.stage == "long")
    last = max(row.forecast_s or 0 for row in rows if not row.stage)
    assert alone == pytest.approx(longest + last)
