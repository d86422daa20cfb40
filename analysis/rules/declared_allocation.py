"""A grid's `allocation`: how the seeds of its cells are chosen, checked."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analysis.rules.rule import Preregistration
from scaling_study.common.errors import InputError
from scaling_study.common.validation import is_number, suggest

FIXED, ADAPTIVE = "fixed", "adaptive"
# Keys of each kind besides `kind` and `rules`.
KEYS = {FIXED: ("runs", "train_flops", "half_width"), ADAPTIVE: ("budget", "rounds")}
BUDGETS = ("runs", "train_flops")
EXAMPLES = {
    FIXED: "{kind: fixed, runs: 30} or {kind: fixed, half_width: 0.02}",
    ADAPTIVE: "{kind: adaptive, budget: {train_flops: 1e13}}",
}
MOST_ROUNDS = 10


@dataclass(frozen=True)
class Allocation:
    """How seeds are spread over the cells of a grid: `amount` of `unit`, for `rules` (none: all).

    `unit` is what may be spent, `runs` or `train_flops`; or `half_width`, a relative error that
    half of every interval shall have at most, for which as little is spent as it takes. A `fixed`
    allocation is made before training, an `adaptive` one in so many `rounds` at most.
    """

    kind: str
    unit: str
    amount: float
    rules: tuple[str, ...] = ()
    rounds: int = 1


def allocation_of(grid: Mapping[str, Any], prereg: Preregistration) -> Allocation | None:
    """The grid's `allocation`, None without one.

    Raises:
        InputError: a declaration that makes no sense, or names a rule that there is not.
    """
    declared, where = grid.get("allocation"), "grid.allocation"
    if declared is None:
        return None
    kind = declared.get("kind") if isinstance(declared, Mapping) else None
    if not isinstance(kind, str) or kind not in KEYS:
        named = f"{where}={declared!r}" if kind is None else f"{where}.kind={kind!r}"
        raise InputError(f"{named}: must be {' or '.join(EXAMPLES.values())}")
    known = ("kind", *KEYS[kind], "rules")
    for key in declared:
        if key not in known:
            near = suggest(str(key), known)
            raise InputError(f"{where}.{key}: no such setting{near}; as in {EXAMPLES[kind]}")
    rules = _rules(declared.get("rules") or (), [rule.name for rule in prereg.rules], where)
    if kind == FIXED:
        return Allocation(kind, *_amount(declared, KEYS[FIXED], where, EXAMPLES[FIXED]), rules)
    rounds = declared.get("rounds", 4)
    if not isinstance(rounds, int) or not 2 <= rounds <= MOST_ROUNDS:
        raise InputError(f"{where}.rounds={rounds!r}: must be 2 to {MOST_ROUNDS}")
    budget = declared.get("budget")
    if not isinstance(budget, Mapping) or not set(budget) <= set(BUDGETS):
        raise InputError(f"{where}.budget={budget!r}: must be a mapping, as in {EXAMPLES[kind]}")
    unit, amount = _amount(budget, BUDGETS, f"{where}.budget", EXAMPLES[kind])
    return Allocation(kind, unit, amount, rules, rounds)


def _amount(
    declared: Mapping[str, Any], units: Sequence[str], where: str, example: str
) -> tuple[str, float]:
    """The one of `units` that is declared, with its amount."""
    given = [unit for unit in units if declared.get(unit) is not None]
    if len(given) != 1:
        raise InputError(f"{where}: must give one of {', '.join(units)}, as in {example}")
    amount = declared[given[0]]
    if not is_number(amount) or not 0 < amount < math.inf:
        raise InputError(f"{where}.{given[0]}={amount!r}: must be a number above 0")
    return given[0], float(amount)


def _rules(names: object, known: Sequence[str], where: str) -> tuple[str, ...]:
    if not isinstance(names, list | tuple):
        raise InputError(f"{where}.rules={names!r}: must be a list of rules, as in [R1-long]")
    for name in names:
        if name not in known:
            near = suggest(str(name), known)
            raise InputError(
                f"{where}.rules={name!r}: no such rule{near}; known: {', '.join(known)}"
            )
    return tuple(names)
