"""Options of the commands that analyse a study, without what the analysis itself imports."""

import argparse


def add_choices(parser: argparse.ArgumentParser) -> None:
    """What changes the outcome of an analysis: which runs it uses, what it shows beside them."""
    parser.add_argument(
        "--where",
        action="append",
        default=[],
        metavar="COLUMN=VALUE",
        help="use only runs with this value; may be repeated",
    )
    parser.add_argument(
        "--published",
        action="store_true",
        help="lay the paper's Table 7 over the frontiers of FLOPs and parameters",
    )
    parser.add_argument(
        "--with-halved",
        action="store_true",
        help="compare runs too whose micro-batch was halved when memory ran out",
    )
