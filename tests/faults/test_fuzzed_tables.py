"""Tables that other tools, or nobody, could have written: imported, or refused in one sentence."""

import csv
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from analysis.importing.declared_study import declared_study
from analysis.importing.read_csv import read_csv, read_rows
from analysis.importing.read_other import json_rows, mlflow_rows, parquet_rows
from analysis.importing.read_timm import read_timm
from analysis.importing.read_wandb import read_wandb
from analysis.importing.to_study import to_study
from helpers.imported_tables import COLUMNS, INFER, PLAIN, RESULTS, UNITS
from helpers.made_up_results import runs
from helpers.strange import answered, damaged, damaged_bytes, seeded

pytestmark = pytest.mark.slow

RUN: dict[str, Any] = {
    "id": "a",
    "state": "finished",
    "config": {"model": {"depth": 14, "width": 0.25}, "train": {"epochs": 4}, "seed": 0},
    "summary": {"val_error": 0.3, "flops": 1e9},
}
DECLARED: dict[str, Any] = {
    **{"name": "s", "question": "q", "cost": "flops", "seed_sd": 0.01, "selection": "last"},
    **{"outcome": {"name": "val_error"}, "split": "test", "rules": {"margin": 0.01}},
}
ROWS = [
    {name: str(value) for name, value in asdict(result).items() if value is not None}
    for result in runs({4: -0.05, 20: 0.08}, 2)
]


def read(call: Callable[..., object], *arguments: object) -> int:
    """0 if it reads, 2 if it refuses in one sentence."""

    def reading() -> int:
        call(*arguments)
        return 0

    return answered(reading)[0]


def table_of(lines: object) -> bytes:
    text = io.StringIO()
    rows = lines if isinstance(lines, list) else [lines]
    csv.writer(text).writerows(row if isinstance(row, list) else [row] for row in rows)
    return text.getvalue().encode("utf-8", "surrogatepass")


def lines_of(rows: object) -> bytes:
    """JSON lines; halves of characters are escaped in them."""
    return "\n".join(map(json.dumps, rows if isinstance(rows, list) else [rows])).encode()


def test_any_csv(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"

    @seeded(200)
    @given(damaged([*csv.reader(io.StringIO(PLAIN))]).map(table_of) | damaged_bytes(PLAIN.encode()))
    def case(content: bytes) -> None:
        path.write_bytes(content)
        read(read_csv, path, COLUMNS, UNITS)

    case()
    path.write_text(PLAIN, encoding="utf-8")
    assert read(read_csv, path, COLUMNS, UNITS) == 0


def test_any_export_of_wandb(tmp_path: Path) -> None:
    path, text = tmp_path / "t.jsonl", tmp_path / "t.csv"

    def tried(rows: object) -> int:
        path.write_bytes(lines_of(rows))
        keys, found = [*RUN], rows if isinstance(rows, list) else [rows]
        values = [[r.get(k) for k in keys] if isinstance(r, Mapping) else r for r in found]
        text.write_bytes(table_of([keys, *values]))
        return max(read(*reader) for reader in readers)

    readers = ((read_wandb, path), (json_rows, path), (read_wandb, text))
    good = [RUN, RUN | {"id": "b", "summary": {"val_error": 0.2, "flops": 2e9}}]

    @seeded(100)
    @given(damaged(good))
    @example([RUN | {"summary": "["}])
    @example([RUN | {"config": {"a\ud800": "b\ud800"}}])
    def case(rows: object) -> None:
        tried(rows)

    case()
    assert tried(good) == 0


def test_any_lines_of_json(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"

    @seeded(150)
    @given(damaged_bytes(lines_of([RUN, RUN])))
    @example(b'{"a":' * 600 + b"1" + b"}" * 600)
    @example(b"[" * 100_000)
    @example(b'{"id": ' + b"9" * 5000 + b"}")
    def case(content: bytes) -> None:
        path.write_bytes(content)
        for call in (read_wandb, json_rows):
            read(call, path)

    case()


def test_any_tables_of_timm(tmp_path: Path) -> None:
    paths = [tmp_path / "r.csv", tmp_path / "b.csv"]

    @seeded(100)
    @given(damaged_bytes(RESULTS.encode()), damaged_bytes(INFER.encode()), st.booleans())
    def case(results: bytes, times: bytes, first: bool) -> None:
        paths[0].write_bytes(results if first else RESULTS.encode())
        paths[1].write_bytes(INFER.encode() if first else times)
        read(read_timm, paths)

    case()


def test_any_folder_of_mlflow(tmp_path: Path) -> None:
    run = tmp_path / "1/r"
    for name in ("metrics", "params"):
        (run / name).mkdir(parents=True)
    good, metric = b"run_id: abc\nstatus: 3\nlifecycle_stage: active\n", b"1 0.5 1\n2 0.25 2\n"

    @seeded(150)
    @given(damaged_bytes(good), damaged_bytes(metric), st.booleans())
    @example(good, b"1 0.5 1x\n2 0.25 2\n", False)
    def case(meta: bytes, values: bytes, first: bool) -> None:
        (run / "meta.yaml").write_bytes(meta if first else good)
        (run / "metrics/val").write_bytes(metric if first else values)
        read(mlflow_rows, tmp_path)

    case()


def test_any_parquet(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    pd.DataFrame(ROWS).to_parquet(path)

    @seeded(150)
    @given(damaged_bytes(path.read_bytes()))
    def case(content: bytes) -> None:
        path.write_bytes(content)
        read(parquet_rows, path)

    case()


def studied(folder: Path, rows: Sequence[Mapping[str, str]], declared: Path) -> Path:
    columns = {"outcome": "val_error"}
    return to_study(rows, columns, {}, declared_study(declared), folder / "results")


def test_any_declared_study(tmp_path: Path) -> None:
    path = tmp_path / "s.yaml"

    def tried(values: object) -> int:
        text = yaml.safe_dump(values, allow_unicode=True)
        path.write_bytes(text.encode("utf-8", "surrogatepass"))
        return read(studied, tmp_path, ROWS, path)

    @seeded(100)
    @given(damaged(DECLARED, ("name", "rules", "x", "length")))
    @example(DECLARED | {"cost": [2]})
    @example(DECLARED | {"split": [1]})
    @example(DECLARED | {"length": {}})
    def case(values: object) -> None:
        tried(values)

    case()
    assert tried(DECLARED) == 0


def test_any_table_of_a_study(tmp_path: Path) -> None:
    table, declared = tmp_path / "t.csv", tmp_path / "s.yaml"
    declared.write_text(yaml.safe_dump(DECLARED), encoding="utf-8")

    @seeded(40)
    @given(damaged([[*ROWS[0]], *([*row.values()] for row in ROWS)]))
    def case(lines: object) -> None:
        table.write_bytes(table_of(lines))
        read(lambda: studied(tmp_path, read_rows(table), declared))

    case()
