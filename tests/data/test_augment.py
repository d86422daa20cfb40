"""Crops and RandAugment against their definitions, written down a second time in numpy."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from helpers.tiny import tiny
from scaling_study.data.images.changes import UNCHANGED, Change
from scaling_study.data.images.crops import ATTEMPTS, centre_box, random_box
from scaling_study.data.images.randaugment import SETS, randaugment
from scaling_study.data.splits import Images
from scaling_study.training.input_pipeline.make_batch import BatchSpec, TrainingBatch

Array = NDArray[np.float64]
sides = st.integers(1, 600)


@given(width=sides, height=sides, area=st.floats(0.01, 1), seed=st.integers(0, 99))
def test_a_random_crop_lies_inside_and_keeps_its_bounds(
    width: int, height: int, area: float, seed: int
) -> None:
    left, top, right, bottom = random_box(width, height, area, np.random.default_rng(seed))
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    w, h = right - left, bottom - top
    # Sides are rounded to whole pixels: half a pixel either way.
    assert (w - 0.5) / (h + 0.5) <= 4 / 3 + 1e-9
    assert (w + 0.5) / (h - 0.5) >= 3 / 4 - 1e-9 if h > 0.5 else True
    fits = 3 / 4 <= width / height <= 4 / 3
    if fits:
        assert (w + 0.5) * (h + 0.5) >= area * width * height - 1e-6


def test_random_crops_spread_over_areas_aspects_and_places() -> None:
    rng = np.random.default_rng(0)
    boxes = np.array([random_box(400, 400, 0.08, rng) for _ in range(4000)])
    w, h = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    area = w * h / 400**2
    # Above 3/4 some shapes do not fit and are drawn again; below, areas are uniform.
    assert area.min() < 0.09
    assert area.max() > 0.97
    counts = np.histogram(area, 4, (0.08, 0.74))[0]
    assert counts == pytest.approx([counts.mean()] * 4, rel=0.1)
    assert np.log(w / h).mean() == pytest.approx(0, abs=0.01)
    slack = 400 - w
    assert (boxes[:, 0][slack > 0] / slack[slack > 0]).mean() == pytest.approx(0.5, abs=0.02)


def test_an_image_too_long_for_any_crop_shows_its_middle() -> None:
    class Never(np.random.Generator):
        calls = 0

        def uniform(self, low: object = 0.0, high: object = 1.0, size: object = None) -> float:
            self.calls += 1
            return 1.0 if low != np.log(3 / 4) else 0.0

    rng = Never(np.random.PCG64(0))
    assert random_box(100, 10, 0.9, rng) == pytest.approx((50 - 20 / 3, 0, 50 + 20 / 3, 10))
    assert rng.calls == 2 * ATTEMPTS
    assert random_box(10, 100, 0.9, rng) == pytest.approx((0, 50 - 20 / 3, 10, 50 + 20 / 3))


def test_evaluation_sees_the_middle_seven_eighths() -> None:
    assert centre_box(256, 256) == (16, 16, 240, 240)
    assert centre_box(500, 400) == (75, 25, 425, 375)


OPERATIONS = SETS["pil"]
NAMES = tuple(OPERATIONS)
SIDE = 56
IMAGE = np.random.default_rng(3).integers(20, 230, (SIDE, SIDE, 3)).astype(np.float64)
GREY = np.array([0.299, 0.587, 0.114])


def blend(degenerate: Array, image: Array, factor: float) -> Array:
    return (degenerate + factor * (image - degenerate)).clip(0, 255)


def smoothed(image: Array) -> Array:
    kernel = np.ones((3, 3))
    kernel[1, 1] = 5
    result = image.copy()
    windows = np.lib.stride_tricks.sliding_window_view(image, (3, 3), axis=(0, 1))
    result[1:-1, 1:-1] = np.einsum("ijckl,kl->ijc", windows, kernel / 13)
    return result


def autocontrast(image: Array) -> Array:
    low, high = image.min((0, 1)), image.max((0, 1))
    return (image - low) * 255 / (high - low)


def equalized(image: Array) -> Array:
    """Histogram equalisation as PIL defines it, channel by channel."""
    result = np.empty_like(image)
    for c in range(3):
        counts = np.bincount(image[..., c].astype(int).ravel(), minlength=256)
        step = (counts.sum() - counts[counts > 0][-1]) // 255
        table = (np.concatenate([[0], counts.cumsum()[:-1]]) + step // 2) // step
        result[..., c] = table.clip(0, 255)[image[..., c].astype(int)]
    return result


# Level 0.8 is magnitude 8 of 10. Tolerances are grey levels: PIL rounds between its steps.
POINTWISE: dict[str, tuple[Callable[[Array], Array], float]] = {
    "AutoContrast": (autocontrast, 1),
    "Equalize": (equalized, 0),
    "Invert": (lambda x: 255 - x, 0),
    "Posterize": (lambda x: x // 32 * 32, 0),  # int(0.8 * 4) = 3 bits stay
    "Solarize": (lambda x: np.where(x < 204, x, 255 - x), 0),
    "SolarizeAdd": (lambda x: np.where(x < 128, np.minimum(x + 88, 255), x), 0),
    "Color": (lambda x: blend((x @ GREY)[..., None].round(), x, 1.54), 2),
    "Contrast": (lambda x: blend(np.full_like(x, round((x @ GREY).mean())), x, 1.54), 2),
    "Brightness": (lambda x: blend(np.zeros_like(x), x, 1.54), 1),
    "Sharpness": (lambda x: blend(smoothed(x), x, 1.54), 2),
}


def applied(name: str, image: Array, level: float, seed: int = 0) -> Array:
    picture = Image.fromarray(image.astype(np.uint8))
    changed = OPERATIONS[name](picture.size, level, np.random.default_rng(seed)).of(picture)
    assert (changed.size, changed.mode) == (picture.size, picture.mode)
    return np.asarray(changed).astype(np.float64)


@pytest.mark.parametrize("name", POINTWISE)
def test_an_operation_on_values_follows_its_formula(name: str) -> None:
    expected, tolerance = POINTWISE[name]
    assert np.abs(applied(name, IMAGE, 0.8) - expected(IMAGE)).max() <= tolerance
    assert np.abs(applied(name, IMAGE, 0.8) - IMAGE).max() > 5


def looked_up(image: Array, x: Array, y: Array) -> Array:
    """Pixels nearest to centres (x, y), 128 outside."""
    column, row = np.floor(x).astype(int), np.floor(y).astype(int)
    inside = (column >= 0) & (column < SIDE) & (row >= 0) & (row < SIDE)
    found = image[row.clip(0, SIDE - 1), column.clip(0, SIDE - 1)]
    return np.where(inside[..., None], found, 128)


Y, X = np.mgrid[:SIDE, :SIDE] + 0.5
ANGLE = np.deg2rad(24)
DX, DY = X - SIDE / 2, Y - SIDE / 2


def turned(sign: int) -> tuple[Array, Array]:
    cos, sin = np.cos(ANGLE), sign * np.sin(ANGLE)
    return SIDE / 2 + cos * DX - sin * DY, SIDE / 2 + sin * DX + cos * DY


# Source of each output pixel, for one sign of the level. 100 px at 224 are 25 px at 56.
GEOMETRIC: dict[str, Callable[[int], tuple[Array, Array]]] = {
    "Rotate": turned,
    "ShearX": lambda sign: (X + sign * 0.24 * Y, Y),
    "ShearY": lambda sign: (X, Y + sign * 0.24 * X),
    "TranslateX": lambda sign: (X + sign * 20, Y),
    "TranslateY": lambda sign: (X, Y + sign * 20),
}


@pytest.mark.parametrize("name", GEOMETRIC)
def test_an_operation_on_places_goes_both_ways_and_fills_with_grey(name: str) -> None:
    ways = [looked_up(IMAGE, *GEOMETRIC[name](sign)) for sign in (-1, 1)]
    chosen = []
    for seed in range(20):
        found = applied(name, IMAGE, 0.8, seed)
        # A centre that falls on a border between pixels may be rounded either way.
        off = [(np.abs(found - way).max(-1) > 0).mean() for way in ways]
        assert min(off) < 0.01
        chosen.append(int(np.argmin(off)))
    assert 3 <= sum(chosen) <= 17


def test_cutout_is_a_grey_square_of_the_released_size() -> None:
    white = np.full((SIDE, SIDE, 3), 255.0)
    sides = []
    for seed in range(60):
        cut = (applied("Cutout", white, 0.8, seed) == 128).all(-1)
        rows, columns = cut.any(1), cut.any(0)
        assert (cut == rows[:, None] & columns).all()
        sides += [rows.sum(), columns.sum()]
    # 40 px at 224 are 10 at 56; 0.8 of that on both sides of the centre, less at the border.
    assert max(sides) == 16
    assert min(sides) >= 8


def test_layers_draw_every_operation_alike() -> None:
    assert len(NAMES) == 16
    seen: dict[str, int] = dict.fromkeys(NAMES, 0)
    rng = np.random.default_rng(0)
    counted = {name: lambda size, level, rng, name=name: count(seen, name) for name in NAMES}
    for _ in range(1600):
        randaugment((SIDE, SIDE), 2, 10, rng, counted)
    assert sum(seen.values()) == 3200
    assert min(seen.values()) > 140
    assert max(seen.values()) < 265


def count(seen: dict[str, int], name: str) -> Change:
    seen[name] += 1
    return UNCHANGED


@pytest.mark.parametrize("magnitude", [0, 5, 10, 15, 30])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_grey_and_colour_go_through_every_operation(mode: str, magnitude: float) -> None:
    picture = Image.fromarray(IMAGE.astype(np.uint8)).convert(mode)
    for name in NAMES:
        change = OPERATIONS[name](picture.size, magnitude / 10, np.random.default_rng(0))
        changed = change.of(picture)
        assert (changed.size, changed.mode) == (picture.size, mode), name


def test_no_layer_is_the_image_itself_and_a_seed_repeats() -> None:
    size = (SIDE, SIDE)
    assert randaugment(size, 0, 10, np.random.default_rng(0), OPERATIONS) == []
    one, two = (randaugment(size, 3, 10, np.random.default_rng(5), OPERATIONS) for _ in range(2))
    assert len(one) == 3
    assert one == two


def test_a_random_crop_of_an_image_in_memory_is_resized_bicubically() -> None:
    edge = np.full((1, 32, 32, 3), 64, np.uint8)
    edge[:, :, 16:] = 192
    data = tiny(**{"data.crop": "random_resized", "data.resolution": 32, "data.shift": 0.0}).data
    make = TrainingBatch(Images(edge, np.zeros(1, np.int64)), data, 1, "run")
    shown = torch.cat([make(BatchSpec(step, 0, np.array([0])))[0] for step in range(10)])
    # A cubic overshoots at an edge, which no average of its two sides does.
    assert shown.min() < 64
    assert shown.max() > 192
