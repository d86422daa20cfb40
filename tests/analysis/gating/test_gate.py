"""The gate: one decision against scipy's own test, and a series against its error budget."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.gate import main
from analysis.gating.budget import levels, share
from analysis.gating.decide import decide
from helpers.made_up_results import run
from helpers.study import write_study
from scaling_study.common.errors import InputError

SERIES, CHANGES, SEEDS = 4000, 500, 3
ERROR, CV = 0.25, 0.03  # pilots in sweeps/grid/README.md have 0.020 to 0.022


def table(path: Path, base: list[float], change: list[float], extra: str = "") -> tuple[str, str]:
    rows = [f"{v},{i},old{extra}" for i, v in enumerate(base)]
    rows += [f"{v},{i},new{extra}" for i, v in enumerate(change)]
    path.write_text(
        "outcome,seed,which" + (",same" if extra else "") + "\n" + "\n".join(rows) + "\n"
    )
    return f"{path}:which=old", f"{path}:which=new"


def asked(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object]]:
    code = main(words)
    out = capsys.readouterr().out
    return code, json.loads(out) if out.strip() else {}


def test_a_decision_is_welchs_test() -> None:
    base, change = [3.1, 3.3, 3.2, 3.15], [2.9, 3.05, 3.0]
    found = decide([base], [change], 0.05, scale="raw")
    oracle = stats.ttest_ind(base, change, equal_var=False, alternative="greater")
    assert found.p == pytest.approx(oracle.pvalue)
    assert found.df == pytest.approx(oracle.df)
    assert found.low == pytest.approx(oracle.confidence_interval(0.95).low)
    assert found.gain == pytest.approx(np.mean(base) - np.mean(change))
    logs = decide([base], [change], 0.05)
    assert logs.gain == pytest.approx(math.log(np.mean(base) / np.mean(change)))


def test_cells_weigh_the_same_whatever_their_seeds() -> None:
    base, change = [[3.0, 3.2], [2.0, 2.2, 2.4]], [[2.8, 2.9], [2.1, 2.0, 2.2]]
    found = decide(base, change, 0.05, scale="raw")
    each = [decide([b], [c], 0.05, scale="raw") for b, c in zip(base, change, strict=True)]
    assert found.gain == pytest.approx(np.mean([one.gain for one in each]))
    assert found.se == pytest.approx(math.sqrt(sum(one.se**2 for one in each)) / 2)


def test_all_shares_together_are_the_whole_budget() -> None:
    partial = sum(share(i) for i in range(1, 200_000))
    rest = 1 / (2.109743 * math.log(200_000.5))  # the integral of what follows
    assert partial + rest == pytest.approx(1, abs=1e-5)
    given = levels([False, True, False, True])
    assert given[2] == pytest.approx(0.05 * share(3) + given[1])  # what a keep has spent comes back
    assert given[3] == pytest.approx(0.05 * share(4))


def nulls(shared_base: bool, scatter: float, seed: int) -> tuple[float, float]:
    """Shares of series with any false keep, and of changes that look better than their base."""
    rng = np.random.default_rng(seed)
    shape = (SERIES, 1 if shared_base else CHANGES, SEEDS)
    base = ERROR * (1 + CV * rng.standard_normal(shape))
    change = ERROR * (1 + scatter * CV * rng.standard_normal((SERIES, CHANGES, SEEDS)))
    means = [np.log(group.mean(-1)) for group in (base, change)]
    parts = [g.var(-1, ddof=1) / SEEDS / g.mean(-1) ** 2 for g in (base, change)]
    total = parts[0] + parts[1]
    df = total**2 / ((parts[0] ** 2 + parts[1] ** 2) / (SEEDS - 1))
    p = stats.t.sf((means[0] - means[1]) / np.sqrt(total), df)
    one = decide([base[0, 0]], [change[0, 7]], 0.05) if shared_base else None
    assert one is None or one.p == pytest.approx(p[0, 7])  # this is what the gate computes
    kept = p <= np.array(levels([False] * CHANGES))
    return float(kept.any(1).mean()), float((means[1] < means[0]).mean())


@pytest.mark.slow
@pytest.mark.parametrize("shared_base", [False, True])
@pytest.mark.parametrize("scatter", [1.0, 3.0])
def test_of_500_null_changes_in_a_row_none_is_kept_in_95_of_100_series(
    shared_base: bool, scatter: float
) -> None:
    any_false, greedy = nulls(shared_base, scatter, seed=1)
    assert any_false <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / SERIES)
    assert any_false > 0.002  # a budget that is never spent would decide nothing
    assert 0.45 < greedy < 0.55  # whoever takes what looks better keeps half of them


def test_a_gain_that_is_there_is_kept_and_its_budget_comes_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ledger = str(tmp_path / "ledger.jsonl")
    base, change = table(
        tmp_path / "t.csv", [0.30, 0.305, 0.298, 0.302], [0.20, 0.202, 0.198, 0.201]
    )
    code, first = asked(capsys, base, change, "--ledger", ledger)
    assert (code, first["verdict"], first["number"]) == (0, "supported", 1)
    assert first["level"] == pytest.approx(0.05 * share(1))
    code, again = asked(capsys, base, change, "--ledger", ledger)
    assert again["said_before"]
    assert len(Path(ledger).read_text().splitlines()) == 2
    code, second = asked(capsys, change, base, "--ledger", ledger)
    assert (code, second["verdict"]) == (3, "refuted")
    assert second["level"] == pytest.approx(0.05 * share(2) + 0.05 * share(1))


def test_an_undecided_change_says_how_many_seeds_would_decide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(3)
    old, new = rng.normal(0.30, 0.01, 3), rng.normal(0.29, 0.01, 3)
    base, change = table(tmp_path / "t.csv", list(old), list(new))
    code, found = asked(capsys, base, change)
    assert (code, found["verdict"]) == (4, "inconclusive")
    n = int(str(found["seeds"]))
    # As many seeds of that gain and noise decide in about 80 of 100 repetitions.
    gain, sd = old.mean() - new.mean(), math.sqrt((old.var(ddof=1) + new.var(ddof=1)) / 2)
    groups = rng.normal(0, sd, (400, 2, n)) + np.array([0.3, 0.3 - gain])[:, None]
    kept = [decide([g[0]], [g[1]], 0.05).verdict != "inconclusive" for g in groups]
    assert 0.7 < np.mean(kept) < 0.93


def test_a_margin_asks_for_more_than_no_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base, change = table(tmp_path / "t.csv", [3.0, 3.01, 2.99, 3.0], [2.9, 2.91, 2.89, 2.9])
    assert asked(capsys, base, change, "--scale", "raw", "--margin", "0.05")[0] == 0
    assert asked(capsys, base, change, "--scale", "raw", "--margin", "0.5")[0] == 3


@pytest.mark.parametrize(
    ("base", "change", "said"),
    [
        ([0.3, 0.3], [0.2, 0.21], "replicates that never differ are copies"),
        ([0.3], [0.2, 0.21], "a group has 1 run: a group needs two runs or more"),
        ([-0.3, 0.3], [0.2, 0.21], "--scale raw takes differences"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], base: list[float], change: list[float],
    said: str,
) -> None:  # fmt: skip
    assert main(table(tmp_path / "t.csv", base, change)) == 2
    assert said in capsys.readouterr().err


def test_a_change_of_seed_alone_is_no_treatment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = "outcome,seed,lr\n0.3,0,1\n0.31,1,1\n0.2,2,1\n0.21,3,1\n"
    (tmp_path / "a.csv").write_text("\n".join(rows.splitlines()[:3]) + "\n")
    (tmp_path / "b.csv").write_text("outcome,seed,lr\n0.2,2,1\n0.21,3,1\n")
    assert main([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]) == 2
    assert "differ in nothing but the seed" in capsys.readouterr().err
    # What was measured beside the outcome is no treatment either.
    for name, seeds in (("a", (0, 1)), ("b", (2, 3))):
        lines = [f"{0.2 + s / 100},{s},1,{0.1 + s / 100}" for s in seeds]
        (tmp_path / f"{name}.csv").write_text("\n".join(["outcome,seed,lr,train_loss", *lines]))
    assert main([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]) == 2
    assert "differ in nothing but the seed" in capsys.readouterr().err
    results = [run(14, 0.25, 4, seed, 0.3 - seed / 100) for seed in range(4)]
    first = write_study(tmp_path / "first", results[:2])
    second = write_study(tmp_path / "second", results[2:])
    assert main([str(first), str(second)]) == 2
    assert "differ in nothing but the seed" in capsys.readouterr().err
    assert main([str(first), str(first)]) == 2
    assert "is in both groups" in capsys.readouterr().err


def test_two_studies_are_compared_and_a_new_commit_is_a_treatment(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    results = [run(14, 0.25, 4, seed, 0.30 + seed / 1000) for seed in range(4)]
    better = [replace(run(14, 0.25, 4, s, 0.2 + s / 1000), git_commit="f" * 40) for s in range(4)]
    old, new = write_study(tmp_path / "old", results), write_study(tmp_path / "new", better)
    with pytest.raises(InputError):
        decide([[1.0, 1.0]], [[1.0, 2.0]], 0.05)
    again = [replace(r, run_id=f"{r.run_id}x") for r in better]
    new = write_study(tmp_path / "other", again)
    code, found = asked(capsys, str(old), str(new))
    assert (code, found["runs_base"], found["runs_change"]) == (0, 4, 4)


def test_repeats_of_one_seed_are_no_replicates(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a.csv").write_text("outcome,seed,lr\n0.3,0,1\n0.31,0,1\n")
    (tmp_path / "b.csv").write_text("outcome,seed,lr\n0.2,0,2\n0.21,1,2\n")
    assert main([str(tmp_path / "a.csv"), str(tmp_path / "b.csv")]) == 2
    assert "two runs have seed 0" in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{}\n", "no json\n", '{"schema": 1, "alpha": 0.1}\n', ""])
def test_a_file_that_is_no_ledger_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str
) -> None:
    base, change = table(tmp_path / "t.csv", [0.3, 0.31], [0.2, 0.21])
    (tmp_path / "ledger").write_text(text)
    assert main([base, change, "--ledger", str(tmp_path / "ledger")]) == 2
    assert "ledger" in capsys.readouterr().err
