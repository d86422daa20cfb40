"""Numbers and columns of foreign tables that can be read in two ways."""

import json
import math

import numpy as np
import pytest

from analysis.importers import main
from analysis.importing.notation import numbers_in
from analysis.importing.read_csv import read_csv, read_rows
from analysis.importing.read_wandb import read_wandb
from helpers.imported_tables import write
from scaling_study.common.errors import InputError


@pytest.mark.parametrize(
    ("texts", "numbers"),
    [
        (["1,014.45", "5", ""], [1014.45, 5, math.nan]),
        (["1,014", "0.5"], [1014, 0.5]),  # its decimals have points, so commas do not
        (["1,234,567", "1,014"], [1234567, 1014]),
        (["-1e-3", "+.5", "7."], [-1e-3, 0.5, 7]),
        (["Infinity", "-inf", "NaN", "n/a"], [math.nan] * 4),
    ],
)
def test_numbers_with_one_reading(texts: list[str], numbers: list[float]) -> None:
    np.testing.assert_array_equal(numbers_in(texts), numbers)


@pytest.mark.parametrize(
    ("texts", "why"),
    [
        (["0,411", "0,783"], "not a plain number"),
        (["4,111"], "which is 4111 or 4.111"),
        (["25,557", "44,549"], "which is 25557 or 25.557"),
        (["4,11"], "not a plain number"),
        (["1.014,45"], "not a plain number"),
        (["1,0144"], "not a plain number"),
        (["1_000"], "not a plain number"),
        (["٣"], "not a plain number"),
        (["76.1%"], "not a plain number"),
        (["1e999"], "not a plain number"),
    ],
)
def test_what_has_two_readings_is_refused(texts: list[str], why: str) -> None:
    with pytest.raises(ValueError, match=r"\(row 1\), " + why):
        numbers_in(texts)


def test_percent_signs_where_the_unit_is_percent(tmp_path) -> None:
    path = write(tmp_path, "t.csv", "model,top1\na,76.13%\nb,80 %\n")
    found = read_csv(path, {"val_error": "top1"}, {"val_error": "percent accuracy"})
    assert found.frame["val_error"].tolist() == pytest.approx([0.2387, 0.2])


def test_a_name_that_stands_twice_is_refused_where_it_is_used(tmp_path) -> None:
    text = "model,flops,val_error,val_error\na,1e6,0.5,0.9\nb,2e6,0.4,0.8\n"
    path = write(tmp_path, "t.csv", text)
    for reader in (read_csv, read_wandb):
        with pytest.raises(InputError, match=r"'val_error' 2 times.*val_error \(column 3\)"):
            reader(path, {})
    chosen = read_csv(path, {"val_error": "val_error (column 4)"})
    assert chosen.frame["val_error"].tolist() == [0.9, 0.8]
    equal = write(tmp_path, "e.csv", text.replace("0.9", "0.5").replace("0.8", "0.4"))
    assert read_csv(equal, {}).frame["val_error"].tolist() == [0.5, 0.4]
    unused = write(tmp_path, "u.csv", "model,note,note,val_error\na,x,y,0.5\n")
    assert read_csv(unused, {}).frame["val_error"].tolist() == [0.5]


@pytest.mark.parametrize("separator", [";", "\t", ","])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_tables_as_spreadsheets_save_them(tmp_path, separator: str, encoding: str) -> None:
    text = "model,val_error,notes\nß,0.5,{}\n".replace(",", separator)
    path = tmp_path / "t.csv"
    path.write_text(text.format("x" * 200_000), encoding=encoding)
    (row,) = read_rows(path)
    assert (row["model"], row["val_error"]) == ("ß", "0.5")


def test_a_diverged_run_does_not_refuse_the_others(tmp_path) -> None:
    runs = [{"id": "a", "val_error": 0.5}, {"id": "b", "val_error": math.inf}]
    path = write(tmp_path, "runs.jsonl", "\n".join(map(json.dumps, runs)))
    found = read_wandb(path)
    assert found.frame["run_id"].tolist() == ["a"]
    assert found.left_out == {"b": "no val_error"}


@pytest.mark.parametrize("value", ["[" * 100_000, '{"a": ' + "9" * 5000 + "}"])
def test_json_that_no_machine_can_take(tmp_path, value: str) -> None:
    with pytest.raises(InputError, match="line 1 is no JSON"):
        read_wandb(write(tmp_path, "runs.jsonl", value))


def test_errors_of_zero_have_a_figure(tmp_path) -> None:
    path = write(tmp_path, "t.csv", "model,val_error,flops\na,0,1e9\nb,0,2e9\n")
    assert main([str(path), "-o", str(tmp_path / "o")]) == 0
    assert (tmp_path / "o" / "frontier.png").is_file()


@pytest.mark.slow
def test_names_are_no_formulas_of_spreadsheets(tmp_path) -> None:
    text = "model,val_error,flops\n=HYPERLINK(1),0.5,1e9\n@b,,2e9\n"
    assert main([str(write(tmp_path, "t.csv", text)), "-o", str(tmp_path / "o")]) == 0
    for name in ("frontier.csv", "left_out.csv"):
        fields = (tmp_path / "o" / name).read_text().replace("\n", ",").split(",")
        assert not [field for field in fields if field.startswith(("=", "@"))]
        assert [field for field in fields if field.startswith(("'=", "'@"))]


@pytest.mark.parametrize("place", ["FILE", "/proc/x"])
def test_no_place_to_write_to(tmp_path, capsys, place: str) -> None:
    path = write(tmp_path, "t.csv", "model,val_error,flops\na,0.5,1e9\n")
    output = place.replace("FILE", str(path))
    assert main([str(path), "-o", output]) == 2
    assert f"-o {output}: cannot write there" in capsys.readouterr().err
