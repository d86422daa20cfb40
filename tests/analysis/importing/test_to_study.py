"""Runs made elsewhere become a study: judged right, or refused with the reason."""

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.importers import main
from analysis.importing.command import form_of, rows_of
from helpers.tracked import server
from helpers.wandb_run import Run
from helpers.wandb_server import Server
from scaling_study.common.errors import InputError

__all__ = ["server"]
STUDY = """
name: transformer
outcome: {name: loss, unit: nats, best: 1.0}
length: steps
cost: train_flops
"""
MAP = (
    "--map",
    "depth=layers",
    "--map",
    "width=dim",
    "--map",
    "outcome=loss",
    "--map",
    "train_flops=C",
)
SHAPES = ((2, 64), (4, 64), (8, 64), (2, 91), (2, 128))
EFFECT = 0.10  # the depth arm's ln(loss - 1) is lower by this, on average over the common range


def loss(layers: int, dim: int, steps: int) -> float:
    """Each arm falls with ln(cost) from the shared base, depth faster by EFFECT at the middle."""
    x = math.log(layers / 2 * (dim / 64) ** 2)
    return 1 + 2 * math.exp(-0.2 * x - (EFFECT / math.log(2) * x if layers > 2 else 0)) / steps**0.1


def made(seeds: int = 3, sd: float = 0.004) -> list[dict[str, Any]]:
    rng = np.random.default_rng(5)
    return [
        {
            "layers": layers,
            "dim": dim,
            "steps": steps,
            "seed": seed,
            "C": 1e6 * layers * dim**2 * steps,
            "loss": loss(layers, dim, steps) + sd * float(rng.standard_normal()),
        }
        for layers, dim in SHAPES
        for steps in (100, 400)
        for seed in range(seeds)
    ]


def table(path: Path, rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    path.write_text(text.getvalue(), encoding="utf-8")
    return str(path)


def judged(tmp_path: Path, rows: list[dict[str, Any]], study: str = STUDY, *more: str) -> int:
    (tmp_path / "study.yaml").write_text(study)
    file = table(tmp_path / "runs.csv", rows)
    words = (file, *MAP, "--study", str(tmp_path / "study.yaml"), "-o", str(tmp_path / "out"))
    return main([*words, *more])


@pytest.mark.parametrize(
    ("rows", "study", "said"),
    [
        (made(seeds=1), STUDY, "none of the 10 configurations ran twice"),
        ([*made(), made()[0]], STUDY, "2 rows are d2-w64-r1-e100 with seed 0"),
        (
            [r | {"loss": loss(r["layers"], r["dim"], r["steps"])} for r in made()],
            STUDY,
            "copies under several seeds are no replicates",
        ),
        (made(), STUDY + "selection: best\n", "is selected by the best epoch"),
        (made(), STUDY.replace("train_flops", "step_time_s"), "no column for step_time_s"),
        (made(), STUDY.replace("steps", "tokens"), "length: tokens: no such column"),
        (made(), STUDY.replace("best: 1.0", "best: 9.0"), "is not worse than outcome.best=9"),
        (made(), STUDY + "sed: 1\n", r"sed: no such setting (did you mean seed_sd?)"),
        (made(), STUDY + "rules: {alpa: 1}\n", "rules.alpa: no such setting"),
    ],
)  # fmt: skip
def test_what_cannot_be_judged_is_refused_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], rows: list[dict[str, Any]], study: str,
    said: str,
) -> None:  # fmt: skip
    assert judged(tmp_path, rows, study) == 2
    assert said in capsys.readouterr().err


def test_times_of_several_devices_are_not_compared(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [r | {"step_time_s": r["C"] / 1e15, "device": f"gpu{r['seed']}"} for r in made()]
    assert judged(tmp_path, rows, STUDY.replace("train_flops", "step_time_s")) == 2
    assert "times of 3 devices (gpu0, gpu1, gpu2)" in capsys.readouterr().err


def test_a_column_of_best_values_is_refused_unless_they_were_chosen_elsewhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{("best_loss" if k == "loss" else k): v for k, v in r.items()} for r in made()]
    file = table(tmp_path / "runs.csv", rows)
    (tmp_path / "study.yaml").write_text(STUDY)
    words = [file, *(w.replace("=loss", "=best_loss") for w in MAP)]
    words += ["--study", str(tmp_path / "study.yaml"), "-o", str(tmp_path / "out"), "--surface"]
    assert main(words) == 2
    assert "'best_loss' is selected by the best epoch" in capsys.readouterr().err


def test_shapes_that_ran_once_are_compared_by_a_surface(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(2)
    rows = [
        {
            "layers": int(layers), "dim": int(dim), "steps": 100, "seed": 0,
            "C": float(layers * dim**2),
            "loss": 1 + math.exp(-0.3 * math.log(layers) - 0.2 * math.log(dim)),
        }
        for layers, dim in zip(rng.integers(2, 30, 16), rng.integers(32, 512, 16), strict=True)
    ]  # fmt: skip
    assert judged(tmp_path, rows, STUDY, "--surface") == 0
    found = json.loads((tmp_path / "out" / "surface.json").read_text())
    assert found["contrast"] == pytest.approx(-0.2 / 2 - -0.3 / 1, abs=1e-6)
    said = capsys.readouterr().out
    assert "depth gains more" in said
    assert "rests on lack of fit of the surface alone" in said


@pytest.fixture
def with_heads() -> list[dict[str, Any]]:
    """The table with an axis of its own, which costs nothing and gains 5 %, and an optimizer."""
    rows = [
        {**row, "heads": heads, "opt": opt} for row in made() for heads in (4, 8) for opt in "ab"
    ]
    for row in rows:
        row["loss"] = 1 + (row["loss"] - 1) * (0.95 if row["heads"] == 8 else 1)
        row["loss"] += 1e-4 * (row["opt"] == "a") + 1e-7 * row["heads"]
    return rows


OWN_AXES = (
    STUDY
    + """
axes: {attention heads: heads, opt: opt}
rules: {rules: {more: {kind: levels, along: table.attention_heads, levels: [8, 4], claim: more}}}
"""
)


@pytest.mark.slow
def test_a_table_with_axes_of_its_own_becomes_a_study_that_is_judged_right(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], with_heads: list[dict[str, Any]]
) -> None:
    assert judged(tmp_path, with_heads, OWN_AXES) == 0
    out = tmp_path / "out"
    for name in ("verdicts.json", "fits.json", "frontier.csv", "gaps.csv"):
        assert (out / name).stat().st_size > 0
    verdicts = json.loads((out / "verdicts.json").read_text(encoding="utf-8"))
    for rule, effect in (("R1-long", EFFECT), ("more", -math.log(0.95))):
        found = verdicts["verdicts"][rule]
        assert found["verdict"] == "supported"
        # In ln(loss - 1): the declared outcome, not the raw column.
        assert found["ci_low"] < effect < found["ci_high"]
    assert verdicts["runs"] == 120
    assert verdicts["prereg"]["cost"] == "train_flops"
    assert verdicts["prereg"]["exploratory"]  # nothing was fixed before these runs
    effects = (out / "main_effects.csv").read_text(encoding="utf-8")
    assert all(label in effects for label in ("attention heads", ",opt,", "(steps)"))
    arms = (out / "arms_train_flops.csv").read_text(encoding="utf-8")
    assert "attention heads 8, opt b" in arms
    assert "<th>attention heads</th><th>opt</th>" in (out / "report.html").read_text("utf-8")
    # The same folder again, with other rules: nothing was frozen.
    study = OWN_AXES.partition("rules:")[0] + "rules: {arms: [depth, attention_heads]}"
    assert judged(tmp_path, with_heads, study, "--surface") == 2
    assert "does not clearly rise with attention heads" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ("[heads]", "2 rows are d2-w64-r1-e100-4 with seed 0: a run that is there twice"),
        ("[nothing]", "axes: nothing: no such column; there are C, dim, heads"),
        ("[layers]", "axes: layers is the axis depth already"),
        ("[width]", "axes=width: is an axis already; give --map width=COLUMN"),
        ("[steps]", "axes=steps: is the length already"),
        ("{a b: heads, a-b: opt}", "must differ in more than signs"),
        ("3", "axes=3: must be a list of columns"),
        ("{lr: opt}", "'opt' for lr holds 'a'"),
    ],
)
def test_axes_that_are_none_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], with_heads: list[dict[str, Any]],
    axes: str, said: str,
) -> None:  # fmt: skip
    assert judged(tmp_path, with_heads, f"{STUDY}axes: {axes}\n") == 2
    assert said in capsys.readouterr().err


def test_a_value_that_no_run_can_have_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(tmp_path, [row | {"lr": 0} for row in made()]) == 2
    assert "d2-w64-r1-e100-s0-0: lr=0.0 is not possible" in capsys.readouterr().err


def test_a_length_of_half_a_step_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert judged(tmp_path, [row | {"steps": row["steps"] / 200} for row in made()]) == 2
    assert (
        "row 1: steps=0.5 is no whole number; give it in a smaller unit" in capsys.readouterr().err
    )


def test_all_formats_hold_the_same_runs(tmp_path: Path) -> None:
    rows = made(seeds=2)
    texts = [{k: str(v) for k, v in row.items()} for row in rows]
    pd.DataFrame(rows).to_parquet(tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps({"config": r}) for r in rows))
    (tmp_path / "a.json").write_text(json.dumps(rows))
    assert rows_of(str(tmp_path / "a.json"), "jsonl") == texts
    assert rows_of(table(tmp_path / "a.csv", rows), "csv") == texts
    assert rows_of(str(tmp_path / "a.parquet"), "parquet") == texts
    named = {"a.json": "jsonl", "a.parquet": "parquet", "a.csv": "csv", "a.ndjson": "jsonl"}
    assert {name: form_of(str(tmp_path / name)) for name in named} == named
    nested = [{f"config.{k}": v for k, v in row.items()} for row in texts]
    assert rows_of(str(tmp_path / "a.jsonl"), "jsonl") == nested


def test_the_files_of_mlflow_are_read(tmp_path: Path) -> None:
    for i, (state, stage) in enumerate([(3, "active"), (1, "active"), (3, "deleted")]):
        run = tmp_path / "mlruns" / "0" / f"run{i}"
        for folder in ("params", "metrics", "tags"):
            (run / folder).mkdir(parents=True)
        (run / "meta.yaml").write_text(
            f"run_id: run{i}\nstatus: {state}\nlifecycle_stage: {stage}\n"
        )
        (run / "params" / "layers").write_text("4")
        (run / "metrics" / "loss").write_text("17 3.5 0\n18 3.25 2\n18 3.4 1\n")
    assert form_of(str(tmp_path / "mlruns")) == "mlflow"
    (found,) = rows_of(str(tmp_path / "mlruns"), "mlflow")
    assert found == {"run_id": "run0", "layers": "4", "loss": "3.25"}  # the last step, not line


def test_the_files_of_tensorboard_are_read(tmp_path: Path) -> None:
    pytest.importorskip("tensorboard", reason="tensorboard is not installed here")
    from torch.utils.tensorboard import SummaryWriter

    with SummaryWriter(str(tmp_path / "a")) as writer:
        for step in range(3):
            writer.add_scalar("loss", 4 - step / 2, step)
    (tmp_path / "a" / "hparams.yaml").write_text("model: {layers: 4}\n")
    assert form_of(str(tmp_path)) == "tensorboard"
    (found,) = rows_of(str(tmp_path), "tensorboard")
    assert found == {"run_id": "a", "model.layers": "4", "loss": "3.0"}


@pytest.mark.slow
def test_a_live_project_is_read_by_the_public_api(server: Server) -> None:
    for name, done, value in (("a", 0, 3.5), ("b", None, 9.0)):
        run = Run(name, config={"layers": {"value": 4}}, exit_code=done)
        run.streams["wandb-summary.json"][0] = json.dumps({"loss": value, "_step": 3})
        server.runs[name] = run
    (found,) = rows_of("wandb://me/project", "csv")
    assert found == {"run_id": "a", "state": "finished", "layers": "4", "loss": "3.5"}
    server.runs.clear()
    with pytest.raises(InputError, match="holds no finished run"):
        rows_of("wandb://me/project", "csv")


def test_families_that_do_not_overlap_still_have_a_frontier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "model,val_error,flops\na1,0.5,1\na2,0.45,2\nb1,0.2,10\nb2,0.15,20\n"
    (tmp_path / "t.csv").write_text(text)
    words = [str(tmp_path / "t.csv"), "--families", "^a", "^b", "-o", str(tmp_path / "out")]
    assert main(words) == 0
    assert "no speed-up: " in capsys.readouterr().out
    assert (tmp_path / "out" / "frontier.csv").is_file()
