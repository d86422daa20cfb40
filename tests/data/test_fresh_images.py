"""`data.fresh`: new training images in every epoch, the same ones for whoever asks again."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from helpers.data_settings import values
from helpers.file_batches import data_of
from helpers.tiny import tiny
from scaling_study.common.errors import InputError
from scaling_study.common.validation import from_values
from scaling_study.data import DATA_SETS, load
from scaling_study.data.base import DataConfig
from scaling_study.data.splits import Images, Rendered

FRESH = {"data.fresh": True}


def rendered(cache_dir: Path, **changes: object) -> Rendered:
    train = load(tiny(**FRESH, **changes).data, cache_dir).train
    assert isinstance(train, Rendered)
    return train


def images_of(cache_dir: Path, **changes: object) -> tuple[Images, Images]:
    splits = load(tiny(**changes).data, cache_dir)
    assert isinstance(splits.train, Images)
    assert isinstance(splits.val, Images)
    return splits.train, splits.val


def test_an_image_is_the_same_in_any_part_of_any_batch(cache_dir: Path) -> None:
    train, again = rendered(cache_dir), rendered(cache_dir)
    chosen = np.array([127, 3, 64, 3, 31, 32])
    batch = train.of_epoch(5, chosen)
    assert batch.labels.tolist() == [3, 0, 2, 0, 0, 1]
    for pixels, number in zip(batch.pixels, chosen, strict=True):
        assert np.array_equal(again.of_epoch(5, np.array([number])).pixels[0], pixels)


def test_the_first_epoch_has_the_fixed_images_and_others_have_none_of_them(
    cache_dir: Path,
) -> None:
    fixed, every = images_of(cache_dir)[0], np.arange(128)
    train = rendered(cache_dir)
    assert np.array_equal(train.of_epoch(0, every).pixels, fixed.pixels)
    assert np.array_equal(fixed.of_epoch(9, every).pixels, fixed.pixels)
    shown = [train.of_epoch(epoch, every).pixels for epoch in range(3)]
    shown.append(rendered(cache_dir, **{"data.seed": 1}).of_epoch(1, every).pixels)
    assert len({image.tobytes() for images in shown for image in images}) == 4 * 128


def test_new_images_are_drawn_as_the_fixed_ones_are(cache_dir: Path) -> None:
    """Class means of new images are as near those of fixed ones as these are to each other."""
    fixed, train = images_of(cache_dir)[0], rendered(cache_dir)

    def halves(images: Images) -> np.ndarray:
        assert np.array_equal(images.labels, fixed.labels)
        return images.pixels.reshape(4, 2, 16, -1).mean(axis=2)

    own = halves(fixed)
    new = np.stack([halves(train.of_epoch(epoch, np.arange(128))) for epoch in (1, 2, 3)])

    def apart(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.sqrt(((one - other) ** 2).mean()))

    sampling = np.mean([apart(own[:, 0], own[:, 1]), *(apart(n[:, 0], n[:, 1]) for n in new)])
    assert apart(new.mean(axis=(0, 2)), own.mean(axis=1)) < sampling
    assert apart(np.roll(new.mean(axis=(0, 2)), 1, axis=0), own.mean(axis=1)) > 2 * sampling


def test_label_noise_is_drawn_anew_in_every_epoch(cache_dir: Path) -> None:
    train = rendered(cache_dir, **{"data.label_noise": 0.5})
    every = np.arange(128)
    noisy = np.stack([train.of_epoch(epoch, every).labels for epoch in range(4)])
    changed = (noisy != every // 32).mean(axis=1)
    assert np.all((changed > 0.2) & (changed < 0.55))  # half are redrawn, a quarter as they were
    assert not np.array_equal(noisy[1], noisy[2])


@pytest.mark.parametrize("split", ["test", "minival"])
def test_what_is_evaluated_stays(cache_dir: Path, split: str) -> None:
    fixed, fixed_val = images_of(cache_dir, **{"data.split": split})
    train, val = images_of(cache_dir, **{"data.split": split}, **FRESH)
    assert np.array_equal(val.pixels, fixed_val.pixels)
    assert np.array_equal(train.pixels, fixed.pixels)
    assert isinstance(train, Rendered)
    if split == "minival":
        assert isinstance(val, Rendered)
        assert sorted([*train.numbers, *val.numbers]) == list(range(128))


def test_batches_show_the_images_of_their_epoch(tmp_path: Path) -> None:
    still = {"data.shift": 0.0, "data.flip": False, "train.epochs": 3}
    data = data_of(tiny(**FRESH, **still), tmp_path)
    train = rendered(tmp_path)
    for epoch in range(3):
        batches = data.batches(8 * epoch, 8 * epoch + 8)
        shown = sorted(image.numpy().tobytes() for batch, _ in batches for image in batch)
        expected = train.of_epoch(epoch, np.arange(128)).pixels
        assert shown == sorted(image.tobytes() for image in expected)


def test_ids_of_runs_without_new_images_are_what_they_were() -> None:
    assert tiny(**{"data.fresh": False}).run_id == tiny().run_id
    assert tiny(**FRESH).run_id != tiny().run_id


def test_other_data_sets_refuse_it_in_one_sentence() -> None:
    for name in ("digits", "imagefolder"):
        with pytest.raises(
            InputError, match=rf"^data\.fresh=true: data\.name={name} cannot render"
        ):
            from_values(DATA_SETS[name].config, {**values(name), "fresh": True}, "data.")
    with pytest.raises(InputError, match=r"^data\.fresh=true: data\.name=mine cannot render"):
        replace(from_values(DataConfig, own_settings(), "data."), fresh=True)


def own_settings() -> dict[str, object]:
    known = DataConfig.__dataclass_fields__
    return {**{k: v for k, v in values("digits").items() if k in known}, "name": "mine"}


def test_labels_of_a_teacher_are_refused() -> None:
    pool = {"data.pool_images": 16, "train.pseudo_share": 0.25}
    with pytest.raises(InputError, match=r"^data\.fresh=true: images of a pool, which teacher=run"):
        tiny(teacher="run:other", **pool, **FRESH)
