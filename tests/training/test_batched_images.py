"""Augmentation on the device: the images of the CPU, bit for bit, whatever is drawn."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from helpers.file_batches import RANDOM, data_of, files_run, shown
from helpers.photos import write_folders
from helpers.tiny import tiny
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.data.images import autoaugment, randaugment, timm_operations, trivialaugment
from scaling_study.data.images.changes import Change, turned
from scaling_study.data.images.erasing import erased, jittered
from scaling_study.training.batched_images.changes import changed
from scaling_study.training.batched_images.resampling import cropped
from scaling_study.training.loop import train

SIDE = 45
SMOOTH = np.random.default_rng(3).integers(0, 256, (9, 9, 3)).astype(np.uint8)
PICTURE = Image.fromarray(SMOOTH).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
# The operations by name, and levels within and beyond what they are meant for.
SETS = {
    "pil": (randaugment.SETS["pil"], (0.0, 0.35, 0.9, 3.0)),
    "released": (randaugment.SETS["released"], (0.35, 1.5)),
    "AutoAugment": (autoaugment.SETS["pil"], (0.9,)),
    "timm": (timm_operations.OPERATIONS, (0.0, 0.7, 1.0)),
    "TrivialAugment": (trivialaugment.OPERATIONS, tuple(np.arange(31) / 30)),
}


def tensor(picture: Image.Image) -> torch.Tensor:
    """(channels, height, width)"""
    pixels = torch.from_numpy(np.array(picture))
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)


def assert_alike(picture: Image.Image, several: list[list[Change]]) -> None:
    """Each of the lists of changes is made as Pillow makes it, all at once."""
    expected = []
    for changes in several:
        image = picture
        for change in changes:
            image = change.of(image)
        expected.append(tensor(image))
    images = tensor(picture).expand(len(several), -1, -1, -1)
    found = changed(images, several)
    for one, other, changes in zip(found, expected, several, strict=True):
        assert torch.equal(one, other), changes
    assert torch.equal(images[0], tensor(picture))


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("name", SETS)
def test_every_operation_has_pillows_bits(name: str, mode: str) -> None:
    operations, levels = SETS[name]
    draws = [
        [operation((SIDE, SIDE), float(level), np.random.default_rng(seed))]
        for operation in operations.values()
        for level in levels
        for seed in range(2)
    ]
    assert_alike(PICTURE.convert(mode), draws)


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_changes_follow_each_other_in_the_order_of_each_image(mode: str) -> None:
    levels = ((90.0, 120.0, 150.0), (40.0, 50.0, 60.0)) if mode == "RGB" else ((90.0,), (40.0,))
    several: list[list[Change]] = [[]]
    for seed in range(40):
        rng = np.random.default_rng(seed)
        layers = randaugment.randaugment((SIDE, SIDE), seed % 4, 9, rng, randaugment.SETS["pil"])
        several.append([*jittered(0.4, rng), *layers, *erased((SIDE, SIDE), 0.5, *levels, rng)])
    assert_alike(PICTURE.convert(mode), several)


def test_a_turn_is_pillows_rotate() -> None:
    for degrees in (-90.0, 0.0, 90.0, *np.linspace(-140, 140, 150).tolist()):
        rows = turned((SIDE, SIDE), degrees)
        for method in (Image.Resampling.NEAREST, Image.Resampling.BICUBIC):
            moved = PICTURE.transform((SIDE, SIDE), Image.Transform.AFFINE, rows, method)
            assert moved.tobytes() == PICTURE.rotate(degrees, method).tobytes(), degrees


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("side", [8, 24, SIDE, 70])
def test_crops_have_pillows_bits(side: int, mode: str) -> None:
    picture = PICTURE.convert(mode)
    boxes = [(0, 0, SIDE, SIDE), (3, 5, 20, 31), (0.3, 1.7, 44.1, 40.9), (9, 9, 10, 11)]
    found = cropped(tensor(picture).expand(len(boxes), -1, -1, -1), boxes, side)
    for one, box in zip(found, boxes, strict=True):
        shown = picture.resize((side, side), Image.Resampling.BICUBIC, box=box)
        assert torch.equal(one, tensor(shown)), box


STRONG: Mapping[str, Any] = {"colour_jitter": 0.4, "erasing": 0.5, "randaugment_magnitude": 9.0}


def test_batches_are_those_of_the_cpu_at_any_start_and_by_any_worker(tmp_path: Path) -> None:
    photos = files_run("imagefolder", write_folders(tmp_path / "set"), **STRONG)
    settings = {f"data.{key}": value for key, value in (RANDOM | STRONG).items()}
    arrays = tiny(**{"train.batch_size": 8, "train.resolutions": [8, 16]}, **settings)
    moved = tiny(**{"train.batch_size": 8, "data.shift": 0.2})
    for run in (photos, arrays, moved):
        expected = shown(data_of(run, tmp_path).batches(0, 6))
        assert shown(data_of(run, tmp_path, on_device=True).batches(0, 6)) == expected
        later = data_of(run, tmp_path, workers=2, on_device=True)
        assert shown(later.batches(4, 6)) == expected[4:]


def test_what_a_run_learns_is_the_same(execution: ExecutionConfig, tmp_path: Path) -> None:
    run, found = tiny(**{"data.randaugment_layers": 2, "train.epochs": 1}), []
    for place in ("cpu", "device"):
        (tmp_path / place).mkdir()
        found.append(train(run, tmp_path / place, replace(execution, augment_on=place)))
    assert found[0]["val_loss"] == found[1]["val_loss"]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device is visible")
def test_a_gpu_has_the_same_bits() -> None:
    images = tensor(PICTURE).expand(40, -1, -1, -1)
    rngs = [np.random.default_rng(seed) for seed in range(40)]
    operations = list(SETS["pil"][0].values()) + list(SETS["timm"][0].values())
    draws = [[op((SIDE, SIDE), 0.7, rng)] for op, rng in zip(operations, rngs, strict=False)]
    images = images[: len(draws)]
    assert torch.equal(changed(images.cuda(), draws).cpu(), changed(images, draws))
    boxes = [(0.3, 1.7, 44.1, 40.9)] * len(draws)
    assert torch.equal(cropped(images.cuda(), boxes, 24).cpu(), cropped(images, boxes, 24))


def test_only_known_places_are_accepted(execution: ExecutionConfig) -> None:
    with pytest.raises(InputError, match=r"loader\.augment_on=gpu: must be cpu or device"):
        replace(execution, augment_on="gpu")
