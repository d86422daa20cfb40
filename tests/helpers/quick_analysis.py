"""Analyses of which only the verdicts matter."""

import pytest


def verdicts_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pictures, laws, pages and other analyses, which take most of the time."""
    monkeypatch.setattr("analysis.report.analyse.figures", lambda *_: [])
    monkeypatch.setattr("analysis.report.analyse.study_fits", lambda *_: ())
    monkeypatch.setattr("analysis.report.analyse.write_study_page", lambda *_: None)
    monkeypatch.setattr("analysis.report.analyse.multiverse", lambda *_: {})
