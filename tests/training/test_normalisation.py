"""Mean and deviation of a data set, and what they do to an image."""

import tracemalloc

import numpy as np
import pytest
import torch

from scaling_study.data.splits import Images
from scaling_study.training.input_pipeline.batches import normalisation, to_input


def test_normalisation_is_per_channel() -> None:
    pixels = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    mean, std = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
    images = to_input(pixels, mean[:, None, None], std[:, None, None])
    for c in range(3):
        torch.testing.assert_close(images[:, c], (pixels[:, c].float() - mean[c]) / std[c])
    grey = to_input(pixels[:, :1], mean[:1, None, None], std[:1, None, None])
    assert torch.equal(grey, images[:, :1].expand(-1, 3, -1, -1))


@pytest.mark.parametrize("shape", [(300, 32, 32, 3), (300, 40, 40), (1, 1, 1), (2, 1, 1, 3)])
@pytest.mark.parametrize("levels", [(0, 256), (0, 2), (250, 256), (7, 8)])
def test_mean_and_deviation_are_those_in_float64(
    shape: tuple[int, ...], levels: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(0).integers(*levels, shape, dtype=np.uint8)
    mean, std = normalisation(Images(pixels, np.zeros(len(pixels), np.int64)))
    exact = pixels.reshape(-1, 1 if len(shape) == 3 else 3).astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-14)
    np.testing.assert_allclose(std, np.maximum(exact.std(0), 1), rtol=1e-12)
    assert np.array_equal(np.float32(mean), exact.mean(0).astype(np.float32))


def test_mean_and_deviation_take_little_memory() -> None:
    images = Images(np.zeros((2000, 64, 64, 3), np.uint8), np.zeros(2000, np.int64))
    tracemalloc.start()
    try:
        normalisation(images)
        assert tracemalloc.get_traced_memory()[1] < images.pixels.nbytes / 4
    finally:
        tracemalloc.stop()
