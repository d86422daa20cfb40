"""Studies whose numbers do not scatter at all: a report without infinite numbers, no traceback."""

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.__main__ import main
from helpers.made_up_results import runs
from helpers.study import write_study
from scaling_study.study.result import Result

FORMER = {4: 0.02, 20: 0.05}


def with_same(values: dict[str, Any], only: Callable[[Result], bool]) -> list[Result]:
    """Runs of which some share these values."""
    return [replace(r, **values) if only(r) else r for r in runs(FORMER)]


STUDIES: dict[str, Callable[[], list[Result]]] = {
    "seeds agree": lambda: runs(FORMER, 3, 0.0),
    "one error": lambda: with_same({"val_error": 0.25}, lambda r: True),
    "one error in one regime": lambda: with_same({"val_error": 0.25}, lambda r: r.epochs == 4),
    "one cost": lambda: with_same({"step_time_s": 0.01}, lambda r: True),
    "no errors": lambda: with_same({"val_error": 0.0}, lambda r: r.seed == 0),
}


def numbers(found: Any) -> Iterator[float]:
    if isinstance(found, dict | list):
        for part in found.values() if isinstance(found, dict) else found:
            yield from numbers(part)
    elif isinstance(found, float):
        yield found


@pytest.mark.slow
@pytest.mark.parametrize("name", STUDIES)
def test_nothing_in_a_report_is_infinite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr("analysis.report.analyse.figures", lambda *_: [])
    monkeypatch.setattr("analysis.report.analyse.write_study_page", lambda *_: None)
    # One law is enough, and how well it predicts left-out cells takes most of its time.
    monkeypatch.setattr("analysis.laws.study_fits.LAWS", ("pl",))
    monkeypatch.setattr("analysis.laws.study_fits.validate", lambda *_, **__: None)
    monkeypatch.setattr("analysis.laws.study_fits.describe", lambda _: [])
    study = write_study(tmp_path, STUDIES[name]())
    assert main([str(study), "-o", str(tmp_path / "out"), "--formats", "png"]) == 0
    for file in ("verdicts.json", "fits.json"):
        found = json.loads((tmp_path / "out" / file).read_text(encoding="utf-8"))
        assert found
        assert all(map(math.isfinite, numbers(found)))
