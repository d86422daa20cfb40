"""python -m analysis.statement STUDY: what venues ask authors to state, from stored facts alone."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from scaling_study.common.command_line import add_results, parser, run

FORMS = ("neurips", "cvpr", "mlrc")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    asked = parser(
        "analysis.statement",
        "Writes what the NeurIPS checklist, CVPR's compute report and an MLRC summary ask for: "
        "error bars and what they cover, seeds, compute, hardware, exclusions. All of it comes "
        "from the study's files; what they do not say is left blank for its author.",
    )
    asked.add_argument("study", help="its name, or its folder, as in results/depth_vs_width")
    asked.add_argument(
        "--form",
        choices=FORMS,
        action="append",
        help="one of the forms; may be given again (default: all)",
    )
    add_results(asked)
    asked.add_argument(
        "-o", "--output", type=Path, metavar="FILE", help="write there (Markdown), not here"
    )
    args = asked.parse_args(arguments)
    return run(lambda: _statement(args))


def _statement(args: argparse.Namespace) -> list[str]:
    # Help and mistyped options are answered before numpy and the like are imported.
    from analysis.report.statement.study_statement import statement
    from scaling_study.common.errors import InputError
    from scaling_study.common.files import replace_file
    from scaling_study.study.folders import study_folder

    text = statement(study_folder(args.study, args.results), args.form or FORMS)
    if args.output is None:
        return text.splitlines()
    try:
        args.output.parent.mkdir(parents=True, exist_ok=True)
        replace_file(args.output, text)
    except OSError as error:
        raise InputError(f"{args.output}: cannot write there ({error.strerror})") from None
    return [str(args.output)]


if __name__ == "__main__":
    sys.exit(main())
