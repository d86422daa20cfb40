"""`python -m analysis RESULTS -o DIR`: from a study's finished runs to verdicts and figures."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.report.choices import add_choices
from scaling_study.common.command_line import parser, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    asked = parser(
        "analysis", "Verdicts with error bars, frontiers, figures and a report of one study."
    )
    asked.add_argument("results", type=Path, help="the study, such as results/depth_vs_width")
    asked.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    add_choices(asked)
    asked.add_argument(
        "--live",
        type=float,
        metavar="SECONDS",
        help="the sweep is running: report.html loads itself anew that often",
    )
    args = asked.parse_args(arguments)
    return run(lambda: _analyse(args))


def _analyse(args: argparse.Namespace) -> list[str]:
    # Help and mistyped options are answered before numpy and the like are imported.
    from analysis.report.command import command

    return command(
        args.results,
        args.output,
        args.where,
        args.published,
        args.live,
        args.with_halved,
        args.anchor,
        args.details,
        args.formats,
    )


if __name__ == "__main__":
    sys.exit(main())
