"""The command that imports tables, and what is drawn of them."""

import csv
import json

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.figures.drawing.published_overlay import overlay, published_records
from analysis.importers import main
from helpers.imported_tables import COLUMNS, PLAIN, UNITS, timm_files, write


def rows_of(folder):
    with (folder / "frontier.csv").open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_command_with_families(tmp_path, capsys):
    files = [str(path) for path in timm_files(tmp_path)]
    out = tmp_path / "out"
    arguments = [*files, "--format", "timm", "--cost", "image_time_s", "-o", str(out)]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert said.startswith("2 of 3 models on the frontier of val_error and image_time_s; 2 left")
    assert not (out / "speedups.json").exists()
    text = PLAIN + "plain18,72.0,2.0,9\nplain50,78.0,8.0,30\n"
    path = str(write(tmp_path, "t.csv", text))
    mapping = [f"--map={ours}={theirs}" for ours, theirs in COLUMNS.items()]
    mapping += [f"--unit={ours}={word}" for ours, word in UNITS.items()]
    families = ["--families", "tiny|small|base", "^plain", "--n-val", "50000", "--published"]
    assert main([path, *mapping, *families, "-o", str(out)]) == 0
    said = capsys.readouterr().out
    assert said.count("\n") == 1
    assert "at equal error ^plain costs" in said
    assert {p.name for p in out.iterdir()} == {
        *("frontier.csv", "frontier.png", "frontier.svg", "frontier.pdf"),
        *("speedups.json", "left_out.csv"),
    }
    found = json.loads((out / "speedups.json").read_text())
    # 72 %: between tiny and small; all of ^plain is within reach.
    assert found["share_of_range"] == pytest.approx(1)
    q = -np.log([0.28, 0.30, 0.25])
    tiny = np.exp(np.interp(q[0], q[1:], np.log([1e9, 2e9])))
    assert found["models"][0]["ratio"] == pytest.approx(4e9 / tiny)
    assert found["ci_low"] < found["mean"] < found["ci_high"]
    rows = rows_of(out)
    assert [r["on_frontier"] for r in rows] == ["True", "True", "False", "True", "False"]
    assert {r["family"] for r in rows} == {"tiny|small|base", "^plain"}


@pytest.mark.slow
def test_command_without_noise_or_names(tmp_path, capsys):
    text = "val_error,params\n0.3,1\n0.2,2\n0.25,1.5\n"
    path = str(write(tmp_path, "t.csv", text))
    assert main([path, "--families", "1|2", "3", "-o", str(tmp_path / "o")]) == 0
    assert "no speed-up: the two families share no range" in capsys.readouterr().out
    assert main([path, "-o", str(tmp_path / "o")]) == 0
    rows = rows_of(tmp_path / "o")
    assert [(r["name"], r["error_low"]) for r in rows] == [("1", ""), ("3", ""), ("2", "")]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--map", "val_error"], "give OURS=..."),
        (["--map", "top1=acc"], "ours are "),
        (["--map", "flops=a", "--map", "flops=b"], "given twice"),
        (["--cost", "step_time_s"], "no cost 'step_time_s' among the columns (flops)"),
        (["--families", "(", "b"], "no regular expression"),
        (["--families", "a", "zebra"], "'zebra' finds no model; some are a"),
        (["--families", "a", "a|b"], "a is in both families"),
        (["--format", "timm", "--map", "flops=x"], "timm's columns are known"),
        (["extra.csv"], "csv takes one file, not 2"),
    ],
)
def test_command_with_bad_input(tmp_path, capsys, arguments, message):
    text = "model,val_error,flops\na,0.3,1e9\nb,0.2,2e9\n"
    path = str(write(tmp_path, "t.csv", text))
    assert main([path, *arguments, "-o", str(tmp_path / "o")]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_overlay_draws_what_was_published():
    axes = Figure().subplots()
    records = published_records("flops")
    labels = overlay(axes, records)
    assert len(records) == 19
    assert [label.text for label in labels] == ["RS-50@160", "RS-420@320", "B0@224", "B7@600"]
    families = ("ResNet-RS", "EfficientNet")
    names = [c.get_label() for c in axes.collections[::2]]
    assert names == [f"{f} on ImageNet (Bello et al. 2021, Table 7)" for f in families]
    assert records[0]["error"] == pytest.approx(0.212)
    assert records[0]["cost"] == pytest.approx(4.6e9)
    assert published_records("step_time_s") == []
    assert published_records("params")[0]["cost"] == pytest.approx(36e6)
