"""Image folders that are wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from helpers.data_parts import facts
from helpers.data_settings import config
from helpers.photos import write_folders
from scaling_study.common.errors import InputError


def no_train(root: Path) -> None:
    shutil.rmtree(root / "train")


def no_val(root: Path) -> None:
    shutil.rmtree(root / "val")


def flat_val(root: Path) -> None:
    for path in list((root / "val").glob("*/*")):
        path.rename(root / "val" / path.name)
    for folder in (root / "val").iterdir():
        if folder.is_dir():
            folder.rmdir()


def empty_class(root: Path) -> None:
    for path in (root / "train/bee").iterdir():
        path.rename(path.with_suffix(".gif"))


def other_class(root: Path) -> None:
    (root / "val/cow").rename(root / "val/cat")


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (shutil.rmtree, "no such folder"),
        (no_train, "there is no folder train in it"),
        (no_val, "data.split=minival needs no val"),
        (flat_val, "holds 0 class folders; images must lie in a folder for each class"),
        (empty_class, "bee holds no images; accepted: .jpg, .jpeg, .png"),
        (other_class, "not in both: cat, cow"),
    ],
)
def test_a_wrong_folder_layout_is_refused(
    tmp_path: Path, damage: Callable[[Path], None], said: str
) -> None:
    root = write_folders(tmp_path / "set")
    damage(root)
    with pytest.raises(InputError) as raised:
        facts(config("imagefolder", root))
    assert said in str(raised.value)
