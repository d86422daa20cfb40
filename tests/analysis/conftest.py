"""Analyses without pictures, which take most of the time."""

import pytest

from analysis.figures import all_figures


@pytest.fixture
def undrawn(monkeypatch):
    """No pictures, which take most of the time: for tests of verdicts and words."""
    monkeypatch.setattr("analysis.report.analyse.figures", lambda *_: [])


@pytest.fixture
def frontiers_only(monkeypatch):
    """No other pictures: for tests about frontiers."""
    kept = [figure for figure in all_figures.FIGURES if figure.name.startswith("frontier_")]
    monkeypatch.setattr("analysis.figures.all_figures.FIGURES", kept)
