"""The paper's numbers, and analyses without their slow pictures."""

import copy
import pickle

import pytest

from analysis.figures import all_figures
from analysis.laws.study_fits import study_fits
from analysis.published.tables import depth_width_table, figure_2
from analysis.study.study_cells import StudyCells
from helpers.quick_analysis import verdicts_alone

FITS = {}


@pytest.fixture(autouse=True)
def fits_once(monkeypatch):
    """The laws of a made-up study, half of an analysis's work, are fitted once for all tests."""

    def known(cells, cost):
        try:
            key = pickle.dumps((cells.cells, cost))
        except (AttributeError, pickle.PicklingError):  # an outcome that is described by functions
            return study_fits(cells, cost)
        if key not in FITS:
            FITS[key] = study_fits(cells, cost)
        return copy.deepcopy(FITS[key])

    monkeypatch.setattr("analysis.report.analyse.study_fits", known)


@pytest.fixture
def verdicts_only(monkeypatch):
    """Verdicts, and nothing else that takes long."""
    verdicts_alone(monkeypatch)


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
