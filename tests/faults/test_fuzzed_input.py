"""Settings, grids and overrides that are mistyped in any way: an answer, or one sentence.

The same cases in every run. Most fail before anything is planned, none trains.
"""

import sys
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from hydra.core.global_hydra import GlobalHydra
from hypothesis import example, given
from hypothesis import strategies as st

from helpers.strange import NUMBERS, TEXTS, answered, damaged, seeded
from scaling_study.config import hydra_app
from scaling_study.config.checked_input import check_values
from scaling_study.grid.declared import GRID_KEYS
from scaling_study.study.axes import KEYS
from scaling_study.sweep.__main__ import main

NAMES = (*GRID_KEYS, *KEYS, "train.epochs", "init", "5", "if", "kind")
ARMS = [{"depth": 14, "width": 0.125}, {"depth": 26, "width": 0.125}, {"depth": 14, "width": 0.25}]
GRIDS: dict[str, dict[str, Any]] = {
    "rules": {
        "name": "mine",
        "question": "Why?",
        "axes": {"depth": [14], "epochs": [2, 4], "seed": "range(2)", "data.shift": [0, 0.1]},
        "points": [{"width": 0.125}, {"width": 0.25, "train.weight_decay": 1e-4}],
        "variants": {"independent": {"plain": {}, "se": {"model.se_ratio": 0.25}}},
        "when": [{"if": "width > 0.2", "axes": {"resolution": [16]}}],
        "where": ["depth == 14 or epochs < 3"],
        "rules": {
            "cost": "flops",
            "margin": 0.01,
            "base": "smallest",
            "looks": [2],
            "rules": {"se": {"kind": "levels", "along": "variant", "levels": ["se", "plain"]}},
        },
        "planning": {2: {"error": 0.5, "seed_sd": 0.01}},
        "labels": {"data.shift": "shift"},
    },
    "allocation": {
        "name": "mine",
        "axes": {"epochs": [2, 4], "seed": "range(4)"},
        "points": ARMS,
        "allocation": {
            **{"kind": "adaptive", "budget": {"train_flops": 1e12}},
            **{"rounds": 2, "rules": ["R1-long"]},
        },
        "planning": {n: {"error": 0.5, "seed_sd": 0.02} for n in (2, 4)},
        "rules": {"cost": "flops"},
    },
    "tuned": {
        "name": "mine",
        "axes": {"epochs": [2], "seed": [0, 1]},
        "points": ARMS,
        "tuned": {"lr": [0.5, 1, 2]},
    },
}
PARENTS: dict[str, Any] = {
    "name": "mine",
    "axes": {"depth": [14], "init": ["none", "run(p)"]},
    "blocks": [
        {"axes": {"seed": [0]}, "solve": {"width": {"flops": [1e6], "tolerance": 0.9}}},
        {"axes": {"seed": [1]}, "points": [{"width": 0.25}], "where": ["flops > 1"]},
    ],
    "parents": {"p": {"epochs": 2}},
    "outcome": {"name": "val_error"},
}
Plan = Callable[[dict[Any, Any]], tuple[int, str]]


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Those of a dry run of a small study."""
    folders = [f"{name}={tmp_path_factory.mktemp(name)}" for name in ("results_dir", "cache_dir")]
    return hydra_app.composed("sweep", ["+grid=smoke", "dry_run=true", "precision=fp32", *folders])


@pytest.fixture(scope="module")
def plan(settings: dict[str, Any]) -> Plan:
    def planned(changed: dict[Any, Any]) -> tuple[int, str]:
        def call() -> int:
            check_values(changed)
            return main(changed, [])

        return answered(call)

    for grid in GRIDS.values():
        assert planned({**settings, "grid": grid}) == (0, "")
    return planned


@pytest.mark.slow
def test_any_settings(settings: dict[str, Any], plan: Plan) -> None:
    @seeded(150)
    @given(damaged(settings, ("x", "train", "seed")))
    def case(changed: dict[Any, Any]) -> None:
        plan({**changed, "dry_run": True})

    case()


@pytest.mark.slow
@pytest.mark.parametrize("kind", GRIDS)
def test_any_grid(settings: dict[str, Any], plan: Plan, kind: str) -> None:
    @seeded(120)
    @given(damaged(GRIDS[kind], NAMES))
    @example(GRIDS[kind] | {"blocks": [1]})
    @example(GRIDS[kind] | {"allocation": {"kind": []}})
    @example(GRIDS[kind] | {"axes": {"epochs": [2**53]}})
    @example(GRIDS[kind] | {"name": "a\nb"})
    def case(grid: Any) -> None:
        plan({**settings, "grid": grid})

    case()


@pytest.mark.slow
def test_any_grid_with_parents(settings: dict[str, Any], plan: Plan) -> None:
    assert plan({**settings, "grid": PARENTS}) == (0, "")

    @seeded(30)
    @given(damaged(PARENTS, NAMES))
    def case(grid: Any) -> None:
        plan({**settings, "grid": grid})

    case()


def swept(words: list[str], monkeypatch: pytest.MonkeyPatch) -> tuple[int, str]:
    """As `python -m scaling_study.sweep WORDS`."""
    monkeypatch.setattr(sys, "argv", ["sweep", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    try:
        return answered(lambda: hydra_app.run(main, "sweep"))
    finally:
        GlobalHydra.instance().clear()


KNOWN = ("train.epochs", "grid.axes.seed", "results_dir", "data", "plan.out", "model.width", "init")


@pytest.mark.slow
@pytest.mark.parametrize(
    "word",
    [
        *("grid.axes.seed=" + "[" * n + "]" * n for n in (60, 5000)),
        *("train.epochs=1" + "0" * 5000, "plan.out=/", "~seed"),
        *("x" * 100_000 + "=1", "a." * 2000 + "b=1", "+" + "a." * 400 + "c=1", "\udcff=1"),
    ],
    ids=lambda word: word[:20],
)
def test_an_override_that_was_a_traceback(word: str, monkeypatch: pytest.MonkeyPatch) -> None:
    code, said = swept(["+grid=smoke", "dry_run=true", word], monkeypatch)
    assert code == 2
    assert word.partition("=")[2 if word == "plan.out=/" else 0][:9].strip("+~") in said


@pytest.mark.slow
def test_any_override(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sign = st.sampled_from(["=", "", "==", ":"])
    values = st.sampled_from([*map(str, NUMBERS), *TEXTS]) | st.text(max_size=8)

    @seeded(15)
    @given(st.sampled_from(["", "+", "++", "~"]), st.sampled_from(KNOWN), sign, values)
    def case(how: str, key: str, sign: str, value: str) -> None:
        swept(["+grid=smoke", "dry_run=true", f"{how}{key}{sign}{value}"], monkeypatch)

    case()
    assert not (tmp_path / "hacked").exists()


HEAD = "# @package _global_\n"
GOOD = "grid: {name: a, axes: {seed: [0]}}\n"
# Ten times what the one before is, ten times over.
REFERENCES = "b0: lots of it\n" + "".join(
    f"b{n}: '{f'${{b{n - 1}}}' * 10}'\n" for n in range(1, 11)
)
TENS = "a: &a [x,x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [{','.join([f'*{chr(97 + n)}'] * 10)}]\n" for n in range(9)
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TENS + GOOD, "stand for more than it can hold"),
        (REFERENCES + GOOD, "b5: its interpolations stand for more than 1,000,000 characters"),
        ("grid: {name: a, axes: {seed: " + "[" * 200 + "]" * 200 + "}}\n", "nested too deeply"),
        ("a:\n" + "".join(" " * n + "- \n" for n in range(1, 3000)), "mine.yaml"),
        ("grid: &a {name: a, axes: *a}\n", "nested too deeply"),
        ("grid: {name: a, axes: {seed: [1" + "0" * 5000 + "]}}\n", "more than 4,300 digits"),
        ("defaults: [mine]\n" + GOOD, "names itself"),
        ("1: 2\n" + GOOD, "1: no such setting; names are text"),
        ("[1, 2]\n", "Cannot merge DictConfig with ListConfig"),
        ("hydra: {sweep: x}\n" + GOOD, "str is not a subclass of SweepDir"),
        ('plan: {out: "a\\0b"}\n' + GOOD, "plan.out='a\\x00b': holds the character NUL"),
        ("x: !!python/object/apply:os.system ['touch hacked']\n" + GOOD, "not YAML"),
        ('grid: {name: a, axes: {seed: [0]}, question: "${"}\n', "input '${'"),
    ],
    ids=lambda text: text[:16],
)
def test_a_grids_file_that_is_a_bomb(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, said: str
) -> None:
    (tmp_path / "my/grid").mkdir(parents=True)
    (tmp_path / "my/grid/mine.yaml").write_text(HEAD + text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    search = f"hydra.searchpath=[file://{tmp_path}/my]"
    code, told = swept([search, "+grid=mine", "dry_run=true"], monkeypatch)
    assert code == 2
    assert said in told
    assert not (tmp_path / "hacked").exists()


def test_values_are_checked_at_any_depth() -> None:
    good = {"grid": {"planning": {5: {"error": 0.5}}, "axes": {"seed": [0]}}, "plan": {"out": None}}
    check_values(good)
    bad = deepcopy(good)
    bad["grid"]["axes"]["seed"].append(["a\0"])  # type: ignore[index,union-attr]
    assert "grid.axes.seed" in answered(lambda: check_values(bad))[1]
