"""Two levels of one setting: which cells are matched, the interval by hand, and what is refused."""

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from analysis.rules.design_analysis import decidable, describe
from analysis.rules.judge import judge
from analysis.rules.preregistration import load_rules
from analysis.rules.wording import line, lines, sentence
from analysis.stats.contrast import Estimand
from analysis.stats.matched_gap import matched_gap
from analysis.study.cells import Cell
from analysis.study.compared_settings import with_comparison_settings
from analysis.study.errors import PreconditionError
from analysis.study.matched_cells import matches_of
from analysis.study.noise import noise_of
from analysis.study.study_cells import StudyCells
from analysis.study.table import table_of
from helpers.made_up_results import run
from helpers.study import add_column, write_study
from scaling_study.common.errors import InputError
from scaling_study.study.axes import crossed
from scaling_study.study.table import read_study

DECAYS = (1e-4, 4e-3)


def cell(name: str, errors: tuple[float, ...] = (0.2, 0.22), **values: object) -> Cell:
    known = {"depth": 14, "width": 1.0, "resolution": 32, "epochs": 5} | values
    costs = {"train_flops": (1e9,) * len(errors)}
    return Cell(config_id=name, errors=errors, costs=costs, n_val=1000, **known)  # type: ignore[arg-type]


def test_cells_are_matched_by_what_varies_within_a_level() -> None:
    cells = [
        cell(f"{depth} {resolution}", depth=depth, resolution=resolution, lr=resolution / 100)
        for depth in (14, 26)
        for resolution in (16, 32, 48)
    ]
    found = matches_of(cells, "resolution", (32.0, 48.0))
    # The learning rate goes along with the resolution and is no obstacle; depth is matched.
    assert [(m.label, m.first.config_id, m.second.config_id) for m in found] == [
        ("depth 14", "14 32", "14 48"),
        ("depth 26", "26 32", "26 48"),
    ]
    (lonely,) = matches_of([c for c in cells if c.config_id != "26 48"], "resolution", (32.0, 48.0))
    assert lonely.label == "depth 14"


def test_solved_cells_are_matched_by_their_target() -> None:
    cells = [
        cell(f"{r} {goal}", resolution=r, width=16 * goal / r, solved="width", target=f"f {goal}")
        for r in (16, 32)
        for goal in (1, 2)
    ]
    found = matches_of(cells, "resolution", (16.0, 32.0))
    assert [m.label for m in found] == ["target f 1", "target f 2"]


def test_variants_take_along_what_they_change() -> None:
    cells = [cell("a", variant="plain"), cell("b", variant="long", epochs=10)]
    (found,) = matches_of(cells, "variant", ("long", "plain"))
    assert (found.label, found.first.epochs) == ("all runs", 10)


@pytest.mark.parametrize(
    ("along", "levels", "message"),
    [
        ("resolution", (32.0, 64.0), "no run with resolution 64.0; there are 32.0"),
        ("train.momentum", (0.8, 0.9), "the grid varies no train.momentum"),
        ("variant", ("tuned", "plain"), "no run with variant tuned; there are plain"),
    ],
)
def test_levels_that_were_not_run_are_named(
    along: str, levels: tuple[float, float], message: str
) -> None:
    with pytest.raises(PreconditionError, match=message):
        matches_of([cell("a", variant="plain"), cell("b", depth=26)], along, levels)


def test_levels_without_a_like_are_refused() -> None:
    unmatched = [
        *(cell(f"a{d}", depth=d, resolution=16) for d in (14, 26)),
        *(cell(f"b{d}", depth=d, resolution=32) for d in (50, 98)),
    ]
    with pytest.raises(PreconditionError, match=r"differ in resolution 16\.0 and 32\.0 alone"):
        matches_of(unmatched, "resolution", (16.0, 32.0))


def test_the_gap_and_its_interval_by_hand() -> None:
    a, b = cell("a", (0.20, 0.22), resolution=16), cell("b", (0.30, 0.34), resolution=32)
    noise = noise_of([a, b])
    assert noise is not None
    matches = matches_of([a, b], "resolution", (16.0, 32.0))
    gap = matched_gap(matches, {5: noise}, Estimand("flops"), 0.05)
    # Two cells of two seeds: a cell's own variance counts one degree of freedom, the pooled one
    # half of one; delta method for ln(error), Welch-Satterthwaite with one degree for each cell.
    own = np.array([np.var([0.20, 0.22], ddof=1), np.var([0.30, 0.34], ddof=1)])
    terms = (own + own.mean() / 2) / 1.5 / 2 / np.array([0.21, 0.32]) ** 2
    se, df = math.sqrt(terms.sum()), terms.sum() ** 2 / (terms**2).sum()
    assert gap.estimate == pytest.approx(math.log(0.32 / 0.21))
    assert gap.se == pytest.approx(se)
    assert gap.df == pytest.approx(df)
    assert gap.high - gap.estimate == pytest.approx(stats.t.ppf(0.975, df) * se)


def test_the_interval_between_regimes_is_welchs() -> None:
    a = cell("a", (0.20, 0.22, 0.25), variant="plain")
    b = cell("b", (0.30, 0.34), variant="long", epochs=10)
    noises = {5: noise_of([a]), 10: noise_of([b])}
    gap = matched_gap(
        matches_of([a, b], "variant", ("plain", "long")),
        noises,  # type: ignore[arg-type]
        Estimand("flops"),
        0.05,
    )
    v, w = a.variance / 3 / a.error**2, b.variance / 2 / b.error**2
    assert gap.df == pytest.approx((v + w) ** 2 / (v**2 / 2 + w**2 / 1))


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng, hits, draws = np.random.default_rng(3), 0, 600
    for _ in range(draws):
        cells = [
            cell(f"{d} {r}", tuple(e + 0.004 * rng.standard_normal(3)), depth=d, resolution=r)
            for d, r, e in ((14, 16, 0.30), (14, 32, 0.27), (26, 16, 0.25), (26, 32, 0.24))
        ]
        noise = noise_of(cells)
        assert noise is not None
        matches = matches_of(cells, "resolution", (32.0, 16.0))
        gap = matched_gap(matches, {5: noise}, Estimand("flops"), 0.05)
        truth = (math.log(0.30 / 0.27) + math.log(0.25 / 0.24)) / 2
        hits += gap.low <= truth <= gap.high
    assert hits / draws == pytest.approx(0.95, abs=0.03)


GRID = """
name: demo
axes: {train.weight_decay: [1.0e-4, 4.0e-3], depth: [14, 26], seed: [0, 1, 2]}
rules:
  rules:
    decay:
      kind: levels
      along: train.weight_decay
      levels: [1.0e-4, 4.0e-3]
      claim: less weight decay is better
"""


def decayed(tmp_path, effect: float = 0.1, **changes):  # type: ignore[no-untyped-def]
    """A study over weight decay: the lesser value has about `effect` less error."""
    rng = np.random.default_rng(11)
    rows = {
        replace(
            found := run(depth, 1.0, 8, seed, 0.3 * math.exp(-effect * (decay == DECAYS[0]))),
            run_id=f"{found.run_id}-{decay}",
            config_id=f"{found.config_id}-{decay}",
            val_error=found.val_error + 0.002 * float(rng.standard_normal()),
            **changes.get(str(decay), {}),
        ): decay
        for decay in DECAYS
        for depth in (14, 26)
        for seed in range(3)
    }
    study = write_study(tmp_path, rows, GRID)
    add_column(study, "train.weight_decay", rows.values())
    return read_study(study)


def test_a_study_over_any_setting_is_one_table_and_has_a_verdict(tmp_path) -> None:  # type: ignore[no-untyped-def]
    study = decayed(tmp_path)
    rules = load_rules(study.path, study.grid)
    table = table_of(study, {})
    cells = StudyCells.of(table.rows)
    judged = {j.rule.name: j for j in judge(table, cells, rules)}
    decay = judged["decay"]
    assert decay.gap is not None
    assert (decay.verdict.value, decay.epochs) == ("supported", 8)
    assert decay.gap.estimate == pytest.approx(0.1, abs=0.01)
    assert sentence(decay).startswith(
        "At equal step time and 8 epochs weight_decay 0.0001 beats weight_decay 0.004 by "
    )
    assert "weight_decay 0.0001 better" in line(decay, rules)
    assert "mean of 2 pairs: depth 14, depth 26" in decay.notes
    assert [s.verdict.value for s in decay.sensitivities.values()] == ["supported"]
    assert lines(list(judged.values()), rules)
    one = table_of(study, {"train.weight_decay": "1e-4"})
    assert {row["train.weight_decay"] for row in one.rows} == {"0.0001"}


def test_settings_that_the_grid_varies_may_differ_and_no_others(tmp_path) -> None:  # type: ignore[no-untyped-def]
    # A batch size that goes along with the weight decay is declared; a device that does is not.
    changed = {str(DECAYS[0]): {"batch_size": 32}}
    assert len(table_of(decayed(tmp_path / "a", **changed), {}).rows) == 12
    with pytest.raises(InputError, match="device has 2 values"):
        table_of(decayed(tmp_path / "b", **{str(DECAYS[0]): {"device": "cpu: other"}}), {})


def test_what_it_can_decide_is_known_before() -> None:
    grid = {"axes": {"train.weight_decay": list(DECAYS), "depth": [14, 26]}}
    rule = {
        "kind": "levels",
        "along": "train.weight_decay",
        "levels": [*DECAYS],
        "at": {"depth": 26},
    }
    rules = load_rules(None, {"rules": {"rules": {"decay": rule}}})
    rows = [
        {"config_id": f"{d} {w}", "depth": d, "width": 1.0, "resolution": 32, "epochs": 8,
         "seed": s, "n_val": 2000, "flops": 1e6, "train.weight_decay": w}
        for d in (14, 26) for w in DECAYS for s in range(3)
    ]  # fmt: skip
    power = decidable(with_comparison_settings(rows, grid), rules, {8: (0.4, 0.004)})[0]
    # One pair of two cells with three seeds each: the noise is mostly their own, not that of all
    # four cells, which would give 8 degrees of freedom.
    assert power.se == pytest.approx(math.sqrt(2 * 0.004**2 / 3) / 0.4)
    assert 2 < power.df < 4
    assert power.seeds == 3
    assert describe([power])[0].startswith("decay (8 epochs): decides effects of ")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"along": None}, "along: None must name an axis"),
        ({"levels": [32]}, r"levels: \[32\] must be two different values of resolution"),
        ({"levels": [32, 32]}, "must be two different values"),
        ({"levels": [32, None]}, "levels: None must be a number or a name"),
        ({"at": [14]}, r"at: \[14\] must map settings to values"),
        ({"arms": ["depth", "width"]}, "arms"),
        ({"regime": "middle"}, "longest, shortest, every"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named(change: dict[str, object], message: str) -> None:
    rule = {"kind": "levels", "along": "resolution", "levels": [32, 48]} | change
    with pytest.raises(InputError, match=message):
        load_rules(None, {"rules": {"rules": {"slow": rule}}})


def test_axes_under_a_condition_tell_apart_only_where_they_have_several_values() -> None:
    grid = {
        "axes": {"depth": [14]},
        "when": [
            {"if": "depth > 20", "axes": {"model.dropout": [0.1]}},
            {"if": "depth < 20", "axes": {"train.ema_decay": [0.0, 0.9]}},
        ],
        "blocks": [{"axes": {"train.momentum": "choice(0.8,0.9)"}}],
    }
    assert crossed(grid) == {"depth", "train.ema_decay", "train.momentum"}
