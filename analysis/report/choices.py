"""Options of the commands that judge and draw, without what the analysis itself imports."""

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
    parser.add_argument(
        "--anchor",
        metavar="tag:NAME|file:PATH",
        help="what shows from outside when the study was frozen: a git tag whose message or tree "
        "has freeze.json or its SHA-256, or a signed or stamped file that has its SHA-256",
    )
    add_formats(parser)
    parser.add_argument(
        "--details",
        action="store_true",
        help="print each verdict with its rule, interval, margin and degrees of freedom too",
    )


def add_formats(parser: argparse.ArgumentParser) -> None:
    """Which files are written of each figure."""
    parser.add_argument(
        "--formats",
        metavar="png,svg,pdf",
        help="files of each figure; PNG, which the report shows, is always one of them; none: "
        "no figures, for verdicts that are soon there (default: all three, with --live png)",
    )
