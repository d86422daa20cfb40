"""`python -m analysis.recommend RESULTS --max-flops 4e9`: what to train, from a finished study."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.laws.recommend.budgets import BUDGETS, MARGIN
from scaling_study.common.command_line import parser, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    asked = parser(
        "analysis.recommend", "Depth, width and resolution for a budget, from a finished study."
    )
    add = asked.add_argument
    add("results", type=Path, help="the study, such as results/depth_vs_width")
    for name, budget in BUDGETS.items():
        add(budget.option, type=float, dest=name, help=budget.help)
    add("--epochs", type=int, help="training length (default: the longest studied)")
    add("--margin", type=float, default=MARGIN, help="relative error that is no loss")
    add("--extrapolate", action="store_true", help="look outside the data too")
    args = asked.parse_args(arguments)
    return run(lambda: _recommend(args))


def _recommend(args: argparse.Namespace) -> list[str]:
    # Help and mistyped options are answered before numpy and the like are imported.
    from analysis.laws.recommend.command import command

    return command(args)


if __name__ == "__main__":
    sys.exit(main())
