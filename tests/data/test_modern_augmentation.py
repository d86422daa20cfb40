"""TrivialAugment, timm's RandAugment, colour jitter and erasing, against their definitions."""

from collections import Counter

import numpy as np
import pytest
from PIL import Image

from helpers.tiny import tiny
from scaling_study.common.errors import InputError
from scaling_study.data.images import timm_operations, trivialaugment
from scaling_study.data.images.changes import UNCHANGED
from scaling_study.data.images.erasing import erased, jittered
from scaling_study.data.images.policies import augmented, changes_images, drawn

IMAGE = np.random.default_rng(3).integers(20, 230, (32, 32, 3)).astype(np.uint8)
GREYS = np.arange(256, dtype=np.uint8).reshape(16, 16)
NOISE = ((100.0, 120.0, 140.0), (10.0, 20.0, 30.0))


def trivial(name: str, level: float, image: np.ndarray = IMAGE, seed: int = 0) -> np.ndarray:
    picture, rng = Image.fromarray(image), np.random.default_rng(seed)
    return np.asarray(trivialaugment.OPERATIONS[name](picture.size, level, rng).of(picture))


def timms(name: str, level: float, image: np.ndarray = IMAGE, seed: int = 0) -> np.ndarray:
    picture, rng = Image.fromarray(image), np.random.default_rng(seed)
    return np.asarray(timm_operations.OPERATIONS[name](picture.size, level, rng).of(picture))


@pytest.mark.parametrize("step", range(31))
def test_trivialaugments_strengths_are_the_published_ones(step: int) -> None:
    level = step / 30
    # The tables of the paper's wide space, with torchvision's rounding.
    bits = 8 - round(step / (30 / 6))
    assert (trivial("Posterize", level, GREYS) == GREYS // 2 ** (8 - bits) * 2 ** (8 - bits)).all()
    below = GREYS.astype(int) * 30 < 255 * (30 - step)  # of a threshold from 255 to 0
    expected = np.where(below, GREYS, 255 - GREYS)
    assert (trivial("Solarize", level, GREYS) == expected).all()
    for name, degenerate in (("Brightness", 0), ("Contrast", None)):
        if degenerate is None:
            degenerate = round(float(np.asarray(Image.fromarray(IMAGE).convert("L")).mean()))
        ways = [
            (degenerate + (1 + sign * 0.99 * level) * (IMAGE.astype(float) - degenerate))
            for sign in (-1, 1)
        ]
        off = [np.abs(trivial(name, level) - way.clip(0, 255)).max() for way in ways]
        assert min(off) <= 1


def test_trivialaugment_draws_operations_and_strengths_alike() -> None:
    assert len(trivialaugment.NAMES) == 14
    seen: Counter[tuple[str, float]] = Counter()
    original = dict(trivialaugment.OPERATIONS)
    try:
        for name in original:
            trivialaugment.OPERATIONS[name] = lambda size, level, rng, name=name: (
                seen.update([(name, level)]),
                UNCHANGED,
            )[1]
        rng = np.random.default_rng(0)
        for _ in range(14 * 31 * 30):
            trivialaugment.trivialaugment((32, 32), rng)
    finally:
        trivialaugment.OPERATIONS.update(original)
    assert len(seen) == 14 * 31
    counts = np.array(list(seen.values()))
    assert ((counts - 30) ** 2 / 30).sum() == pytest.approx(14 * 31, rel=0.25)  # chi squared


@pytest.mark.parametrize("level", [0.0, 0.3, 0.7, 1.0])
def test_timms_operations_grow_with_the_magnitude(level: float) -> None:
    bits = 4 - int(4 * level)
    assert (timms("PosterizeIncreasing", level, GREYS) == GREYS >> (8 - bits) << (8 - bits)).all()
    threshold = 256 - int(256 * level)
    expected = np.where(threshold > GREYS, GREYS, 255 - GREYS)
    assert (timms("SolarizeIncreasing", level, GREYS) == expected).all()
    ways = [IMAGE * max(0.1, 1 + sign * 0.9 * level) for sign in (-1, 1)]
    off = [np.abs(timms("BrightnessIncreasing", level) - w.clip(0, 255)).max() for w in ways]
    assert min(off) <= 1
    moved = timms("TranslateXRel", level, np.full((100, 100, 3), 10, np.uint8))
    filled = (moved == np.array([124, 116, 104])).all((0, 2)).sum()
    assert filled == pytest.approx(45 * level, abs=2)


def test_timms_draws_apply_one_half_with_a_normal_magnitude_between_bounds() -> None:
    assert len(timm_operations.NAMES) == 15
    levels: list[float] = []
    original = dict(timm_operations.OPERATIONS)
    try:
        for name in original:
            timm_operations.OPERATIONS[name] = lambda size, level, rng: (
                levels.append(level),
                UNCHANGED,
            )[1]
        rng = np.random.default_rng(0)
        for _ in range(4000):
            timm_operations.timm_randaugment((32, 32), 2, 7, 0.5, rng)
        assert len(levels) == pytest.approx(4000, rel=0.05)
        assert np.mean(levels) == pytest.approx(0.7, abs=0.005)
        assert np.std(levels) == pytest.approx(0.05, rel=0.05)
        levels.clear()
        for _ in range(400):
            timm_operations.timm_randaugment((32, 32), 2, 9.9, 2.0, rng)
        assert max(levels) == 1.0
    finally:
        timm_operations.OPERATIONS.update(original)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize(
    "changes",
    [
        {"augment_policy": "trivialaugment"},
        {"augment_ops": "timm_increasing", "randaugment_layers": 2, "randaugment_sd": 0.5},
        {"randaugment_layers": 2, "randaugment_sd": 1.0},
        {"colour_jitter": 0.4, "erasing": 0.5},
    ],
    ids=str,
)
def test_settings_change_images_of_both_modes(changes: dict, mode: str) -> None:
    data = tiny(**{f"data.{key}": value for key, value in changes.items()}).data
    assert changes_images(data)
    pixels = np.asarray(Image.fromarray(IMAGE).convert(mode))
    levels = NOISE if mode == "RGB" else ((100.0,), (10.0,))
    rngs = [np.random.default_rng(seed) for seed in range(200)]
    found = [augmented(pixels, drawn((32, 32), data, levels, rng)) for rng in rngs]
    assert {(image.shape, image.dtype) for image in found} == {(pixels.shape, pixels.dtype)}
    assert len({image.tobytes() for image in found}) > 40


def test_erasing_fills_a_box_with_noise_of_the_data_sets_levels() -> None:
    black = np.zeros((64, 64, 3), np.uint8)
    erased_images, areas, aspects, values = 0, [], [], []
    for seed in range(1500):
        found = augmented(black, erased((64, 64), 0.4, *NOISE, np.random.default_rng(seed)))
        box = found.any(-1)
        if not box.any():
            continue
        erased_images += 1
        rows, columns = box.any(1), box.any(0)
        assert (found[~(rows[:, None] & columns)] == 0).all()
        areas.append(rows.sum() * columns.sum() / 64**2)
        aspects.append(np.log(rows.sum() / columns.sum()))
        values.append(found[rows][:, columns].reshape(-1, 3))
    assert erased_images / 1500 == pytest.approx(0.4, abs=0.04)
    assert min(areas) == pytest.approx(0.02, abs=0.01)
    assert max(areas) == pytest.approx(1 / 3, abs=0.02)
    assert np.mean(aspects) == pytest.approx(0, abs=0.08)
    assert np.abs(aspects).max() <= np.log(1 / 0.3) + 0.2
    noise = np.concatenate(values).astype(float)
    assert noise.mean(0) == pytest.approx(NOISE[0], abs=0.5)
    assert noise.std(0) == pytest.approx(NOISE[1], rel=0.02)
    assert erased((64, 64), 0.0, *NOISE, np.random.default_rng(0)) == []


def test_jitter_scales_brightness_contrast_and_saturation_within_its_strength() -> None:
    grey = np.full((8, 8, 3), 100, np.uint8)  # neither contrast nor saturation to change
    values = [
        augmented(grey, jittered(0.4, np.random.default_rng(seed)))[0, 0, 0] for seed in range(2000)
    ]
    assert min(values) == pytest.approx(60, abs=1)
    assert max(values) == pytest.approx(140, abs=1)
    counts = np.histogram(values, 4, (60, 140))[0]
    assert counts == pytest.approx([500] * 4, rel=0.2)
    kept = augmented(IMAGE, jittered(0.0, np.random.default_rng(0))).astype(int)
    assert np.abs(kept - IMAGE).max() <= 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data.erasing": 1.5}, "data.erasing=1.5: must be in"),
        ({"data.test_crop": 0}, "data.test_crop=0.0: must be in"),
        ({"data.colour_jitter": -1}, "data.colour_jitter=-1.0: must be 0"),
        ({"data.augment_policy": "none"}, "must be randaugment or autoaugment or trivialaugment"),
        (
            {"data.augment_policy": "autoaugment", "data.augment_ops": "timm_increasing"},
            "has them for RandAugment alone",
        ),
    ],
)
def test_bad_settings_are_refused(changes: dict, said: str) -> None:
    with pytest.raises(InputError) as raised:
        tiny(**changes)
    assert said in str(raised.value)
