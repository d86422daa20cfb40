"""Data sets outside the package: by import path, from a torch Dataset, and over several roots."""

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from helpers.commands import environment
from helpers.data_settings import values
from helpers.pages import DOCS
from helpers.tiny import TINY
from scaling_study.common.errors import InputError
from scaling_study.common.validation import from_values
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig, run_config
from scaling_study.data import data_info, data_set, keep_listings_in, load
from scaling_study.data.images.decode import crop
from scaling_study.data.splits import DataInfo
from scaling_study.data.torch_dataset import as_file
from scaling_study.training.input_pipeline.batches import TrainingData

EXAMPLE = DOCS.parent / "examples" / "torch_dataset"


@pytest.fixture
def rings(monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    """A run on the example's Dataset, whose items draw from torch's generator."""
    monkeypatch.syspath_prepend(EXAMPLE)
    settings = yaml.safe_load((EXAMPLE / "my_conf/data/rings.yaml").read_text(encoding="utf-8"))
    return run_config({**TINY, "data": settings | {"per_class": 12}})


@pytest.mark.slow
def test_counts_are_read_once_and_without_torch_where_they_are_planned(
    rings: RunConfig, tmp_path: Path
) -> None:
    keep_listings_in(tmp_path)
    data_info.cache_clear()
    assert data_info(rings.data) == DataInfo(2, 24, 24, "test")
    script = (
        "import sys, json\n"
        "from pathlib import Path\n"
        "from scaling_study.data import data_info, data_set, keep_listings_in\n"
        "from scaling_study.common.validation import from_values\n"
        f"keep_listings_in(Path({str(tmp_path)!r}))\n"
        f"data = from_values(data_set('my_data.rings').config, {vars(rings.data)!r}, 'data.')\n"
        "import subprocess; subprocess.run = None  # nothing is listed again\n"
        "print(data_info(data).n_train, 'torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment() | {"PYTHONPATH": ":".join([str(EXAMPLE), *sys.path[1:]])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.split() == ["24", "False"], done.stderr


@pytest.mark.slow
def test_an_item_is_the_same_whatever_was_drawn_before(rings: RunConfig, tmp_path: Path) -> None:
    train = load(rings.data, tmp_path).train
    first = [train.source.read(number) for number in range(6)]  # type: ignore[union-attr]
    assert len(set(first)) == 6
    torch.manual_seed(1)
    random.seed(1)
    before = torch.get_rng_state()
    again = [train.source.read(number) for number in reversed(range(6))]  # type: ignore[union-attr]
    assert again[::-1] == first
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.slow
def test_batches_do_not_depend_on_workers(
    rings: RunConfig, execution: ExecutionConfig, tmp_path: Path
) -> None:
    found = []
    for workers in (0, 1):
        data = TrainingData.of(rings, replace(execution, loader_workers=workers), tmp_path)
        found.append([pixels.clone() for pixels, _ in data.batches(0, 2)])
    assert all(torch.equal(a, b) for a, b in zip(*found, strict=True))


def test_its_code_is_part_of_the_id(rings: RunConfig) -> None:
    assert {*rings.code} == {"my_data.rings", "my_data.rings_dataset"}


SQUARE = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)


@pytest.mark.parametrize(
    ("image", "pixels"),
    [
        (SQUARE, SQUARE),
        (SQUARE.transpose(2, 0, 1), SQUARE),
        (torch.from_numpy(SQUARE).permute(2, 0, 1) / 255, SQUARE),
        (Image.fromarray(SQUARE), SQUARE),
        (SQUARE[..., 0], np.repeat(SQUARE[..., :1], 3, 2)),
        (torch.from_numpy(SQUARE[None, ..., 0].copy()), np.repeat(SQUARE[..., :1], 3, 2)),
    ],
)
def test_images_of_all_kinds_keep_their_pixels(image: Any, pixels: np.ndarray[Any, Any]) -> None:
    whole = crop(as_file(image, "here"), 4, lambda width, height: (0, 0, width, height))
    assert np.array_equal(whole, pixels)


@pytest.mark.parametrize("image", [torch.randn(3, 4, 4) * 5, SQUARE.astype(np.int32), SQUARE[0, 0]])
def test_other_items_are_refused_by_name(image: Any) -> None:
    with pytest.raises(InputError, match=r"here is .* must be an image of 0 to 255"):
        as_file(image, "here")


def test_a_data_set_that_is_not_there_is_named() -> None:
    with pytest.raises(InputError, match=r"unknown data set; known: .*my_data.my_set"):
        data_set("my_data.absent")
    with pytest.raises(InputError, match=r"unknown data set; known: fractals, .*my_data.my_set"):
        data_set("absent")


@pytest.mark.slow
def test_a_dataset_that_fails_says_how(rings: RunConfig, tmp_path: Path) -> None:
    keep_listings_in(tmp_path)
    broken = replace(rings.data, per_class=-1)  # type: ignore[call-arg]
    with pytest.raises(InputError, match=r"data.name=my_data.rings|no images"):
        data_info(broken)


def test_several_roots_are_one_data_set(tmp_path: Path) -> None:
    sizes = {"a": {"train": 3, "val": 2}, "b": {"train": 2}}
    for root, parts in sizes.items():
        for part, count in parts.items():
            for label, name in enumerate(("cat", "dog")):
                folder = tmp_path / root / part / name
                folder.mkdir(parents=True)
                for i in range(count):
                    level = 100 * label + 10 * i + (5 if root == "b" else 0)
                    Image.new("L", (8, 8), level).save(folder / f"{i}.png")
    roots = f"{tmp_path / 'a'}:{tmp_path / 'b'}"
    config = data_set("imagefolder").config
    data = from_values(config, values("imagefolder") | {"root": roots, "resolution": 8}, "data.")
    assert data_info(data) == DataInfo(2, 10, 4, "val")
    train = load(data, tmp_path / "cache").train
    levels = [crop(train.source.read(n), 8, None)[0, 0, 0] for n in train.numbers]  # type: ignore[union-attr]
    assert sorted(zip(train.labels.tolist(), map(int, levels), strict=True)) == [
        *((0, level) for level in (0, 5, 10, 15, 20)),
        *((1, level) for level in (100, 105, 110, 115, 120)),
    ]
    gone = replace(data, root=f"{tmp_path / 'a'}:{tmp_path / 'c'}")  # type: ignore[call-arg]
    with pytest.raises(InputError, match=r"data.root=.*/c: no such folder"):
        data_info(gone)
