"""Memory of augmentation on the device against the bytes of all tensors that it has alive."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from helpers.data_settings import config, of_name
from helpers.live_bytes import most_live_bytes
from helpers.photos import write_folders
from helpers.tiny import tiny
from scaling_study.config.run import RunConfig
from scaling_study.cost.device_augmentation import augmentation_bytes
from scaling_study.cost.normalisation import normalisation_bytes
from scaling_study.cost.step_memory import memory_bytes
from scaling_study.data import data_info, load
from scaling_study.data.splits import Images
from scaling_study.training.input_pipeline.batches import to_input
from scaling_study.training.input_pipeline.make_batch import BatchSpec, LoadedBatch, TrainingBatch

SIDE, BATCH, STEPS = 32, 96, 4
# How many times the largest of a few steps it may be: it holds for the unlikely ones as well.
ABOVE = 2.5
EVERY = np.arange(BATCH)
POLICIES: dict[str, dict[str, Any]] = {
    "flips": {},
    "flips and shifts": {"shift": 0.1},
    "RandAugment": {"randaugment_layers": 2},
    "RandAugment as released": {"randaugment_layers": 3, "augment_ops": "released"},
    "RandAugment as timm's": {"randaugment_layers": 2, "augment_ops": "timm_increasing"},
    "AutoAugment": {"augment_policy": "autoaugment"},
    "TrivialAugment": {"augment_policy": "trivialaugment"},
    "jitter and erasing": {"colour_jitter": 0.4, "erasing": 0.25},
}
QUICK = ("flips", "RandAugment")
EACH = [
    pytest.param(changes, id=name, marks=[] if name in QUICK else pytest.mark.slow)
    for name, changes in POLICIES.items()
]
PLAIN = {"flip": True, "shift": 0.0, "crop": "none", "randaugment_layers": 0}


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads of torch's that wait for each other take longer than these small images do."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def prepare(batch: LoadedBatch) -> None:
    """As `prefetch.on_device`, where a copy to a GPU is a new tensor."""
    pixels = batch.pixels.clone()
    pixels = pixels if batch.pending is None else batch.pending.done(pixels)
    mean, std = torch.zeros(3, 1, 1)[:1], torch.ones(3, 1, 1)[:1]
    to_input(pixels, mean, std).contiguous(memory_format=torch.channels_last)


def peak_of(make: TrainingBatch, chosen: NDArray[np.int64]) -> int:
    """The most that a few steps had alive from the copy to the device until the network's input."""
    batches = [make(BatchSpec(step, 0, chosen)) for step in range(STEPS)]
    # The images in memory are not the device's.
    return max(
        most_live_bytes(lambda b=batch: prepare(b)) - batch.pixels.numel() for batch in batches
    )


def images_of(channels: int) -> Images:
    shape = (BATCH, SIDE, SIDE, 3)[: 4 if channels == 3 else 3]
    pixels = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Images(pixels, np.zeros(BATCH, np.int64))


def assert_holds(run: RunConfig, make: TrainingBatch, chosen: NDArray[np.int64] = EVERY) -> None:
    measured, forecast = peak_of(make, chosen), augmentation_bytes(run, BATCH)
    assert measured <= forecast <= ABOVE * measured, f"{forecast / measured:.2f} times {measured}"


@pytest.mark.parametrize("name", ["fractals", "cifar10"])
@pytest.mark.parametrize("crop", ["none", "random_resized"])
@pytest.mark.parametrize("changes", EACH)
def test_images_in_memory(changes: dict[str, Any], crop: str, name: str) -> None:
    """Grey ones and coloured ones."""
    own = tiny().data if name == "fractals" else of_name(name)
    data = replace(own, resolution=SIDE, **PLAIN | {"crop": crop} | changes)
    channels = data_info(data).channels
    levels = ((127.5,) * channels, (73.6,) * channels)
    make = TrainingBatch(images_of(channels), data, BATCH, "key", levels, on_device=True)
    assert_holds(replace(tiny(), data=data), make)


@pytest.mark.parametrize("stored", [SIDE, 3 * SIDE])
@pytest.mark.parametrize("changes", [{}, POLICIES["RandAugment as timm's"]], ids=["crops", "all"])
def test_stored_images(tmp_path: Path, changes: dict[str, Any], stored: int) -> None:
    """Crops are cut out of all of an image, which is larger than its crop, or as large."""
    root = write_folders(tmp_path)
    data = config("imagefolder", root, stored_side=stored, **PLAIN | {"crop": "random_resized"})
    data = replace(data, resolution=SIDE, **changes)
    part = load(data, tmp_path / "cache").train
    some = np.arange(BATCH) % len(part.labels)
    make = TrainingBatch(part, data, BATCH, "key", on_device=True)
    assert_holds(replace(tiny(), data=data), make, some)


@pytest.mark.parametrize("name", ["fractals", "cifar10"])
def test_images_that_the_host_has_augmented(name: str) -> None:
    """They come as bytes, grey or coloured, at all sides of the run, and are normalised."""
    data = replace(tiny().data if name == "fractals" else of_name(name), resolution=SIDE)
    channels = data_info(data).channels
    levels = ((127.5,) * channels, (73.6,) * channels)
    batch = TrainingBatch(images_of(channels), data, BATCH, "key", levels)(BatchSpec(0, 0, EVERY))
    assert batch.pending is None
    found = normalisation_bytes(replace(tiny(), data=data), BATCH)
    assert found == pytest.approx(most_live_bytes(lambda: prepare(batch)), rel=0.01)


def test_the_plan_adds_it_to_that_of_a_step() -> None:
    """For all images of a process's share, though a step may take them in several passes."""
    run = tiny(**{"train.accumulation": 2})
    step = memory_bytes(run, 2)
    assert step is not None
    assert memory_bytes(run, 2, "device") == step + augmentation_bytes(run, 8)
    on_gpu = replace(run, device="cuda")
    assert memory_bytes(on_gpu, 2) == step + normalisation_bytes(run, 8)
    assert memory_bytes(on_gpu, 2, "device") == memory_bytes(run, 2, "device")
