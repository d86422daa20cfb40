"""Exports of W&B."""

import csv
import json

import pytest

from analysis.importing.cells import measured
from analysis.importing.read_wandb import read_wandb
from helpers.imported_tables import write
from scaling_study.common.errors import InputError

WANDB = (
    '"Name","State","model.depth","config.model.width","train.epochs","seed",'
    '"val_error","flops"\n'
    """"a","finished","26","0.5","10","0","0.30","1e9"
"b","finished","26","0.5","10","1","0.32","1e9"
"c","crashed","50","0.5","10","0","0.9","2e9"
"d","finished","50","0.5","10","0","0.25","2e9"
"e","finished","50","0.5","10","1","0.27","2e9"
"""
)


def wandb_json():
    for row in csv.DictReader(WANDB.splitlines()):
        config = {"model": {"depth": int(row["model.depth"]), "width": 0.5}, "_wandb": {}}
        config |= {"train": {"value": {"epochs": 10}}, "seed": {"desc": None, "value": row["seed"]}}
        done = row["State"] == "finished"
        summary = {"val_error": float(row["val_error"]), "flops": 1e9} if done else {}
        yield {"name": row["Name"], "state": row["State"], "config": config, "summary": summary}


def wandb_file(folder, kind):
    if kind == "table":
        return write(folder, "w.csv", WANDB)
    if kind == "lines":
        return write(folder, "w.jsonl", "\n".join(map(json.dumps, wandb_json())) + "\n\n")
    path = folder / "w.csv"
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["", "summary", "config", "name", "state"])
        writer.writeheader()
        for run in wandb_json():
            run["summary"] |= {"val_loss": float("nan")}
            writer.writerow(run)
    return path


@pytest.mark.parametrize("kind", ["table", "lines", "printed"])
def test_wandb_exports(tmp_path, kind):
    table = read_wandb(wandb_file(tmp_path, kind))
    assert table.left_out == {"c": "state crashed"}
    assert table.frame["run_id"].tolist() == ["a", "b", "d", "e"]
    assert table.frame["depth"].tolist() == [26, 26, 50, 50]
    assert table.frame["width"].tolist() == [0.5] * 4
    assert table.frame["epochs"].tolist() == [10] * 4
    assert table.frame["val_error"].tolist() == [0.30, 0.32, 0.25, 0.27]
    cells, cost = measured(table, None, None)
    assert cost == "flops"
    assert cells.frame["seeds"].tolist() == [2, 2]
    assert sorted(cells.frame["val_error"]) == pytest.approx([0.26, 0.31])
    # Pooled variance 0.0002 with two degrees of freedom, two seeds in each mean.
    assert cells.frame["error_sd"].tolist() == pytest.approx([0.01, 0.01])


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("w.jsonl", "{", "line 1 is no JSON"),
        ("w.jsonl", "[1]", "holds no run but list"),
        ("w.jsonl", "\n", "holds no run"),
        ("w.csv", "name,config,summary\na,nonsense,{}\n", "holds no dictionary: 'nonsense'"),
        ("w.csv", WANDB.replace("finished", "running"), r"is finished \(5 are not\)"),
        ("w.csv", WANDB.replace('"b"', '"a"').replace('"1"', '"0"'), "the same run: run_id=a"),
    ],
)
def test_wandb_that_is_wrong(tmp_path, name, text, message):
    with pytest.raises(InputError, match=message):
        read_wandb(write(tmp_path, name, text))
