"""What `python -m analysis.gate` does: groups, the level of this decision, and the decision."""

import argparse
import math
from typing import Any

from analysis.gating.decide import decide
from analysis.gating.groups import cells, group_of
from analysis.gating.ledger import Ledger, alone, question_of
from scaling_study.common.errors import InputError


def gate(args: argparse.Namespace) -> dict[str, Any]:
    """One decision, as the ledger keeps it; `budget_left` is what later decisions share.

    Raises:
        InputError: groups that cannot be compared, or a ledger that is none.
    """
    if not 0 < args.alpha < 1:
        raise InputError(f"--alpha {args.alpha:g}: must be above 0 and below 1")
    if not math.isfinite(args.margin):
        raise InputError(f"--margin {args.margin}: must be a number")
    base, change = group_of(args.base, args.outcome), group_of(args.change, args.outcome)
    pairs = cells(base, change)
    with alone(args.ledger):
        ledger = Ledger(args.ledger, args.alpha)
        question = question_of(base, change, args.margin)
        if (known := ledger.answered(question)) is not None:
            return known | {"said_before": True}
        groups = [before for before, _ in pairs], [after for _, after in pairs]
        found = decide(*groups, ledger.level(), args.margin, args.scale)
        record = ledger.add(found, question, (args.base, args.change))
    runs = {"runs_base": len(base), "runs_change": len(change), "scale": args.scale}
    return record | runs
