"""scaling-study compare A B: two studies side by side, their effects, cells and cost."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scaling_study.common.command_line import parser, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    asked = parser(
        "scaling_study compare",
        "Puts two studies side by side: the effect that each rule is about with its interval and "
        "verdict, the error of each cell, and what the runs cost. Nothing is written.",
    )
    for name in ("first", "second"):
        asked.add_argument(name, help="its name, or its folder, as in results/depth_vs_width")
    asked.add_argument(
        "--results",
        type=Path,
        default=Path("results"),
        metavar="DIR",
        help="the folder of all studies (default: %(default)s)",
    )
    args = asked.parse_args(arguments)
    return run(lambda: _compare(args))


def _compare(args: argparse.Namespace) -> list[str]:
    # Help and mistyped options are answered before numpy and the like are imported.
    from analysis.report.side_by_side import lines, side
    from scaling_study.study.folders import study_folder

    folders = [study_folder(text, args.results) for text in (args.first, args.second)]
    return lines(*map(side, folders))


if __name__ == "__main__":
    sys.exit(main())
