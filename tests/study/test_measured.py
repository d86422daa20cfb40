"""measured.csv: rows are replaced by shape and device, and what cannot be read is said."""

from pathlib import Path
from typing import Any

import pytest

from scaling_study.common.errors import InputError
from scaling_study.study.measured import (
    config_ids_of,
    keep_measured,
    measurements_of,
    read_measured,
)


def row(shape: str, **columns: Any) -> dict[str, Any]:
    known = {"step_time_s": 0.1, "device": "cpu: a", "threads": 1, "shape": shape}
    return {**known, "config_ids": f"{shape}-e4 {shape}-e20", "measurements": 3, **columns}


def test_rows_of_the_same_shape_and_device_are_replaced(tmp_path: Path) -> None:
    assert read_measured(tmp_path) == []
    keep_measured([row("a"), row("b")], tmp_path)
    keep_measured([row("b", step_time_s=0.2), row("b", device="cpu: b"), row("c")], tmp_path)
    found = {(r["shape"], r["device"]): r["step_time_s"] for r in read_measured(tmp_path)}
    assert found == {
        ("a", "cpu: a"): "0.1",
        ("b", "cpu: a"): "0.2",
        ("b", "cpu: b"): "0.1",
        ("c", "cpu: a"): "0.1",
    }
    first = read_measured(tmp_path)[0]
    assert config_ids_of(first) == ["a-e4", "a-e20"]
    assert measurements_of(first) == 3
    assert measurements_of({}) == measurements_of({"measurements": "many"}) == 0


def test_a_column_that_an_earlier_version_lacks_is_blank(tmp_path: Path) -> None:
    keep_measured([row("a")], tmp_path)
    keep_measured([row("b", load=1.5)], tmp_path)
    assert [r["load"] for r in read_measured(tmp_path)] == ["", "1.5"]


def test_rows_without_cells_and_files_that_are_no_table_are_written_anew(tmp_path: Path) -> None:
    path = tmp_path / "measured.csv"
    path.write_text("depth,step_time_s,device,threads\n14,0.1,cpu: a,1\n", encoding="utf-8")
    assert config_ids_of(read_measured(tmp_path)[0]) == []
    keep_measured([row("a")], tmp_path)
    assert [r["shape"] for r in read_measured(tmp_path)] == ["a"]
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"measured\.csv cannot be read .*writes it anew"):
        read_measured(tmp_path)
    keep_measured([row("b")], tmp_path)
    assert [r["shape"] for r in read_measured(tmp_path)] == ["b"]
