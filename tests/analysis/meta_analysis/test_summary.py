"""Summaries of studies: numbers by hand, one data set counted once, nothing mixed."""

import csv
import json
import re
import shlex
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from scipy import optimize, stats

from analysis.figures.drawing.pooled_forest import forest
from analysis.meta_analysis.entries import read
from analysis.meta_analysis.pool import pool
from analysis.meta_analysis.records import records
from analysis.meta_analysis.words import lines as in_words
from analysis.report.side_by_side import side
from analysis.summary import main
from helpers.judged import judged
from helpers.made_up_results import renamed, runs
from helpers.pages import examples, not_printed
from helpers.study import make_study
from scaling_study.dispatch.catalogue import COMMANDS

GRID = "name: demo\nn_classes: 10\n"
STUDIES = {
    "deep": ("fractals", {4: -0.05, 20: 0.08}),
    "deep_2": ("fractals", {4: -0.04, 20: 0.06}),
    "flat": ("digits", {8: 0.01, 20: 0.0}),
    "clothes": ("fashion_mnist", {7: -0.02, 16: 0.05}),
}


def study(results: Path, name: str, data: str, effects: dict[int, float], grid: str = GRID) -> None:
    made = runs(effects, sd=0.003)
    make_study(results / name, [replace(renamed(r, name), data=data) for r in made], grid)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    for name, (data, effects) in STUDIES.items():
        study(folder, name, data, effects)
    return folder


ANALYSED = cache(side)


@pytest.fixture(autouse=True)
def each_is_analysed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analysis.meta_analysis.entries.side", ANALYSED)


def summarised(results: Path, capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    assert main([*words, "--results", str(results)]) == 0
    return capsys.readouterr().out.splitlines()


def refused(results: Path, capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main([*words, "--results", str(results)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def by_hand(y: Sequence[float], se: Sequence[float]) -> tuple[float, float]:
    """The mean by Paule and Mandel's tau^2, and half of its 95 % interval."""
    values, variances = np.array(y), np.array(se) ** 2

    def excess(tau2: float) -> float:
        w = 1 / (variances + tau2)
        return float(w @ (values - w @ values / w.sum()) ** 2) - len(y) + 1

    tau2 = optimize.brentq(excess, 0, 1e3) if excess(0) > 0 else 0.0
    w = 1 / (variances + tau2)
    half = stats.t.ppf(0.975, len(y) - 1) / np.sqrt(w.sum())
    return float(w @ values / w.sum()), float(half)


def test_effects_are_those_of_each_study_and_the_mean_is_by_hand(
    results: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    names = ("deep", "flat", "clothes")
    lines = summarised(results, capsys, *names, "-o", str(tmp_path), "--formats", "png")
    content = json.loads((tmp_path / "summary.json").read_text())
    found = content["rules"]["R1-long"]
    gaps = [judged(results / name)["R1-long"].gap for name in names]
    assert [s["estimate"] for s in found["studies"]] == [g.estimate for g in gaps]
    assert [s["low"] for s in found["studies"]] == pytest.approx([g.low for g in gaps])
    mean, half = by_hand([g.estimate for g in gaps], [g.se for g in gaps])
    assert found["mean"]["estimate"] == pytest.approx(mean)
    assert found["mean"]["high"] == pytest.approx(mean + half)
    new = found["new_data_set"]
    assert new["low"] < mean - half < mean + half < new["high"]
    assert 0.5 < new["confidence_above_0"] < 0.95
    line = next(t for t in lines if t.startswith("  mean over 3 data sets"))
    shown = re.fullmatch(r"  mean over 3 data sets +(\S+) % \[(\S+), (\S+)\]", line)
    assert shown
    printed = [float(number) for number in shown.groups()]
    assert printed == pytest.approx([100 * v for v in (mean, mean - half, mean + half)], abs=0.05)
    assert lines.pop().startswith(f"figure and numbers: {tmp_path}")
    assert max(map(len, lines)) <= 80
    rows = list(csv.DictReader((tmp_path / "summary.csv").read_text().splitlines()))
    assert [r["row"] for r in rows if r["rule"] == "R4"] == [*["study"] * 3, "mean", "new data set"]
    assert (tmp_path / "summary.png").stat().st_size > 1000
    assert not (tmp_path / "summary.svg").exists()


def test_what_short_training_loses_is_not_cut_off_at_0(
    results: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """Where short training chooses rightly the declared regret is 0, however clearly."""
    study(tmp_path, "right", "fractals", {4: 0.05, 20: 0.08})
    study(tmp_path, "wrong", "digits", {4: -0.05, 20: 0.08})
    words = ("--rule", "R4", "-o", str(tmp_path / "out"), "--formats", "none")
    summarised(tmp_path, capsys, "right", "wrong", *words)
    found = json.loads((tmp_path / "out/summary.json").read_text())["rules"]["R4"]["studies"]
    assert judged(tmp_path / "right")["R4"].gap.estimate == 0
    right, wrong = (s["estimate"] for s in found)
    assert right < -0.01 < 0.01 < wrong
    assert wrong == judged(tmp_path / "wrong")["R4"].gap.estimate
    assert right == pytest.approx(-wrong, rel=0.3)


def test_studies_of_one_data_set_count_once(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("deep", "deep_2", "flat", "--rule", "R1-long")
    text = "\n".join(summarised(results, capsys, *words))
    assert "fractals, 2 studies" in text
    assert "mean over 2 data sets" in text
    assert "in a new data set" not in text
    assert "deep, deep_2 are of one data set, fractals, and count as one" in text
    text = "\n".join(summarised(results, capsys, *words, "--data-set", "deep_2=other fractals"))
    assert "mean over 3 data sets" in text
    assert "count as one" not in text
    text = "\n".join(summarised(results, capsys, "deep", "deep_2", "--rule", "R1-long"))
    assert "All of it is fractals" in text
    assert "mean over" not in text


def test_wide_intervals_of_few_data_sets_do_not_squeeze_those_of_studies(
    results: Path,
) -> None:
    pooled, _ = pool(read(("flat", "clothes"), results, None, {}), ["R1-long"])
    rows = records(pooled)
    (axes,) = forest(rows).axes
    low, high = axes.get_xlim()
    studies = [r for r in rows if r["row"] == "study"]
    least, most = min(0, *(r["low"] for r in studies)), max(0, *(r["high"] for r in studies))
    assert low < least < most < high
    assert (most - least) / (high - low) > 0.2
    (mean,) = (r for r in rows if r["row"] == "mean")
    assert mean["high"] > high, "two data sets: Student's t with one degree of freedom"
    assert [line.get_marker() for line in axes.lines].count(">") == 1


@pytest.mark.slow
def test_a_law_is_pooled_as_the_number_that_it_is(results: Path) -> None:
    _, paper = read(("deep", "published"), results, None, {})
    gap = paper.judgements["R2"].gap
    assert gap is not None
    other = replace(paper, name="other", data_set="other")
    (found,), rest = pool([paper, other], ["R2"])
    assert not rest
    assert (found.factor, found.unit) == (1.0, "")
    assert found.together is not None
    assert found.together.mean.estimate == pytest.approx(gap.estimate)
    assert found.together.mean.se == pytest.approx(gap.se / np.sqrt(2))
    said = "\n".join(in_words([paper, other], [found], rest))
    assert "published (imagenet, 350 epochs)" in said
    assert f"+{gap.estimate:.1f}"[:3] in said


@pytest.mark.slow
def test_shares_of_steps_are_averaged_by_name_alone(results: Path) -> None:
    _, paper = read(("deep", "published"), results, None, {})
    other = replace(paper, name="other", data_set="other")
    pooled, rest = pool([paper, other])
    assert {"R2", "R3-scatter"} <= {one.rule.name for one in pooled}
    assert "R3-harm" not in {one.rule.name for one in pooled}
    assert not any("R3-harm" in text for text in rest)
    (found,), _ = pool([paper, other], ["R3-harm"])
    assert found.together is not None
    assert found.together.mean.estimate == pytest.approx(0.109, abs=0.001)


@pytest.mark.slow
def test_the_paper_is_one_more_data_set(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lines = summarised(results, capsys, "deep", "flat", "published")
    (line,) = (t for t in lines if t.startswith("  published") and "350" in t)
    assert "(imagenet, 350 epochs)" in line
    assert "+2.81 % [" in line
    text = "\n".join(lines)
    assert "step times are those of different devices" in text
    assert "R2 (published)" in text
    assert max(map(len, lines)) <= 80
    text = "\n".join(summarised(results, capsys, "deep", "published", "--cost", "flops"))
    assert "at equal FLOPs" in text
    assert "-0.5" in text, "the paper's gap of short training at equal FLOPs"


OWN = "rules: {{rules: {{mine: {{kind: levels, along: {}, levels: {}}}}}}}\n"
LOSS = "outcome: {name: loss, unit: nats, column: val_error}\n"
RAW = """outcome: {name: error, column: val_error, unit: fraction, scale: difference}
rules: {margin: 0.005}
"""
MIXED = {
    "cost": (
        "R1-long",
        "",
        "rules: {cost: flops}\n",
        "the equal cost is step time in one, FLOPs in",
    ),
    "regime": (
        "R1-long",
        "",
        "rules: {rules: {R1-long: {regime: shortest}}}\n",
        "the training that it is about is longest in",
    ),
    "outcome": ("R1-long", "", LOSS, "the outcome is error (%) in"),
    "scale": (
        "R1-long",
        "outcome: {name: error, column: val_error, unit: fraction}\n",
        RAW,
        "the scale is logarithms in",
    ),
    "contrast": (
        "mine",
        OWN.format("depth", "[26, 14]"),
        OWN.format("depth", "[50, 14]"),
        "the comparison is",
    ),
}


@pytest.mark.parametrize(("rule", "first", "second", "said"), MIXED.values(), ids=MIXED)
def test_other_quantities_have_no_mean(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    rule: str,
    first: str,
    second: str,
    said: str,
) -> None:
    study(tmp_path, "one", "fractals", STUDIES["deep"][1], GRID + first)
    study(tmp_path, "other", "digits", STUDIES["flat"][1], GRID + second)
    line = refused(tmp_path, capsys, "one", "other")
    assert line.startswith(f"error: {rule} is not one quantity")
    assert said in line
    assert re.search(r" in one, .* in other; give studies", line)


def test_one_cost_for_all_lets_them_be_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study(tmp_path, "one", "fractals", STUDIES["deep"][1])
    study(tmp_path, "other", "digits", STUDIES["flat"][1], f"{GRID}rules: {{cost: flops}}\n")
    text = "\n".join(summarised(tmp_path, capsys, "one", "other", "--cost", "flops"))
    assert "relative error at equal FLOPs" in text


def test_margin_and_sign_of_a_claim_change_no_effect(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    study(tmp_path, "one", "fractals", STUDIES["deep"][1])
    changed = f"{GRID}rules: {{rules: {{R1-long: {{margin: 0.02, sign: -1}}}}}}\n"
    study(tmp_path, "other", "digits", STUDIES["flat"][1], changed)
    summarised(tmp_path, capsys, "one", "other", "--rule", "R1-long")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("deep",), "one study; a summary is about two"),
        (("deep", "deep"), "share 36 runs"),
        (("deep", "flt"), "flt: no study"),
        (("deep", "flat", "--rule", "R9"), "--rule: 'R9'"),
        (("deep", "flat", "--rule", "R1"), "R1-long and R1-short have"),
        (("deep", "flat", "--rule", "R2"), "is in fewer of R2 (none)"),
        (("deep", "flat", "--cost", "time"), "--cost: 'time'"),
        (("deep", "flat", "--data-set", "deep"), "give STUDY=NAME"),
        (("deep", "flat", "--data-set", "dep=x"), "did you mean deep?"),
        (("deep", "flat", "--formats", "gif"), "'gif' is none of"),
    ],
    ids=lambda value: value if isinstance(value, str) else " ".join(value),
)
def test_bad_input_is_one_sentence(
    results: Path, capsys: pytest.CaptureFixture[str], words: Sequence[str], said: str
) -> None:
    assert said in refused(results, capsys, *words)


@pytest.mark.slow
def test_the_page_shows_what_its_commands_print(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its studies are those of our grids; here they are made up, and machines differ anyway."""
    for name, data in (
        ("depth_vs_width", "fractals"),
        ("depth_vs_width_digits", "digits"),
        ("depth_vs_width_fashion", "fashion_mnist"),
    ):
        study(tmp_path / "results", name, data, {7: -0.02, 16: 0.05})
    monkeypatch.chdir(tmp_path)
    assert len(examples("summary.md")) == 2
    for command, shown in examples("summary.md"):
        words = shlex.split(command)
        assert words[:2] == ["scaling-study", "summary"]
        assert main(words[2:]) == 0
        assert not_printed(shown, capsys.readouterr().out) == []
    for example in COMMANDS["summary"].examples:
        assert main([*shlex.split(example)[1:], "--formats", "none"]) == 0
