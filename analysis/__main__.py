"""`python -m analysis RESULTS -o DIR`: from a study's finished runs to verdicts and figures."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.report.command import add_choices, command
from scaling_study.common.command_line import run


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m analysis",
        description="Verdicts with error bars, frontiers, figures and a report of one study.",
    )
    parser.add_argument("results", type=Path, help="the study, such as results/depth_vs_width")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    add_choices(parser)
    parser.add_argument(
        "--live",
        type=float,
        metavar="SECONDS",
        help="the sweep is running: report.html loads itself anew that often",
    )
    args = parser.parse_args(arguments)
    return run(
        lambda: command(
            args.results,
            args.output,
            args.where,
            args.published,
            args.live,
            args.with_halved,
            args.anchor,
        )
    )


if __name__ == "__main__":
    sys.exit(main())
