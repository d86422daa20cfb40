"""python -m analysis.summary STUDY…: the effect of each rule over several data sets."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.report.choices import add_formats
from scaling_study.common.command_line import add_results, parser, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    asked = parser(
        "analysis.summary",
        "Random-effects summary of studies: the effect that each rule is about in every study, the "
        "mean over data sets, and the interval in which the effect in a new data set would lie. "
        "Studies of one data set count as one.",
    )
    add = asked.add_argument
    add(
        "studies",
        nargs="+",
        metavar="STUDY",
        help="its name, or its folder; `published` is the paper's own tables",
    )
    add_results(asked)
    add("-o", "--output", type=Path, metavar="DIR", help="write figure, CSV and JSON there too")
    add(
        "--rule",
        action="append",
        default=[],
        metavar="NAME",
        help="one of the rules; may be repeated (default: all with an effect in two studies)",
    )
    add("--cost", metavar="COLUMN", help="compare at this cost, as flops, not at the declared one")
    add(
        "--data-set",
        action="append",
        default=[],
        metavar="STUDY=NAME",
        help="what the data of a study are called; studies of one name are one data set",
    )
    add_formats(asked)
    args = asked.parse_args(arguments)
    return run(lambda: _summarise(args))


def _summarise(args: argparse.Namespace) -> list[str]:
    # Help and mistyped options are answered before numpy and the like are imported.
    from analysis.meta_analysis.command import summary

    return summary(
        args.studies,
        args.results,
        args.output,
        args.rule,
        args.cost,
        args.data_set,
        args.formats,
    )


if __name__ == "__main__":
    sys.exit(main())
