"""Tables of other tools: each format, each way to be wrong, and the command."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.figure import Figure

from analysis.figures.drawing.published_overlay import overlay, published_records
from analysis.importers import main
from analysis.importing.cells import measured
from analysis.importing.read_csv import read_csv
from analysis.importing.read_timm import read_timm
from analysis.importing.read_wandb import read_wandb
from helpers.analysis_data import run
from scaling_study.common.errors import InputError
from scaling_study.study.table import table

PLAIN = """net,acc,MACs (G),"params"
tiny,70.0,0.5,"1,014.5"
small,75.0,1.0,5
base,80.0,4.0,20
"""
COLUMNS = {"model": "net", "val_error": "acc", "flops": "MACs (G)", "params": "params"}
UNITS = {"val_error": "percent accuracy", "flops": "gmacs", "params": "millions"}

# Rows of timm's published tables: results-imagenet.csv, and inference and training benchmarks.
RESULTS = """model,top1,top1_err,top5,top5_err,param_count,img_size,crop_pct,interpolation
resnetrs50.tf_in1k,79.892,20.108,94.968,5.032,35.69,224,0.910,bicubic
resnetrs101.tf_in1k,82.284,17.716,96.014,3.986,63.62,288,0.940,bicubic
efficientnet_b0.ra_in1k,77.694,22.306,93.532,6.468,5.29,224,0.875,bicubic
efficientnet_b1.ft_in1k,78.798,21.202,94.344,5.656,7.79,256,1.000,bicubic
eva_giant_patch14_560.m30m,89.786,10.214,98.992,1.008,"1,014.45",560,1.000,bicubic
"""
INFER = (
    "model,infer_img_size,infer_samples_per_sec,infer_step_time,infer_batch_size,param_count,"
    "infer_gmacs,infer_macts\n"
    """resnetrs50,224,2000.0,512.0,1024,35.69,4.48,12.14
resnetrs101,192,1500.0,682.7,1024,63.62,6.04,12.7
resnetrs101,224,1200.0,853.3,1024,63.62,8.2,17.3
efficientnet_b0,224,2900.0,353.1,1024,5.29,0.4,6.75
efficientnet_b1,256,1600.0,640.0,1024,7.79,0.77,12.22
"""
)
TRAIN = """model,train_samples_per_sec,train_step_time,train_batch_size,train_img_size,param_count
resnetrs50,1686.45,302.42,512,224,35.69
"""
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


def write(folder, name, text):
    (folder / name).write_text(text)
    return folder / name


def test_csv_with_units_in_words(tmp_path):
    table = read_csv(write(tmp_path, "t.csv", PLAIN), COLUMNS, UNITS)
    assert table.frame["val_error"].tolist() == pytest.approx([0.3, 0.25, 0.2])
    assert table.frame["flops"].tolist() == [1e9, 2e9, 8e9]
    assert table.frame["params"].tolist() == [1.0145e9, 5e6, 2e7]
    assert table.frame["model"].tolist() == ["tiny", "small", "base"]
    assert not table.left_out


def test_csv_with_our_names_needs_no_map(tmp_path):
    text = "run_id,val_error,flops,notes\nx,0.3,1e9,\ny,,2e9,unfinished\n"
    table = read_csv(write(tmp_path, "t.csv", text), {})
    assert table.frame["run_id"].tolist() == ["x"]
    assert table.left_out == {"y": "no val_error"}


def test_csv_of_our_own_results(tmp_path):
    results = [run(26, 0.25, 10, seed, 0.3 + 0.02 * seed) for seed in (0, 1)]
    table([replace(r, git_dirty=True, versions={"torch": "2"}) for r in results]).to_csv(
        tmp_path / "t.csv", index=False
    )
    found, cost = measured(read_csv(tmp_path / "t.csv", {}), "step_time_s", None)
    assert cost == "step_time_s"
    assert found.frame["val_error"].tolist() == pytest.approx([0.31])
    assert found.frame["n_val"].tolist() == [2000]


@pytest.mark.parametrize(
    ("text", "columns", "units", "message"),
    [
        (PLAIN, COLUMNS | {"flops": "GMACs"}, {}, r"no column 'GMACs' \(for flops\)"),
        (PLAIN, {"model": "net"}, {}, "no column for val_error"),
        (PLAIN, {"error_rate": "acc"}, {}, "no column of ours is called 'error_rate'"),
        (PLAIN, COLUMNS, {}, "is no fraction: one value becomes 70"),
        (PLAIN, COLUMNS, {"val_error": "GMACs"}, "give one of fraction, percent"),
        (PLAIN, COLUMNS, {"model": "percent"}, "it has no unit"),
        (PLAIN, COLUMNS, UNITS | {"step_time_s": "ms"}, "which no column of the file"),
        (PLAIN.replace("75.0", "0.75"), COLUMNS, {}, "mixes units"),
        (PLAIN.replace("1.0,5", "1.0G,5"), COLUMNS, UNITS, r"holds '1.0G' \(row 2\)"),
        (PLAIN.replace("4.0", "8e9"), COLUMNS, UNITS, "mixed units"),
        (PLAIN.replace("4.0", "0"), COLUMNS, UNITS, "must be positive"),
        (PLAIN.replace("small", "tiny"), COLUMNS, UNITS, "the same run: model=tiny"),
        (PLAIN + "big,1,2,3,4\n", COLUMNS, UNITS, "row 4: more values"),
        ("a,b\n", {}, {}, "has no rows"),
        ("val_error\n\n,\n", {}, {}, "more values|no row has"),
    ],
)
def test_csv_that_is_wrong(tmp_path, text, columns, units, message):
    with pytest.raises(InputError, match=message):
        read_csv(write(tmp_path, "t.csv", text), columns, units)


def test_files_that_are_no_text(tmp_path):
    (tmp_path / "t.csv").write_bytes(b"\xff\xfe\x00")
    for name in ("t.csv", "missing.csv"):
        with pytest.raises(InputError, match="cannot read"):
            read_csv(tmp_path / name, {})
    with pytest.raises(InputError, match="cannot read"):
        read_wandb(tmp_path / "missing.jsonl")


def rows_of(folder):
    with (folder / "frontier.csv").open(newline="") as file:
        return list(csv.DictReader(file))


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


def timm_files(folder):
    return [write(folder, n, t) for n, t in (("r.csv", RESULTS), ("b.csv", INFER))]


def test_timm_is_joined_at_equal_size(tmp_path):
    table = read_timm(timm_files(tmp_path)[::-1])
    kept = table.frame.set_index("model")
    assert list(kept.index) == [
        "resnetrs50.tf_in1k", "efficientnet_b0.ra_in1k", "efficientnet_b1.ft_in1k"
    ]  # fmt: skip
    assert table.left_out == {
        "resnetrs101.tf_in1k@288": "tested at 288 px, timed at 192 and 224 px",
        "eva_giant_patch14_560.m30m@560": "no throughput",
    }
    first = kept.loc["resnetrs50.tf_in1k"]
    assert first["image_time_s"] == pytest.approx(1 / 2000)
    assert first["flops"] == pytest.approx(8.96e9)
    assert first["val_error"] == pytest.approx(0.20108)
    assert first["params"] == pytest.approx(35.69e6)


def test_timm_alone_and_with_training(tmp_path):
    results, _ = timm_files(tmp_path)
    alone = read_timm([results]).frame
    assert alone["params"].max() == pytest.approx(1.01445e9)
    assert set(alone["n_val"]) == {50_000}
    train = read_timm([results, write(tmp_path, "t.csv", TRAIN)])
    assert train.frame["step_time_s"].tolist() == pytest.approx([0.30242])
    assert len(train.left_out) == 4


def test_timm_that_is_wrong(tmp_path):
    results, infer = timm_files(tmp_path)
    twice = write(tmp_path, "d.csv", INFER + INFER.splitlines()[1] + "\n")
    other = write(tmp_path, "o.csv", INFER.replace("resnetrs50,224", "resnetrs50,160"))
    lone = write(tmp_path, "l.csv", "\n".join(RESULTS.splitlines()[:2]) + "\n")
    for files, message in (
        ([infer], "give one table of results"),
        ([results, infer, infer], "these are results, infer, infer"),
        ([results, twice], "d.csv: two rows or more are the same run: model=resnetrs50"),
        ([lone, other], "no model of the results has a throughput"),
        ([write(tmp_path, "x.csv", "a,b\n1,2\n")], "is no table of timm's"),
    ):
        with pytest.raises(InputError, match=message):
            read_timm(files)


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


def test_command_without_noise_or_names(tmp_path, capsys):
    text = "val_error,params\n0.3,1\n0.2,2\n0.25,1.5\n"
    path = str(write(tmp_path, "t.csv", text))
    assert main([path, "--families", "1|2", "3", "-o", str(tmp_path / "o")]) == 2
    assert "share no range" in capsys.readouterr().err
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
