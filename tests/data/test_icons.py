"""Icons: a small package in the form of npm's, chosen from, drawn, and read again."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from helpers.data_settings import config as data_config
from helpers.icon_package import SHAPES, TEST, TRAIN, drawn, package, rectangle, write_small
from scaling_study.common.errors import InputError
from scaling_study.data import data_info, load, prepare
from scaling_study.data.images.svg import rendered
from scaling_study.data.sets import icon_selection, icons
from scaling_study.data.sets.icon_selection import concept, select
from scaling_study.data.splits import Images


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a small package, which the data set then takes for the official one."""
    write_small(tmp_path / "root", monkeypatch)
    return tmp_path / "root"


def config(root: Path, **changes: Any) -> Any:
    return data_config("icons", root, classes=3, url="http://127.0.0.1:9", **changes)


@pytest.mark.parametrize(
    ("name", "shows"),
    [
        ("heart", "heart"),
        ("heart-outline", "heart"),
        ("outline-heart-24", "heart"),
        ("arrow-left-bold", "arrow-left"),
        ("circle", "circle"),
        ("24-hours", "24-hours"),
        ("bold-outline", "bold"),
    ],
)
def test_a_concept_is_a_name_without_words_of_style(name: str, shows: str) -> None:
    assert concept(name) == shows


def test_only_permissive_icons_of_one_colour_are_taken_and_no_brand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(icon_selection, "N_CLASSES", 4)
    usual = {"license": {"spdx": "MIT"}, "palette": False, "category": "UI 24px"}
    odd = {
        "gpl": usual | {"license": {"spdx": "GPL-3.0"}},
        "unknown": usual | {"license": {"title": "Ours"}},
        "colours": usual | {"palette": True},
        "marks": usual | {"category": "Logos"},
    }
    found = select(package(tmp_path, {name: (kind, drawn(9)) for name, kind in odd.items()}))
    sources = {part: {icon.source.split(":")[0] for icon in found[part]} for part in found}
    assert sources == {"train": {*TRAIN}, "test": {*TEST}}
    assert {icon.concept for icon in found["train"]} == {"heart", "home", "star"}


def test_test_icons_that_copy_one_of_training_are_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy is scaled, as one on another grid is."""
    monkeypatch.setattr(icon_selection, "N_CLASSES", 3)
    usual = {"license": {"spdx": "ISC"}}
    x, y, width, height = SHAPES["heart"]
    body = rectangle(2 * x, 2 * y, 2 * width, 2 * height)
    copy = {"icons": {"heart-fill": {"body": body}}, "width": 48, "height": 48}
    whole = select(package(tmp_path, {}))
    with_copy = select(package(tmp_path, {"ee": (usual, copy)}))
    assert icon_selection._of_test(icon_selection.Icon("heart", "ee:heart-fill", ""))
    assert with_copy == whole


def test_of_a_set_only_a_few_styles_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(icon_selection, "N_CLASSES", 3)
    many = {f"heart-{n}": {"body": rectangle(n, n, 5, 5)} for n in range(9)}
    found = select(package(tmp_path, {"ii": ({"license": {"spdx": "MIT"}}, {"icons": many})}))
    names = [i.source for part in found.values() for i in part if i.source.startswith("ii:")]
    assert names == ["ii:heart-0", "ii:heart-1", "ii:heart-2"]


def test_drawings_fill_the_square_at_any_resolution() -> None:
    """A wide one stays in the middle; one that cannot be read is empty."""
    wide = icon_selection._svg({"body": rectangle(0, 0, 40, 20)}, {"width": 40, "height": 20})
    for side in (8, 32):
        pixels = rendered([wide, "<svg"], side)
        assert pixels.shape == (2, side, side)
        assert (pixels[0, side // 4 : -side // 4] == 255).all()
        assert not pixels[0, : side // 4].any()
        assert not pixels[1].any()


def test_both_parts_are_chosen_drawn_and_kept(small: Path, tmp_path: Path) -> None:
    data = config(small, resolution=16)
    known = data_info(data)
    assert (known.n_classes, known.n_train, known.n_val, known.channels) == (3, 12, 6, 1)
    prepare(data, tmp_path)
    splits = load(data, tmp_path)
    assert isinstance(splits.train, Images)
    assert np.bincount(splits.train.labels).tolist() == [4, 4, 4]
    (small / icons.PACKAGE).unlink()  # what was chosen is enough
    larger = load(config(small, resolution=32), tmp_path)
    assert isinstance(larger.train, Images)
    assert larger.train.pixels.shape == (12, 32, 32)
    halved = larger.train.pixels.reshape(12, 16, 2, 16, 2).mean(axis=(2, 4))
    assert np.abs(halved - splits.train.pixels).mean() < 2


@pytest.mark.parametrize(
    "damaged",
    [lambda c: c[:40], lambda c: c[:40] + b"?" * 9 + c[49:], lambda _: gzip.compress(b"{}")],
    ids=["cut off", "other bytes", "other content"],
)
def test_a_choice_that_was_damaged_is_made_again(
    damaged: Callable[[bytes], bytes], small: Path, tmp_path: Path
) -> None:
    data = config(small)
    prepare(data, tmp_path)
    (kept,) = small.glob("*.json.gz")
    content = kept.read_bytes()
    kept.write_bytes(damaged(content))
    prepare(data, tmp_path)
    assert kept.read_bytes() == content


def test_another_selection_is_refused(
    small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(icons, "SELECTION", "0" * 64)
    with pytest.raises(InputError, match=r"data=icons: 18 icons were chosen of .*draws otherwise"):
        prepare(config(small), tmp_path)


def test_classes_of_different_seeds_share_none(tmp_path: Path) -> None:
    one, other = (data_config("icons", tmp_path, seed=seed).chosen() for seed in (0, 1))
    assert not {*one} & {*other}
    assert len({*one, *other}) == 100
    with pytest.raises(InputError, match=r"data\.seed=2: must be 0 to 1"):
        data_config("icons", tmp_path, seed=2)
    with pytest.raises(InputError, match=r"data\.classes=101: must be 2 to 100"):
        data_config("icons", tmp_path, classes=101)
