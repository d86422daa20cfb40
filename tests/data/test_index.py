"""Listings of encoded files: made once, made again when files change or it is damaged."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from helpers.data_parts import facts
from helpers.data_settings import config
from helpers.photos import WRITERS, write_folders
from scaling_study import data as data_sets
from scaling_study.common.errors import InputError
from scaling_study.data import load
from scaling_study.data.sets import imagefolder
from scaling_study.data.storage.array_cache import cached


@pytest.mark.parametrize("name", WRITERS)
def test_a_listing_is_made_once_and_again_when_files_change(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = config(name, WRITERS[name](tmp_path / "set"))
    monkeypatch.setattr(data_sets, "_listings", [tmp_path / "cache"])
    assert facts(data).n_train == 24
    read = {"imagefolder": "_images", "webdataset": "_members", "parquet": "_row_groups"}[name]
    module = data_sets.data_set(name).sizes.__globals__  # type: ignore[attr-defined]
    original = module[read]
    monkeypatch.setitem(module, read, None)
    assert facts(data).n_train == 24
    assert len(load(data, tmp_path / "cache").train.labels) == 24
    monkeypatch.setitem(module, read, original)
    shutil.rmtree(tmp_path / "set")
    WRITERS[name](tmp_path / "set", 9, 4)
    assert facts(data).n_train == 27
    assert len(load(data, tmp_path / "cache").train.labels) == 27


@pytest.mark.parametrize("content", [b"", b"{}", b"torn"])
def test_a_damaged_listing_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    data = config("imagefolder", write_folders(tmp_path / "set"))
    monkeypatch.setattr(data_sets, "_listings", [tmp_path / "cache"])
    facts(data)
    for suffix in ("json", "npz"):
        (path,) = (tmp_path / "cache").glob(f"*.{suffix}")
        path.write_bytes(content)
    assert facts(data).n_train == 24
    assert len(load(data, tmp_path / "cache").val.labels) == 12


def test_no_flipped_bit_of_a_cache_is_read_or_raises(tmp_path: Path) -> None:
    made = {"train": {"labels": np.arange(8), "pixels": np.arange(64, dtype=np.uint8)}}
    names = ("labels", "pixels")
    path = tmp_path / "cache.npz"
    cached(path, "train", names, lambda: made)
    whole = path.read_bytes()
    for bit in range(0, 8 * len(whole), 41):
        damaged = bytearray(whole)
        damaged[bit // 8] ^= 1 << bit % 8
        path.write_bytes(damaged)
        found = cached(path, "train", names, lambda: made)
        assert all(np.array_equal(found[name], made["train"][name]) for name in names), bit


def test_facts_of_a_listed_set_cost_no_more_than_a_look_at_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = config("imagefolder", write_folders(tmp_path / "set"))
    known = facts(data)
    monkeypatch.setattr(imagefolder, "sizes", None)
    monkeypatch.setattr(os, "scandir", None)
    # A plan asks for every cell, up to 100,000 of them.
    assert all(data_sets.data_info(replace(data)) is known for _ in range(1000))


def test_a_kept_listing_is_of_the_columns_that_it_was_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [{"bytes": b"x"}] * 4
    for part in ("train", "validation"):
        table = pa.table({"image": images, "label": [0, 1, 0, 1], "coarse": [0, 0, 1, 2]})
        pq.write_table(table, tmp_path / f"{part}-0.parquet")
    monkeypatch.setattr(data_sets, "_listings", [tmp_path / "cache"])
    assert facts(config("parquet", tmp_path)).n_classes == 2
    assert facts(config("parquet", tmp_path, label_column="coarse")).n_classes == 3
    with pytest.raises(InputError, match=r"needs the columns photo \(a struct with bytes\)"):
        facts(config("parquet", tmp_path, image_column="photo"))
