"""The paper's numbers, and analyses without their slow pictures."""

import pytest

from analysis.figures import all_figures
from analysis.published.tables import depth_width_table, figure_2
from analysis.study.study_cells import StudyCells


@pytest.fixture
def frontiers_only(monkeypatch):
    """No other pictures: for tests about frontiers."""
    kept = [figure for figure in all_figures.FIGURES if figure.name.startswith("frontier_")]
    monkeypatch.setattr("analysis.figures.all_figures.FIGURES", kept)


@pytest.fixture(scope="session")
def paper():
    return StudyCells.of(depth_width_table().rows)


@pytest.fixture(scope="session")
def grid():
    return figure_2()
