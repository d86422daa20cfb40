"""`python -m analysis.importers FILE -o DIR`: frontiers, or with --study verdicts, of any table.

Reads results that other tools wrote, puts every model against one cost, draws the frontier and,
given two families, says how much cheaper one is at equal error. With --study the table becomes a
study that rules judge.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from analysis.report.choices import add_formats
from scaling_study.common.command_line import parser, run
from scaling_study.common.errors import InputError

FORMATS = ("csv", "wandb", "timm", "parquet", "jsonl", "mlflow", "tensorboard")


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code 0, or 2 for bad input."""
    asked = parser(
        "analysis.importers",
        "Pareto frontier and speed-up at equal error from a table of other tools.",
    )
    add = asked.add_argument
    add(
        "files",
        nargs="+",
        metavar="FILE",
        help="a file, MLflow's or TensorBoard's folder, wandb://ENTITY/PROJECT; timm: two tables",
    )
    add("--format", choices=FORMATS, help="what wrote the file (without it: as its name says)")
    add("--map", action="append", default=[], metavar="OURS=THEIRS", help="which column is which")
    add(
        "--unit",
        action="append",
        default=[],
        metavar="OURS=WORDS",
        help="unit of a mapped column, as in val_error='percent accuracy' or flops=GMACs",
    )
    add("--cost", metavar="COLUMN", help="the cost to minimise, by our name")
    add("--families", nargs=2, metavar=("REGEX_A", "REGEX_B"), help="two families, by model name")
    add("--n-val", type=int, metavar="N", help="evaluation images, for the noise of single runs")
    add("--published", action="store_true", help="lay ResNet-RS and EfficientNet over the figure")
    add("--study", type=Path, metavar="YAML", help="judge the runs by the study declared there")
    add("--surface", action="store_true", help="with --study: compare depth and width by a surface")
    add("-o", "--output", type=Path, required=True, help="folder to write to")
    add_formats(asked)
    args = asked.parse_args(arguments)
    return run(lambda: _import(args))


def _import(args: argparse.Namespace) -> list[str]:
    # Help and mistyped options are answered before numpy and the like are imported.
    from analysis.importing.command import command, form_of, study_of, surface_of

    args.format = args.format or form_of(args.files[0])
    if args.study is None:
        if args.surface:
            raise InputError("--surface: give --study, which says what is compared at which cost")
        return command(args)
    if args.surface:
        return surface_of(args)
    from analysis.report.command import command as analyse

    return analyse(study_of(args), args.output, (), formats=args.formats)


if __name__ == "__main__":
    sys.exit(main())
