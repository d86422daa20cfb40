"""`python -m analysis.published -o DIR`: the paper's claims on the paper's own printed numbers."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.report.choices import add_formats
from scaling_study.common.command_line import parser, run


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for a folder that cannot be written to."""
    asked = parser(
        "analysis.published", "The paper's claims, judged on the paper's own published numbers."
    )
    asked.add_argument("-o", "--output", type=Path, required=True, help="folder to write to")
    add_formats(asked)
    args = asked.parse_args(arguments)
    return run(lambda: _judge(args))


def _judge(args: argparse.Namespace) -> list[str]:
    # Help and mistyped options are answered before numpy and the like are imported.
    from analysis.published.command import command

    return command(args.output, args.formats)


if __name__ == "__main__":
    sys.exit(main())
