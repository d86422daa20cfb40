"""scaling-study compare A B [C]: studies side by side, their effects, cells and cost."""

import argparse
import sys
from collections.abc import Sequence

from scaling_study.common.command_line import add_results, parser, run
from scaling_study.common.validation import require


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    asked = parser(
        "scaling_study compare",
        "Puts two or three studies side by side: the effect that each rule is about with its "
        "interval and verdict, the error of each cell, and what the runs cost. Nothing is written.",
    )
    asked.add_argument("first", help="its name, or its folder, as in results/depth_vs_width")
    asked.add_argument("others", nargs="+", metavar="other", help="one or two more")
    add_results(asked)
    args = asked.parse_args(arguments)
    return run(lambda: _compare(args))


def _compare(args: argparse.Namespace) -> list[str]:
    # Help and mistyped options are answered before numpy and the like are imported.
    from analysis.report.side_by_side import MOST, lines, side
    from scaling_study.study.folders import study_folder

    names = (args.first, *args.others)
    require(len(names) <= MOST, "studies", len(names), f"at most {MOST} fit side by side")
    return lines([side(study_folder(text, args.results)) for text in names])


if __name__ == "__main__":
    sys.exit(main())
