"""In which order runs start, and when the last one ends."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from scaling_study.common.errors import InputError
from scaling_study.common.validation import suggest
from scaling_study.planning.labels import labelled_by
from scaling_study.study.result import FINISHED

if TYPE_CHECKING:  # `status` asks for an end and plans nothing
    from scaling_study.planning.plan import Planned

BLOCKED, LONGEST, FRONTIER_FIRST = "blocked", "longest", "frontier_first"
ORDERS = (BLOCKED, LONGEST, FRONTIER_FIRST)
# How much later than longest first the blocked order may end.
LATER = 1.05
# Cells that cost no more than this share of the dearest are early on a cost axis.
CHEAP = 0.25


def check(order: str) -> None:
    """Raises InputError for an order that is not known."""
    if order not in ORDERS:
        near = suggest(order, ORDERS)
        raise InputError(f"plan.order={order!r}: must be one of {', '.join(ORDERS)}{near}")


def to_do(rows: Sequence[Planned], order: str = BLOCKED, slots: int = 1) -> list[Planned]:
    """The runs that a sweep has to start; raises an InputError for any other order than these.

    `rows` are the whole plan: a replicate has the same block whatever has finished before.

    `blocked`: the first replicate of every cell, then the second, and so on, the longest first in
    each block: replicates of a cell do not run back to back, so they do not share the machine's
    mood. Where that would end more than 5 % later than longest first on `slots`, the last blocks
    are one, as few of them as it takes. `longest`: longest first. `frontier_first`: before that,
    one run of each cheap cell, cheapest first: the low end of the frontier is seen early, at little
    cost to the makespan.

    Always a run comes behind those that it starts from, and counts as long as the longest chain of
    runs that begins with it.
    """
    check(order)
    missing = [row for row in rows if row.state not in (*FINISHED, "running", "queued")]
    # Where a forecast is blank training FLOPs count, which need no measurement; programs of which
    # neither is known are of equal length.
    blank = any(row.forecast_s is None for row in missing)

    def length(row: Planned) -> float:
        return row.work if blank else row.forecast_s or 0.0

    path = _chains(missing, length)
    longest = _parents_first(
        sorted(missing, key=lambda row: (path[row.run.run_id], length(row)), reverse=True)
    )
    if order == LONGEST or not missing:
        return longest
    if order == BLOCKED:
        return _blocked(longest, _blocks(rows), length, max(slots, 1))
    early: dict[str, Planned] = {}
    limit = CHEAP * length(longest[0])
    for row in reversed(longest):
        if length(row) <= limit:
            early.setdefault(row.columns["config_id"], row)
    chosen = {row.run.run_id for row in early.values()}
    rest = (row for row in longest if row.run.run_id not in chosen)
    return _parents_first([*early.values(), *rest])


def _chains(rows: Sequence[Planned], length: Callable[[Planned], float]) -> dict[str, float]:
    """By run id: the length of the longest chain of runs, each from the one before, from it on."""
    own = {row.run.run_id: length(row) for row in rows}
    found = dict(own)
    # Children before parents: the chain of a run is complete when its own parent asks for it.
    for row in reversed(_parents_first(rows)):
        for parent in row.run.parents:
            if parent in found:
                found[parent] = max(found[parent], own[parent] + found[row.run.run_id])
    return found


def _parents_first(rows: Sequence[Planned]) -> list[Planned]:
    """The same order, but that each run comes behind those that it starts from."""
    by_id = {row.run.run_id: row for row in rows}
    found: dict[str, Planned] = {}

    def add(row: Planned) -> None:
        for parent in row.run.parents:
            if parent in by_id and parent not in found:
                add(by_id[parent])
        found.setdefault(row.run.run_id, row)

    for row in rows:
        add(row)
    return list(found.values())


def _blocks(rows: Sequence[Planned]) -> dict[str, int]:
    """By run id: how many replicates of its cell in the plan, finished ones too, precede a run."""
    cells: dict[str, list[Planned]] = {}
    for row in rows:
        cells.setdefault(row.columns["config_id"], []).append(row)
    return {
        row.run.run_id: block
        for cell in cells.values()
        for block, row in enumerate(sorted(cell, key=lambda row: row.run.seed))
    }


def _blocked(
    longest: Sequence[Planned],
    block_of: Mapping[str, int],
    length: Callable[[Planned], float],
    slots: int,
) -> list[Planned]:
    """Replicate by replicate, as far as that ends nearly as early as `longest` first."""
    blocks = [block_of[row.run.run_id] for row in longest]
    latest = LATER * _last_end(longest, length, slots)

    def merged(last: int) -> list[Planned]:
        # The sort is stable: within a block the longest stay first.
        at = sorted(range(len(longest)), key=lambda i: min(blocks[i], last))
        return _parents_first([longest[i] for i in at])

    tried = (merged(last) for last in range(max(blocks), -1, -1))
    return next(found for found in tried if _last_end(found, length, slots) <= latest)


def makespan(rows: Sequence[Planned], slots: int) -> float | None:
    """Seconds until the last of these runs, in this order, ends; None if a forecast is blank.

    The first run that needs labels that are not there makes them.
    """
    if any(row.forecast_s is None for row in rows):
        return None
    first = {run_id: one for run_id, one in labelled_by(rows).items() if not one.done}

    def length(row: Planned) -> float:
        labels = first.get(row.run.run_id)
        return (row.forecast_s or 0.0) + (labels.time.value if labels and labels.time else 0.0)

    return _last_end(rows, length, slots)


def _last_end(rows: Sequence[Planned], length: Callable[[Planned], float], slots: int) -> float:
    parents = {row.run.run_id: row.run.parents for row in rows}
    return last_end_s([*map(length, rows)], slots, needs_of(parents))


def needs_of(parents: Mapping[str, Sequence[str]]) -> list[list[int]]:
    """For each run the places of those that it starts from; empty if no run has `parents`."""
    if not any(parents.values()):
        return []
    place = {run_id: i for i, run_id in enumerate(parents)}
    return [[place[p] for p in found if p in place] for found in parents.values()]


def last_end_s(seconds: Sequence[float], slots: int, needs: Sequence[Sequence[int]] = ()) -> float:
    """The same for runs of these lengths, each after those at the places that are its `needs`.

    The first in order that can start takes a slot that is free.
    """
    if not any(needs):
        free = [0.0] * slots
        for s in seconds:
            heapq.heapreplace(free, free[0] + s)
        return max(free)
    waiting, children = [len(places) for places in needs], dict[int, list[int]]()
    for child, places in enumerate(needs):
        for parent in places:
            children.setdefault(parent, []).append(child)
    ready = [i for i, count in enumerate(waiting) if not count]  # sorted, and so a heap
    working, now = list[tuple[float, int]](), 0.0
    while ready or working:
        while ready and len(working) < slots:
            first = heapq.heappop(ready)
            heapq.heappush(working, (now + seconds[first], first))
        now = working[0][0]
        while working and working[0][0] == now:  # all that end together, before others start
            _, done = heapq.heappop(working)
            for child in children.get(done, ()):
                waiting[child] -= 1
                if not waiting[child]:
                    heapq.heappush(ready, child)
    return now
