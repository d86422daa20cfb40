"""Finished studies replayed: what the adaptive rule sees of them, and how it is compared."""

from dataclasses import dataclass
from statistics import mean

import numpy as np
import pytest

from analysis.study.cells import cells_of
from calibration import finished as tables
from calibration.case import Rows
from calibration.finished import Finished, finished, keep
from calibration.replay import RULES, replayed
from calibration.report import REPLAY, read_rows
from calibration.simulator import study
from helpers.real_study import write_real_study

PILOT = {4: (0.55, 0.012), 20: (0.32, 0.007)}


@dataclass(frozen=True)
class Drawn:
    """A simulated study with this gap; `hidden` replaces the errors of seeds from there on."""

    gap: float
    hidden: int = 12

    def rows(self, rng: np.random.Generator) -> Rows:
        found = study(self.gap, self.gap, seeds=12).rows(rng)
        return [
            row
            | {"train_flops": row["flops"] * 3840 * row["epochs"]}
            | ({"val_error": 0.9} if row["seed"] >= self.hidden else {})
            for row in found
        ]


def of_gap(gap: float, share: float = 1.0, hidden: int = 12) -> dict[str, str]:
    drawn = Finished("drawn", Drawn(gap, hidden).rows, 3, 12, share, {}, PILOT)
    return replayed(drawn, "R1-long", 12)


def test_a_clear_effect_is_found_in_the_first_round() -> None:
    found = of_gap(0.3)
    assert (found["grid"], found["agree"]) == ("supported", "12")
    # Two seeds of long training and one of short for three of each.
    assert float(found["spent"]) == pytest.approx(11 / 18, abs=0.001)


def test_it_spends_no_more_than_it_may_and_is_compared_study_by_study() -> None:
    found = of_gap(0.03)
    assert float(found["most"]) <= 1
    counts = [int(found[name]) for name in ("agree", "only_grid", "only_adaptive", "contradict")]
    assert sum(counts) == 12
    assert counts[3] == 0


def test_runs_that_are_not_asked_for_are_not_seen() -> None:
    assert of_gap(0.3, hidden=3) == of_gap(0.3)


def test_the_published_studies_are_the_papers_cells() -> None:
    paper, both = finished()[:2]
    of_figure_3 = paper.rows(np.random.default_rng(0))
    cells = {row["config_id"] for row in of_figure_3}
    assert len(of_figure_3) == 12 * len(cells)
    # Replicates scatter about what was read from the figure: 101 layers at 128 px, 10 epochs.
    base = [r["val_error"] for r in of_figure_3 if r["config_id"] == "d101-w1-r128-e10"]
    assert mean(base) == pytest.approx(1 - 0.672, abs=0.003)
    assert 0 < float(np.std(base)) < 0.01
    deep = {(r["epochs"], r["depth"]) for r in both.rows(np.random.default_rng(0))}
    assert {epochs for epochs, _ in deep} == {10, 350}
    assert len({depth for epochs, depth in deep if epochs == 350}) > 4


def test_an_own_study_is_kept_as_it_is_and_its_seeds_come_in_any_order(tmp_path, monkeypatch):
    monkeypatch.setattr(tables, "STUDIES", tmp_path)
    write_real_study(tmp_path / "results/own", seeds=4)
    own = tables.Own(tables.read(keep(tmp_path / "results/own")))
    first, second = (own.rows(np.random.default_rng(n)) for n in (1, 2))
    errors = {c.config_id: c.error for c in cells_of(own.table)}
    for drawn in (first, second):
        assert {c.config_id: c.error for c in cells_of(drawn)} == pytest.approx(errors)
    assert [row["seed"] for row in first] != [row["seed"] for row in second]


def test_every_study_was_replayed_for_every_rule() -> None:
    keys = [(row["study"], row["rule"]) for row in read_rows(REPLAY)]
    assert keys == [(study.name, rule) for study in finished() for rule in RULES]
