"""Tables of others as CSV: columns, units, and what is wrong with them."""

from dataclasses import replace

import pytest

from analysis.importing.cells import measured
from analysis.importing.read_csv import read_csv
from analysis.importing.read_wandb import read_wandb
from helpers.imported_tables import COLUMNS, PLAIN, UNITS, write
from helpers.made_up_results import run
from scaling_study.common.errors import InputError
from scaling_study.study.table import table


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
