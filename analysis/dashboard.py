"""`python -m analysis.dashboard RESULTS --entity E --project P`: a study's workspace in W&B.

The workspace shows the runs that tracking or `scaling_study.sync` sent. The study is analysed, and
figures, the frontier table and verdicts go there as one run, `analysis-STUDY`.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.report.choices import add_choices
from scaling_study.common.command_line import run
from scaling_study.config.tracking import study_parser


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    asked = study_parser(
        "analysis.dashboard", "A W&B workspace for a study, and its analysis as one W&B run."
    )
    asked.add_argument(
        "-o",
        "--output",
        type=Path,
        help="where the analysis is written, as by `python -m analysis`; default: figures/STUDY",
    )
    add_choices(asked)
    args = asked.parse_args(arguments)
    return run(lambda: _send(args))


def _send(args: argparse.Namespace) -> list[str]:
    # Help and mistyped options are answered before numpy and the like are imported.
    from analysis.wandb_dashboard.command import command

    return command(args)


if __name__ == "__main__":
    sys.exit(main())
