"""Every layout of encoded files: what was written is read; minival; classes."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from webdataset import tariterators

from helpers.data_parts import contents, facts
from helpers.data_settings import config, values
from helpers.photos import WRITERS, samples, write_folders, write_shards
from scaling_study.common.errors import InputError
from scaling_study.common.validation import from_values
from scaling_study.data import data_set, load
from scaling_study.data.storage import index


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_gives_the_images_and_labels_that_were_written(
    name: str, tmp_path: Path
) -> None:
    data = config(name, WRITERS[name](tmp_path / "set"))
    known, splits = facts(data), load(data, tmp_path / "cache")
    assert (known.n_classes, known.n_train, known.n_val) == (3, 24, 12)
    assert known.eval_split == ("validation" if name == "parquet" else "val")
    assert contents(splits.train) == sorted(samples("train", 8))
    assert contents(splits.val) == sorted(samples("val", 4))


def test_shards_hold_what_webdataset_itself_reads(tmp_path: Path) -> None:
    write_shards(tmp_path / "set")
    expected = []
    for path in sorted((tmp_path / "set").glob("train-*.tar")):
        with path.open("rb") as file:
            members = tariterators.tar_file_expander([{"url": str(path), "stream": file}])
            for sample in tariterators.group_by_keys(members):
                expected.append((sample["jpg"], int(sample["cls"])))
    data = config("webdataset", tmp_path / "set", train="train-{000..001}.tar")
    assert contents(load(data, tmp_path / "cache").train) == sorted(expected)


@pytest.mark.parametrize("name", [*WRITERS, "fractals"])
def test_minival_is_a_fixed_share_of_train_and_not_trained_on(name: str, tmp_path: Path) -> None:
    if name == "fractals":
        settings = values(name) | {"split": "minival", "train_per_class": 4, "val_per_class": 1}
        data: Any = from_values(data_set(name).config, settings, "data.")
        everything: Any = replace(data, split="test")
    else:
        root = WRITERS[name](tmp_path / "set", 8, 4)
        data = config(name, root, split="minival", minival=0.25)
        everything = replace(data, split="validation" if name == "parquet" else "val")
    held, whole = load(data, tmp_path / "cache"), load(everything, tmp_path / "cache")
    known = facts(data)
    assert known.eval_split == "minival"
    n = len(whole.train.labels)
    assert known.n_val == len(held.val.labels) == round(n * data.minival)
    assert known.n_train == len(held.train.labels) == n - known.n_val
    if name != "fractals":
        together = contents(held.train) + contents(held.val)
        assert sorted(together) == contents(whole.train)
        assert contents(load(data, tmp_path / "other").val) == contents(held.val)


def test_minival_needs_no_val_folder_and_a_share_that_leaves_images(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "set")
    shutil.rmtree(root / "val")
    assert facts(config("imagefolder", root, split="minival", minival=0.5)).n_val == 12
    with pytest.raises(InputError, match=r"data.minival=0.001: 0 of 24 training images"):
        facts(config("imagefolder", root, split="minival", minival=0.001))


def test_classes_that_training_never_shows_are_refused() -> None:
    labels = {"train": np.array([0, 1, 3]), "val": np.array([0, 2])}
    with pytest.raises(InputError, match="val: class 2 is not among the training images"):
        index._sizes(labels)
