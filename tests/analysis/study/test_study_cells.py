"""One analysis groups the cells once and estimates each noise once."""

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.descriptions.findings import Request
from analysis.report.analyse import analyse
from analysis.rules.preregistration import load_rules
from analysis.study.cells import Cell, cells_of
from analysis.study.noise import noise_of
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.made_up_results import cell, runs
from helpers.real_study import write_real_study
from helpers.study import write_study
from scaling_study.study.table import read_study


def count_calls(monkeypatch: pytest.MonkeyPatch, function: Callable[[Any], Any]) -> list[Any]:
    """What every module of the analysis hands to a function from now on."""
    calls: list[Any] = []

    def counted(argument: Iterable[Any]) -> Any:
        calls.append(list(argument))
        return function(calls[-1])

    for name, module in list(sys.modules.items()):
        if name.startswith("analysis.") and getattr(module, function.__name__, None) is function:
            monkeypatch.setattr(module, function.__name__, counted)
    return calls


def analysed(study: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[int, Counter[Any]]:
    """How often an analysis groups cells, and how often it estimates noise, by cells."""
    grouped, estimated = (count_calls(monkeypatch, f) for f in (cells_of, noise_of))
    loaded = read_study(study)
    out = study.parent / "out"
    out.mkdir()
    monkeypatch.setattr("analysis.figures.figure.save", lambda *_: None)
    # Other analyses of the same runs have cells and noise of their own.
    monkeypatch.setattr("analysis.report.analyse.multiverse", lambda *_: {})
    analyse(table_of(loaded, {}), load_rules(None, loaded.grid), out, Request(study_dir=study))
    return len(grouped), Counter(
        (cells[0].epochs, tuple((c.config_id, c.errors) for c in cells)) for cells in estimated
    )


@pytest.mark.slow
def test_an_analysis_groups_cells_once_and_estimates_noise_once_a_regime(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of the error and of the train-validation gap, which scatters otherwise."""
    study = write_study(tmp_path, runs({10: -0.03, 100: 0.06}))
    grouped, estimated = analysed(study, monkeypatch)
    assert grouped == 1
    assert sorted(epochs for epochs, _ in estimated) == [10, 10, 100, 100]
    assert set(estimated.values()) == {1}


@pytest.mark.slow
def test_noise_at_one_resolution_is_estimated_once_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = tmp_path / "results" / "demo"
    write_real_study(study)
    grouped, estimated = analysed(study, monkeypatch)
    assert grouped == 1
    # Two regimes: of the error whole and at each of two resolutions, of the gap whole.
    assert Counter(epochs for epochs, _ in estimated) == {4: 4, 20: 4}
    assert set(estimated.values()) == {1}


def test_selections_of_the_same_cells_are_one_value() -> None:
    cells = StudyCells(
        Cell(**{**vars(cell(f"{e} {px}", e * px, (0.3, 0.4))), "epochs": e, "resolution": px})
        for e in (5, 10)
        for px in (16, 32)
    )
    assert list(cells.regimes) == [5, 10]
    assert cells.with_cost("flops") is cells
    assert cells.with_logs("flops").regime(5) is cells.regimes[5]
    assert cells.at_resolution(16).regime(5) is cells.regime(5).at_resolution(16)
    assert cells.noise(5) is cells.with_cost("params").regime(5).noise(5)
    assert cells.noise(5) is not cells.at_resolution(16).noise(5)
    assert list(cells.with_cost("train_flops")) == []


def test_gaps_are_those_of_cells_that_measured_both_errors() -> None:
    both = replace(cell("a", 1.0, (0.5, 0.6)), train_errors=(0.4, 0.3))
    (gap,) = StudyCells([both, cell("b", 2.0, (0.5, 0.6))]).train_validation_gaps
    assert gap.config_id == "a"
    assert gap.errors == pytest.approx((0.1, 0.3))


def test_the_base_is_the_declared_one_or_the_least() -> None:
    cells = [cell("a", 1.0, (0.5,), depth=2), cell("b", 2.0, (0.5,), depth=3, width=0.5)]
    assert StudyCells(cells).base() == {"depth": 2, "width": 0.5}
    assert StudyCells(cells, {"depth": 3}).base() == {"depth": 3, "width": 0.5}
    assert StudyCells(cells).base(("width", "resolution")).keys() == {"width", "resolution"}
