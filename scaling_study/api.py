"""Studies in Python, as pandas frames: what a grid would train, what was trained, learning curves.

Names that this module defines stay; everything else of the package may change with any version.
`analysis.api` judges and draws what `runs` returns. Mistakes are raised as `InputError`, which is a
ValueError: one sentence that names the value and what is accepted.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scaling_study.common.errors import InputError
from scaling_study.study.learning_curves import curve_in
from scaling_study.study.table import read_study

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["InputError", "curves", "plan", "runs"]


def plan(grid: str, *overrides: str) -> "pd.DataFrame":
    """Every run that a grid would train, a row each; nothing is trained or written.

    Args:
        grid: a grid's name, as in `+grid=NAME`.
        overrides: settings as on the command line, such as "data=digits" or
            "grid.axes.epochs=[4,8]".

    Returns:
        The columns of plan.csv: axes and settings that the grid varies; `params`; forward `flops`
        of an image and `train_flops` of a run, 2 x multiply-adds; `memory_bytes`; `forecast_s` with
        the ends of its interval, missing as long as nothing was measured; `state`.

    Raises:
        InputError: there is no such grid or setting, or it makes no sense.
    """
    import pandas as pd

    from scaling_study.config import hydra_app
    from scaling_study.config.execution import execution_config_of
    from scaling_study.planning.draft import draft
    from scaling_study.planning.plan_table import table

    words = [f"+grid={grid}", *overrides]
    try:
        settings = hydra_app.composed("sweep", words)
    except hydra_app.COMPOSING as error:
        raise InputError(hydra_app.in_one_sentence(error)) from None
    found, _ = draft(settings, words, execution_config_of(settings), None, _any_grid)
    return pd.DataFrame(table(found.rows, found.grid))


def _any_grid(study_dir: Path, grid: Mapping[str, Any], values: object) -> None:
    """Accept a grid whatever its rules say: they are checked before they are frozen."""


def runs(study: str | os.PathLike[str]) -> "pd.DataFrame":
    """The finished runs of a study, a row each, diverged ones among them.

    Args:
        study: its folder, as results/depth_vs_width or the folder that `pack --folder` writes.

    Returns:
        The columns that docs/commands.md lists, then the settings that the grid varies.
        Errors are fractions, times seconds, FLOPs 2 x multiply-adds. `attrs["left_out"]` says why
        planned runs are not among the rows, by run id.

    Raises:
        InputError: there is no study in that folder, or it cannot be read.
    """
    found = read_study(Path(study))
    frame = found.runs.copy()
    frame.attrs["left_out"] = dict(found.left_out)
    return frame


def curves(study: str | os.PathLike[str], outcome: str = "val_error") -> "pd.DataFrame":
    """The evaluations that runs of a study made while they trained, a row each.

    Args:
        study: its folder; its runs lie beside it.
        outcome: the column that an evaluation must have.

    Returns:
        `run_id`, `epoch` (a fraction within an epoch), and a column for each number of an
        evaluation; a suffix `_raw` marks weights that are not averaged. No rows where runs were not
        evaluated while they trained, or are kept in a table without their folders.

    Raises:
        InputError: there is no study in that folder, or it cannot be read.
    """
    import pandas as pd

    folder = Path(study)
    records = [
        {"run_id": run_id} | record
        for run_id in read_study(folder).runs["run_id"]
        for record in curve_in(folder.parent / "runs" / run_id, outcome)
    ]
    return pd.DataFrame(records, columns=None if records else ["run_id", "epoch", outcome])
