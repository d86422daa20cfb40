"""Embedded data sets: deterministic, cached, the same object at every resolution."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from helpers.data_settings import values
from helpers.tiny import TINY, tiny
from scaling_study.common.validation import from_values
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import run_config
from scaling_study.data import DATA_SETS, data_info, data_set, load
from scaling_study.data.sets import fractals
from scaling_study.data.sets.digits import DigitsConfig
from scaling_study.data.sets.fractals import FractalsConfig
from scaling_study.data.splits import DataInfo, Images
from scaling_study.training.loop import train

ROOT = Path(__file__).resolve().parent.parent.parent
DATA = tiny().data
assert isinstance(DATA, FractalsConfig)
FRACTALS: FractalsConfig = DATA


def test_rendering_depends_on_the_seed_alone() -> None:
    one, again = fractals.render(FRACTALS)[0], fractals.render(FRACTALS)[0]
    other = fractals.render(replace(FRACTALS, seed=1))[0]
    assert np.array_equal(one.pixels, again.pixels)
    assert not np.array_equal(one.pixels, other.pixels)


def test_rendering_is_pinned() -> None:
    # Golden: a change of these images needs a new fractals.RENDERER, or caches would be mixed.
    train, val = fractals.render(FRACTALS)
    # Another processor may round a point into the next pixel, no more.
    sums = [int(train.pixels.sum()), int(val.pixels.sum())]
    assert sums == pytest.approx([2199728, 1184142], rel=1e-4)


def test_sizes_are_those_announced_without_rendering(cache_dir: Path) -> None:
    splits = load(FRACTALS, cache_dir)
    assert isinstance(splits.train, Images)
    assert isinstance(splits.val, Images)
    known = data_info(FRACTALS)
    assert splits.train.pixels.shape == (known.n_train, 16, 16) == (128, 16, 16)
    assert splits.val.pixels.shape == (known.n_val, 16, 16) == (64, 16, 16)
    assert np.bincount(splits.train.labels).tolist() == [32] * 4


def test_the_second_load_reads_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = load(FRACTALS, tmp_path)
    monkeypatch.setattr(fractals, "render", None)
    again = load(FRACTALS, tmp_path)
    assert np.array_equal(first.val.pixels, again.val.pixels)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"other"])
def test_a_damaged_cache_is_rendered_again(tmp_path: Path, content: bytes) -> None:
    first = load(FRACTALS, tmp_path)
    (cached,) = tmp_path.glob("*.npz")
    cached.write_bytes(content)
    assert np.array_equal(load(FRACTALS, tmp_path).val.pixels, first.val.pixels)


def test_a_finer_image_shows_the_same_object() -> None:
    coarse = fractals.render(FRACTALS)[0].pixels / 255
    fine = fractals.render(replace(FRACTALS, resolution=32))[0].pixels / 255
    pooled = fine.reshape(len(fine), 16, 2, 16, 2).mean((2, 4))
    same = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(coarse, pooled, strict=True)]
    others = np.roll(pooled, 1, axis=0)
    different = [
        np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(coarse, others, strict=True)
    ]
    assert np.median(same) > 0.95
    assert np.median(different) < 0.7


def test_images_of_a_class_are_alike_and_perturbation_makes_them_differ() -> None:
    def spread(perturbation: float) -> float:
        pixels = fractals.render(replace(FRACTALS, perturbation=perturbation))[0].pixels
        classes = pixels.reshape(4, 32, -1) / 255
        return float(classes.std(axis=1).mean())

    assert spread(0.05) < spread(0.35)


def test_label_noise_redraws_that_share_of_training_labels_only(cache_dir: Path) -> None:
    clean = load(FRACTALS, cache_dir)
    noisy = load(replace(FRACTALS, label_noise=0.5), cache_dir)
    changed = (clean.train.labels != noisy.train.labels).mean()
    assert 0.2 < changed < 0.55  # half are redrawn, a quarter of these as they were
    assert np.array_equal(clean.val.labels, noisy.val.labels)


def test_digits_are_split_without_overlap(cache_dir: Path) -> None:
    data = from_values(DigitsConfig, values("digits"), "data.")
    splits = load(data, cache_dir)
    known = data_info(data)
    assert len(splits.train.labels) == known.n_train == 1200
    assert len(splits.val.labels) == known.n_val == 597
    seen = {image.tobytes() for image in splits.train.pixels}
    again = sum(image.tobytes() in seen for image in splits.val.pixels)
    assert again == 0
    assert set(splits.val.labels) == set(range(10))


def test_the_documented_example_of_a_data_set_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, execution: ExecutionConfig
) -> None:
    folder = ROOT / "examples" / "own_data"
    monkeypatch.syspath_prepend(folder)
    settings = yaml.safe_load((folder / "my_conf/data/stripes.yaml").read_text(encoding="utf-8"))
    run = run_config({**TINY, "data": settings})
    assert {*run.code} == {"my_data.stripes"}
    config = run.data
    assert data_info(config) == DataInfo(2, 200, 200, "test")
    assert train(run, tmp_path, execution)["val_error"] < 0.2


@pytest.mark.slow
@pytest.mark.parametrize("name", DATA_SETS)
def test_the_page_on_data_sets_and_the_yaml_agree(name: str) -> None:
    text = (ROOT / "docs/data.md").read_text(encoding="utf-8")
    assert f"`{name}`" in text
    keys = {"root": "nowhere"} if "root" in values(name) else {}
    data = from_values(data_set(name).config, values(name) | keys, "data.")
    assert data.name == name
    # Grids on ImageNet select, so they never look at its validation images by default.
    assert (data.split == "minival") == (name == "imagenet")
