"""Images as the released code makes them: its operations, AutoAugment, and its random crops."""

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from helpers.tiny import composed, printed, tiny
from scaling_study.common.errors import InputError
from scaling_study.data.images import autoaugment, randaugment
from scaling_study.data.images.autoaugment import POLICY_V0
from scaling_study.data.images.changes import UNCHANGED
from scaling_study.data.images.crops import ASPECT, SAMPLERS, centre_box
from scaling_study.data.images.policies import augmented, drawn

# Every grey level, in every place of a gradient.
GRADIENT = np.arange(256, dtype=np.uint8).reshape(16, 16)
Bytes = NDArray[np.uint8]


def applied(name: str, magnitude: float, image: Bytes, ops: str = "released") -> Bytes:
    picture, rng = Image.fromarray(image), np.random.default_rng(0)
    return np.asarray(randaugment.SETS[ops][name](picture.size, magnitude / 10, rng).of(picture))


@pytest.mark.parametrize("magnitude", range(1, 31))
def test_solarize_compares_bytes(magnitude: int) -> None:
    # As TensorFlow does: a threshold that is no byte wraps when it becomes one.
    threshold = np.array([int(magnitude / 10 * 256)]).astype(np.uint8)
    expected = np.where(threshold > GRADIENT, GRADIENT, 255 - GRADIENT)
    assert (applied("Solarize", magnitude, GRADIENT) == expected).all()


def test_solarize_at_the_magnitudes_of_the_presets() -> None:
    assert (applied("Solarize", 10, GRADIENT) == 255 - GRADIENT).all()  # 256 is 0: all of it
    inverted = applied("Solarize", 15, GRADIENT) != GRADIENT  # 384 is 128
    assert (inverted == (GRADIENT >= 128)).all()
    for magnitude in (10, 15):  # what it was, and still is by its name
        assert (applied("Solarize", magnitude, GRADIENT, "pil") == GRADIENT).all()


@pytest.mark.parametrize(("side", "grey"), [(160, 100), (224, 196), (256, 255), (320, 255)])
def test_contrast_turns_about_the_number_of_pixels(side: int, grey: int) -> None:
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3)).astype(np.uint8)
    factor = 1.8 * 1.5 + 0.1
    expected = (grey + factor * (image.astype(np.float64) - grey)).clip(0, 255)
    assert np.abs(applied("Contrast", 15, image) - expected).max() <= 1


@pytest.mark.parametrize("side", [64, 160, 224, 320])
def test_lengths_are_pixels(side: int) -> None:
    columns = np.tile(np.linspace(0, 100, side).astype(np.uint8), (side, 1))
    moved = applied("TranslateX", 2, columns)  # 20 px at every resolution
    assert ((moved == 128).sum(1) == 20).all()
    cut = (applied("Cutout", 2, np.zeros((side, side), np.uint8)) == 128).any(0).sum()
    assert cut <= 16


def test_the_policy_has_25_pairs_and_says_what_the_release_says() -> None:
    assert len(POLICY_V0) == 25
    steps = [step for pair in POLICY_V0 for step in pair]
    # Counted in the released file, whose probabilities and magnitudes add up to these.
    assert Counter(name for name, _, _ in steps) == {
        **{"Equalize": 12, "Color": 9, "Solarize": 8, "Rotate": 7, "ShearY": 4, "ShearX": 2},
        **{"Posterize": 2, "AutoContrast": 2, "SolarizeAdd": 2, "Invert": 1, "TranslateY": 1},
    }
    assert sum(p for _, p, _ in steps) == pytest.approx(29.8)
    assert sum(magnitude for *_, magnitude in steps) == 240
    assert POLICY_V0[0] == (("Equalize", 0.8, 1), ("ShearY", 0.8, 4))
    assert POLICY_V0[22] == (("Posterize", 0.8, 2), ("Solarize", 0.6, 10))


def test_every_pair_and_step_is_drawn_as_often_as_it_says() -> None:
    seen: list[tuple[str, float]] = []
    ops = {
        name: lambda size, level, rng, name=name: (seen.append((name, level)), UNCHANGED)[1]
        for name in autoaugment.SETS["released"]
    }
    draws, rng = 20_000, np.random.default_rng(0)
    for _ in range(draws):
        autoaugment.autoaugment((16, 16), rng, ops)
    expected: Counter[tuple[str, float]] = Counter()
    for pair in POLICY_V0:
        for name, probability, magnitude in pair:
            expected[name, magnitude / 10] += probability * draws / 25
    found = Counter(seen)
    for step, times in expected.items():
        assert found[step] == pytest.approx(times, abs=5 * times**0.5 + 1e-9), step
    assert set(found) <= set(expected)


def test_autoaugment_translates_by_its_own_length() -> None:
    columns = np.tile(np.linspace(0, 100, 320).astype(np.uint8), (320, 1)).T.copy()
    move = autoaugment.SETS["released"]["TranslateY"]
    change = move((320, 320), 0.9, np.random.default_rng(0))
    moved = np.asarray(change.of(Image.fromarray(columns)))
    assert ((moved == 128).sum(0) == 225).all()


@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_the_setting_applies_the_policy(mode: str) -> None:
    data = tiny(**{"data.augment_policy": "autoaugment", "data.augment_ops": "released"}).data
    pixels, levels = np.asarray(Image.fromarray(GRADIENT).convert(mode)), ((0.0,), (1.0,))
    rngs = [np.random.default_rng(seed) for seed in range(40)]
    results = {augmented(pixels, drawn((16, 16), data, levels, rng)).tobytes() for rng in rngs}
    assert len(results) > 15


def test_two_policies_at_once_are_refused() -> None:
    with pytest.raises(InputError, match=r"data.randaugment_layers=2: data.augment_policy=auto"):
        tiny(**{"data.augment_policy": "autoaugment", "data.randaugment_layers": 2})


def tensorflows(width: int, height: int, rng: np.random.Generator, least: float) -> float:
    """Share of the area that the op takes, from its definition: a brute force over all heights."""
    while True:
        aspect = rng.uniform(*ASPECT)
        heights = np.arange(1, height + 1)
        widths = np.rint(heights * aspect)
        share = widths * heights / (width * height)
        allowed = heights[(share >= 0.08 - 1e-3) & (widths <= width)]
        h = rng.choice(allowed)
        share = round(h * aspect) * h / (width * height)
        if share >= least:
            return float(share)


@pytest.mark.parametrize(
    ("sampler", "least", "mean", "quarter"),
    [("diameter", 0.0, 0.369, 0.37), ("released", 0.1, 0.388, 0.33)],
)
def test_areas_are_those_of_uniform_heights(
    sampler: str, least: float, mean: float, quarter: float
) -> None:
    rng, n = np.random.default_rng(0), 8000
    boxes = np.array([SAMPLERS[sampler](500, 375, 0.08, rng) for _ in range(n)])
    w, h = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    share = w * h / (500 * 375)
    assert share.mean() == pytest.approx(mean, abs=0.008)
    assert (share < 0.25).mean() == pytest.approx(quarter, abs=0.015)
    other = np.array([tensorflows(500, 375, rng, least) for _ in range(n)])
    quantiles = [0.1, 0.25, 0.5, 0.75, 0.9]
    assert np.quantile(share, quantiles) == pytest.approx(np.quantile(other, quantiles), abs=0.02)
    assert share.min() >= max(0.08, least)
    # Aspects are uniform, not their logarithms.
    assert (w / h).mean() == pytest.approx(sum(ASPECT) / 2, abs=0.02)


def test_a_released_crop_is_inside_and_the_whole_image_becomes_its_centre() -> None:
    rng = np.random.default_rng(0)
    for width, height in ((40, 30), (3, 7), (500, 20), (1, 1)):
        for _ in range(200):
            left, top, right, bottom = SAMPLERS["released"](width, height, 0.08, rng)
            assert 0 <= left < right <= width
            assert 0 <= top < bottom <= height
    assert SAMPLERS["released"](500, 20, 0.9, rng) == centre_box(500, 20)
    assert SAMPLERS["released"](1, 1, 0.08, rng) == centre_box(1, 1)


# RandAugment: layers and magnitude (tensorflow/tpu, models/official/efficientnet/README.md).
RANDAUGMENT = {"b5": (2, 17), "b7": (2, 28)}


@pytest.mark.slow
@pytest.mark.parametrize("row", printed("efficientnet_family.csv"), ids=lambda row: row["model"])
def test_every_size_has_what_it_was_reported_with(row: dict[str, str]) -> None:
    name = row["model"].removeprefix("EfficientNet-").lower()
    width, depth = row["width_coefficient"], row["depth_coefficient"]
    recipe = (f"model.depth={depth}", f"model.width={width}", "model=efficientnet")
    presets = composed(f"+preset=efficientnet_{name}").data
    trained = composed(*recipe, "train=efficientnet", "data=imagenet").data
    for data in (presets, trained):
        policy = row["augment_of_reported_top1"]
        assert data.augment_policy == policy.lower()
        layers, magnitude = RANDAUGMENT.get(name, (0, data.randaugment_magnitude))
        assert (data.randaugment_layers, data.randaugment_magnitude) == (layers, magnitude)
        assert (data.augment_ops, data.crop_sampler) == ("released", "released")


@pytest.mark.parametrize(("side", "magnitude"), [(192, 10), (224, 10), (256, 15), (320, 15)])
def test_efficientnet_rs_has_the_randaugment_of_its_resolution(side: int, magnitude: int) -> None:
    words = ("model=efficientnet", "data=imagenet", "train=efficientnet_rs")
    run = composed(*words, f"data.resolution={side}")
    assert (run.data.augment_policy, run.data.randaugment_layers) == ("randaugment", 2)
    assert run.data.randaugment_magnitude == magnitude
    assert (run.train.batch_size, run.train.decay_biases) == (2048, True)
