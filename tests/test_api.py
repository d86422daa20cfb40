"""What users import: plans, runs and curves as frames; verdicts and figures of them."""

import csv
import inspect
import json
import typing
from pathlib import Path
from types import ModuleType

import pytest
from matplotlib.figure import Figure

import analysis.api
import scaling_study.api
from analysis.api import Judged, judge, judge_table
from helpers.imported_tables import PLAIN
from helpers.made_up_results import runs as made_up
from helpers.study import write_study
from scaling_study.api import InputError, curves, plan, runs

ROOT = Path(__file__).resolve().parent.parent
STUDY = ROOT / "studies" / "depth_vs_width"
RUN, OUTCOME = {"a": 1, "flops": 2, "val_error": 0.1}, {"outcome": "val_error"}
DECLARED = {"name": "again", "outcome": "val_error", "cost": "flops"}


@pytest.fixture(scope="module")
def judged() -> Judged:
    return judge(STUDY)


def rows_of(name: str) -> list[dict[str, str]]:
    with (STUDY / name).open(newline="", encoding="utf-8") as file:
        return [*csv.DictReader(file)]


def test_a_plan_has_the_runs_that_were_trained_by_it() -> None:
    found = plan("depth_vs_width")
    assert {*found["run_id"]} == {row["run_id"] for row in rows_of("plan.csv")}
    assert found["train_flops"].sum() == sum(int(r["train_flops"]) for r in rows_of("results.csv"))
    assert {*plan("depth_vs_width", "grid.axes.epochs=[7]")["epochs"]} == {7}


def test_runs_are_the_rows_of_the_table() -> None:
    found, kept = runs(STUDY), rows_of("results.csv")
    errors = {row["run_id"]: float(row["val_error"]) for row in kept}
    assert dict(zip(found["run_id"], found["val_error"], strict=True)) == errors
    assert found.attrs["left_out"] == {}


def test_curves_are_the_evaluations_of_runs_that_made_any(tmp_path: Path) -> None:
    results = made_up({4: 0.05}, seeds=1)
    study = write_study(tmp_path, results)
    folder = study.parent / "runs" / results[0].run_id
    lines = [{"epoch": e, "curve_val_error": 1 / e} for e in (1, 2)] + [{"epoch": 2, "loss": 1.0}]
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    found = curves(study)
    assert found.to_dict("records") == [
        {"run_id": results[0].run_id, "val_error": 1 / e, "epoch": e} for e in (1.0, 2.0)
    ]
    assert [*curves(STUDY).columns] == ["run_id", "epoch", "val_error"]


def test_verdicts_are_those_of_the_page(judged: Judged) -> None:
    page = (ROOT / "docs/studies.md").read_text(encoding="utf-8")
    long = judged.verdicts["R1-long"]
    assert f"- **{long.verdict}**: {long.sentence.partition(';')[0]}\n" in page
    assert f"## {judged.question} (depth_vs_width)\n" in page
    assert long.low is not None
    assert long.high is not None
    assert long.margin < long.low < long.high
    assert not long.exploratory
    assert judged.verdicts["R2"].estimate is None
    assert [*judged.frame()["rule"]] == [*judged.verdicts]


def test_a_study_has_the_figures_that_it_names(judged: Judged) -> None:
    assert isinstance(judged.draw("verdicts"), Figure)
    assert "laws" not in judged.figures
    with pytest.raises(InputError, match=r"^laws: depth_vs_width has verdicts, "):
        judged.draw("laws")


def test_a_table_of_the_same_runs_gets_the_same_verdict_at_equal_flops(judged: Judged) -> None:
    (same,) = (
        found
        for found in judged.records()["verdicts"]["R1-long"]["sensitivities"]
        if found["name"] == "at equal FLOPs"
    )
    table = runs(STUDY).rename(columns={"depth": "layers", "val_error": "top1"})
    columns = {"depth": "layers", "outcome": "top1"}
    again = judge_table(table, DECLARED, columns).verdicts["R1-long"]
    assert (again.verdict, again.exploratory) == (same["verdict"], True)
    assert (again.estimate, again.low) == pytest.approx((same["estimate"], same["ci_low"]))
    assert again == judge_table(table.to_dict("records"), DECLARED, columns).verdicts["R1-long"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: plan("smok"), r"grid=smok: no such file \(did you mean smoke\?\)"),
        (lambda: plan("smoke", "data=x"), "data=x: no such file"),
        (lambda: plan("smoke", "modle.depth=14"), "modle.depth"),
        (lambda: runs("nowhere"), "no study in nowhere"),
        (lambda: judge("nowhere"), "no study in nowhere"),
        (lambda: judge_table([{"a": 1}], {"nmae": "x"}), "study: .*nmae"),
        (lambda: judge_table([{"a": 1}], DECLARED), "no column for outcome"),
        (lambda: judge_table([RUN], DECLARED, {**OUTCOME, "dpeth": "a"}), "is called 'dpeth'"),
        (lambda: judge_table(csv.DictReader(PLAIN.splitlines()), DECLARED), "no column for"),
    ],
)
def test_mistakes_are_one_sentence(call: typing.Callable[[], object], message: str) -> None:
    with pytest.raises(InputError, match=message) as found:
        call()
    assert len(str(found.value).splitlines()) == 1


@pytest.mark.parametrize("module", [scaling_study.api, analysis.api], ids=lambda m: m.__name__)
def test_the_page_shows_every_public_name_with_its_parameters(module: ModuleType) -> None:
    page = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    for name in module.__all__:
        value = getattr(module, name)
        assert inspect.getdoc(value)
        assert f"`{name}" in page, name
        if inspect.isfunction(value):
            parameters = ", ".join(map(_shown, inspect.signature(value).parameters.values()))
            assert f"### `{name}({parameters})`\n" in page
        for field in getattr(value, "__annotations__", {}) if inspect.isclass(value) else ():
            assert field.startswith("_") or f"`{field}`" in page, field


def _shown(parameter: inspect.Parameter) -> str:
    star = "*" if parameter.kind is parameter.VAR_POSITIONAL else ""
    default = "" if parameter.default is parameter.empty else f"={parameter.default!r}"
    return f"{star}{parameter.name}{default}"
