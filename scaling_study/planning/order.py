"""In which order runs start, and when the last one ends."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from scaling_study.common.errors import InputError
from scaling_study.common.validation import suggest
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
    """
    check(order)
    missing = [row for row in rows if row.state not in (*FINISHED, "running", "queued")]
    # Where a forecast is blank training FLOPs count, which need no measurement; programs of which
    # neither is known are of equal length.
    blank = any(row.forecast_s is None for row in missing)

    def length(row: Planned) -> float:
        return row.work if blank else row.forecast_s or 0.0

    longest = sorted(missing, key=length, reverse=True)
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
    return [*early.values(), *(row for row in longest if row.run.run_id not in chosen)]


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
    latest = LATER * last_end_s(map(length, longest), slots)

    def merged(last: int) -> list[Planned]:
        # The sort is stable: within a block the longest stay first.
        at = sorted(range(len(longest)), key=lambda i: min(blocks[i], last))
        return [longest[i] for i in at]

    tried = (merged(last) for last in range(max(blocks), -1, -1))
    return next(found for found in tried if last_end_s(map(length, found), slots) <= latest)


def makespan(rows: Sequence[Planned], slots: int) -> float | None:
    """Seconds until the last of these runs, in this order, ends; None if a forecast is blank."""
    seconds = [row.forecast_s for row in rows if row.forecast_s is not None]
    return None if len(seconds) < len(rows) else last_end_s(seconds, slots)


def last_end_s(seconds: Iterable[float], slots: int) -> float:
    """The same for runs of these lengths."""
    free = [0.0] * slots
    for s in seconds:
        heapq.heapreplace(free, free[0] + s)
    return max(free)
