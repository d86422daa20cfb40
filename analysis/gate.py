"""`python -m analysis.gate BASE CHANGE`: keep a change or not, with an error budget over a series.

Prints one JSON object. Exit code 0: supported, 3: refuted, 4: inconclusive, 2: bad input.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from scaling_study.common.command_line import parser, run

CODES = {"supported": 0, "refuted": 3, "inconclusive": 4}


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code."""
    asked = parser("analysis.gate", "Whether a change is kept: runs with it against runs without.")
    add = asked.add_argument
    group = "a study's folder, a folder of runs, or FILE.csv:COLUMN=VALUE"
    add("base", metavar="BASE", help=f"{group}: runs without the change")
    add("change", metavar="CHANGE", help="runs with it, likewise")
    add("--margin", type=float, default=0.0, metavar="M", help="keep only a gain above M")
    add("--scale", choices=("ln", "raw"), default="ln", help="gain as ln ratio (default) or as is")
    add("--outcome", metavar="COLUMN", help="what is minimised (default: that of the task)")
    add("--alpha", type=float, default=0.05, help="chance of any false keep (default 0.05)")
    add("--ledger", type=Path, metavar="FILE", help="a series of decisions, which share alpha")
    args = asked.parse_args(arguments)
    codes: list[int] = []
    return run(lambda: _gate(args, codes)) or codes[0]


def _gate(args: argparse.Namespace, codes: list[int]) -> list[str]:
    # Help and mistyped options are answered before numpy and the like are imported.
    from analysis.gating.command import gate

    record = gate(args)
    codes.append(CODES[record["verdict"]])
    return [json.dumps(record, indent=1)]


if __name__ == "__main__":
    sys.exit(main())
