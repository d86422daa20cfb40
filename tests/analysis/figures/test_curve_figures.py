"""Learning curves of a study: read from its runs, averaged over seeds, drawn."""

import json

import pytest

from analysis.descriptions.learning_curves import curve_records
from analysis.figures.drawing.curve_plots import learning_curves, overfitting_curves
from analysis.figures.drawing.style import style
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.figure_text import check
from helpers.made_up_results import DEPTHS, WIDTHS, runs
from helpers.study import write_study
from scaling_study.study.learning_curves import curve_in
from scaling_study.study.table import read_study

# In each of two regimes.
CELLS = len(DEPTHS) + len(WIDTHS)


def evaluated(folder, points, raw=True):
    """metrics.jsonl of a run whose errors while training are `points`, with a torn last line."""
    lines = []
    for epoch, error in enumerate(points, 1):
        record = {"step": 10 * epoch, "epoch": epoch, "loss": 1.0, "curve_val_error": error}
        record |= {"curve_train_error": error / 2}
        lines.append(json.dumps(record | ({"curve_val_error_raw": error + 0.1} if raw else {})))
    lines.append('{"step": 99, "epoch": 9, "val_error": 0.3}')
    (folder / "metrics.jsonl").write_text("\n".join([*lines, '{"curve_val_er']), encoding="utf-8")


def records_of(study):
    rows = table_of(read_study(study), {}).rows
    return curve_records(StudyCells.of(rows), rows, study.parent / "runs")


def test_curves_are_means_over_seeds(tmp_path):
    study = write_study(tmp_path, runs({4: 0.0, 20: 0.05}))
    for folder in (study.parent / "runs").iterdir():
        seed = int(folder.name.rpartition("s")[2])
        # Two seeds have evaluated three epochs, the third was stopped after two.
        evaluated(folder, [0.9 + 0.01 * seed, 0.8, 0.7][: 2 if seed == 2 else 3])
    rows = records_of(study)
    assert len(rows) == 2 * 2 * CELLS
    first = rows[0]
    assert (first["at_epoch"], first["seeds"]) == (1.0, 3)
    assert first["val_error"] == pytest.approx(0.91)
    assert first["val_error_raw"] == pytest.approx(1.01)
    assert first["train_error"] == pytest.approx(0.455)
    assert first["gap"] == pytest.approx(0.455)
    # Of each cell validation by both weights and training; or the gap, and the line at zero.
    for draw, lines in ((learning_curves, 3 * CELLS), (overfitting_curves, CELLS + 1)):
        with style():
            drawn = draw(rows)
            check(drawn)
        assert len(drawn.axes) == 2
        assert len(drawn.axes[0].lines) == lines


def test_a_study_that_was_evaluated_once_has_no_curves(tmp_path):
    study = write_study(tmp_path, runs({4: 0.0, 20: 0.05}))
    assert records_of(study) == []
    (folder, *_) = (study.parent / "runs").iterdir()
    (folder / "metrics.jsonl").write_text('[1]\n{"curve_val_error": "x", "epoch": 1}\n')
    assert curve_in(folder) == []
    assert records_of(study) == []
