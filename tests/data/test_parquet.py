"""Parquet files that are wrong, and how much of them is held."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers.data_parts import encoded_part, facts
from helpers.data_settings import config
from helpers.photos import WRITERS, encoded, picture
from scaling_study.common.errors import InputError
from scaling_study.data import load
from scaling_study.data.sets import parquet


@pytest.mark.slow
@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"picture": [{"bytes": b"x"}] * 2, "label": [0, 1]}, "it has picture.bytes, label"),
        ({"image": [b"x", b"x"], "label": [0, 1]}, "a struct with bytes"),
        ({"image": [{"bytes": b"x"}] * 2, "label": ["a", "b"]}, "not class numbers"),
        ({"image": [{"bytes": b"x"}] * 2, "label": [0, None]}, "1 rows of label are empty"),
        ({"image": [{"bytes": b"x"}] * 2, "label": [-1, 1]}, "classes count from 0"),
        (
            {
                "image": pa.array([], pa.struct({"bytes": pa.binary()})),
                "label": pa.array([], "int64"),
            },
            "train: the files hold no images",
        ),
        (None, "no Parquet file that can be read"),
    ],
)
def test_wrong_parquet_is_refused(
    tmp_path: Path, table: dict[str, list[object]] | None, said: str
) -> None:
    for part in ("train", "validation"):
        path = tmp_path / f"{part}-0.parquet"
        if table is None:
            path.write_bytes(b"PAR1 torn")
        else:
            pq.write_table(pa.table(table), path)
    with pytest.raises(InputError) as raised:
        facts(config("parquet", tmp_path))
    assert said in str(raised.value)


def test_parquet_sorted_by_class_is_refused_where_not_all_is_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encoded(picture(0, 0))
    for part in ("train", "validation"):
        rows = {"image": [{"bytes": content}] * 40, "label": sorted([0, 1, 2, 3] * 10)}
        pq.write_table(pa.table(rows), tmp_path / f"{part}-0.parquet", row_group_size=5)
    assert facts(config("parquet", tmp_path)).n_train == 40
    monkeypatch.setattr(parquet, "WINDOW_BYTES", 20_000)
    with pytest.raises(InputError, match="sorted by class"):
        facts(config("parquet", tmp_path))


def test_parquet_holds_no_more_row_groups_than_its_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = config("parquet", WRITERS["parquet"](tmp_path / "set"))
    train = encoded_part(load(data, tmp_path / "cache").train)
    size = int(train.source.columns["group_bytes"].max())  # type: ignore[attr-defined]
    monkeypatch.setattr(parquet, "WINDOW_BYTES", 3 * size)
    for number in range(24):
        train.source.read(number)
        kept = train.source._kept.values()  # type: ignore[attr-defined]
        assert sum(group.nbytes for group in kept) <= 3 * size
    assert len(kept) < 6  # of as many row groups
