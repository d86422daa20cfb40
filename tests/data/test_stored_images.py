"""Training images that a local disk keeps decoded: the same with and without, whatever happens."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.file_batches import data_of, files_run, shown
from helpers.photos import encoded, picture, write_folders
from helpers.small_disk import mounted
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.data import load
from scaling_study.data.base import MINIVAL
from scaling_study.data.images import decode
from scaling_study.data.splits import Encoded, Listed
from scaling_study.data.storage import stored_images as module
from scaling_study.data.storage.stored_images import StoredImages, stored_bytes, stored_images
from scaling_study.sweep.image_notes import stored as told
from scaling_study.training.input_pipeline.batches import TrainingData

SIDE, IMAGES = 32, 24


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunConfig:
    root = write_folders(tmp_path_factory.mktemp("photos") / "set")
    return files_run("imagefolder", root, resolution=16, stored_side=SIDE, colour_jitter=0.3)


def store_of(run: RunConfig, tmp_path: Path) -> StoredImages:
    train = load(run.data, tmp_path / "cache").train
    assert isinstance(train, Encoded)
    assert train.listed is not None
    found = stored_images(tmp_path / "disk", train.listed, SIDE)
    assert found is not None
    return found


def test_batches_are_the_same_without_a_store_from_it_and_on_the_device(
    run: RunConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = shown(data_of(run, tmp_path).batches(0, 6))
    store = store_of(run, tmp_path)
    assert shown(data_of(run, tmp_path, 2, store=store).batches(0, 6)) == expected
    taken = sum(512 * path.stat().st_blocks for path in (tmp_path / "disk").iterdir())
    assert stored_bytes(IMAGES, SIDE) <= taken <= stored_bytes(IMAGES, SIDE) + 2 * 4096
    # Two epochs have shown every image: none is decoded any more.
    monkeypatch.setattr(decode, "_decode_jpeg", None)
    for on_device in (False, True):
        data = data_of(run, tmp_path, on_device=on_device, store=store)
        assert shown(data.batches(0, 6)) == expected
    held_out = replace(run, data=replace(run.data, split=MINIVAL, minival=0.25))
    assert len(list(data_of(held_out, tmp_path, store=store).batches(0, 2))) == 2


def test_an_image_is_kept_whole_as_a_square(tmp_path: Path) -> None:
    store = StoredImages(tmp_path / "set", SIDE)
    store.prepare(2)
    assert store.read(1) is None
    photo = picture(0, 0, 60, 40)
    pixels, size = decode.whole(encoded(photo, "PNG"), SIDE)
    store.write(1, pixels, size)
    found = store.read(1)
    assert found is not None
    assert found[1] == (60, 40)
    square = np.asarray(photo.resize((SIDE, SIDE), Image.Resampling.BICUBIC)).astype(int)
    assert np.abs(found[0] - square).max() <= 1
    assert store.read(0) is None
    assert store.read(99) is None


@pytest.mark.parametrize("damage", ["pixels", "zeros", "record", "cut off"])
def test_a_damaged_image_is_made_again(run: RunConfig, tmp_path: Path, damage: str) -> None:
    store = store_of(run, tmp_path)
    expected = shown(data_of(run, tmp_path, store=store).batches(0, 3))
    pixels, index = sorted((tmp_path / "disk").iterdir(), reverse=True)
    if damage == "cut off":
        os.truncate(pixels, 5000)
    else:
        path, place = (index, 8) if damage == "record" else (pixels, 3 * SIDE**2 * 5 + 100)
        content = bytearray(path.read_bytes())
        content[place : place + 8] = bytes(8) if damage == "zeros" else b"damaged!"
        path.write_bytes(content)
    assert shown(data_of(run, tmp_path, store=store_of(run, tmp_path)).batches(0, 3)) == expected
    assert all(store.read(number) is not None for number in range(IMAGES))


@pytest.mark.slow
def test_several_processes_share_it(tmp_path: Path) -> None:
    """Three that fill it at the same time, and one that is killed at that."""
    write = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from scaling_study.data.storage.stored_images import StoredImages\n"
        "store = StoredImages(Path(sys.argv[1]), 32); store.prepare(500)\n"
        "print('ready', flush=True)\n"
        "while True:\n"
        "    for n in range(500):\n"
        "        store.write(n, np.full((32, 32, 3), n % 251, np.uint8), (n + 1, 7))\n"
        "    if sys.argv[2] == 'end': break\n"
    )
    path = tmp_path / "shared"
    killed, *others = (
        subprocess.Popen([sys.executable, "-c", write, path, end], stdout=subprocess.PIPE)
        for end in ("never", "end", "end")
    )
    for process in (killed, *others):
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    killed.kill()
    assert [process.wait() for process in others] == [0, 0]
    killed.wait()
    for process in (killed, *others):
        assert process.stdout is not None
        process.stdout.close()
    for number in range(500):
        found = StoredImages(path, 32).read(number)
        assert found is not None
        assert found[1] == (number + 1, 7)
        assert (found[0] == number % 251).all()


def test_a_disk_without_room_is_told_and_training_goes_on(
    run: RunConfig,
    tmp_path: Path,
    execution: ExecutionConfig,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    expected = shown(data_of(run, tmp_path).batches(0, 2))
    with mounted(tmp_path / "small", "size=64k") as disk:
        there = replace(execution, images_dir=str(disk))
        data = TrainingData.of(run, there, tmp_path)
        assert shown(data.batches(0, 2)) == expected
        said = capsys.readouterr().out
        assert f"data.stored_side=32 takes 74.1kB: {disk} keeps no images" in said
        assert "more are needed and 65.5kB free" in said
        monkeypatch.setenv("A_JOBS_OWN", str(tmp_path / "own"))
        TrainingData.of(run, replace(execution, images_dir="$A_JOBS_OWN/images"), tmp_path)
        assert len(list((tmp_path / "own/images").iterdir())) == 2
        TrainingData.of(run, replace(execution, images_dir="$NOBODYS/images"), tmp_path)
        assert "$NOBODYS/images has a variable that is not set here" in capsys.readouterr().out


def test_a_disk_that_others_fill_meanwhile_is_told_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with mounted(tmp_path / "small", "size=128k") as disk:
        store = stored_images(disk, Listed("set", 20), SIDE)
        assert store is not None
        (disk / "other").write_bytes(bytes(120_000))
        for number in range(20):
            store.write(number, np.full((SIDE, SIDE, 3), number, np.uint8), (40, 30))
        assert capsys.readouterr().out.count("No space left on device") == 1
        for number in range(20):
            found = store.read(number)
            assert found is None or (found[0] == number).all()
        for file in (store._pixels, store._index):
            os.close(module._opened(file))
        module._opened.cache_clear()


def test_the_plan_says_what_it_takes(run: RunConfig, execution: ExecutionConfig) -> None:
    class Row:
        def __init__(self, run: RunConfig) -> None:
            self.run = run

    larger = replace(run, data=replace(run.data, resolution=24))
    plain = replace(run, data=replace(run.data, stored_side=0))
    rows: Any = [Row(run), Row(larger), Row(plain)]
    there = replace(execution, images_dir="/scratch")
    (line,) = told(rows, there)
    assert line == ("stored images: 74.1kB in /scratch, 24 images of 3.09kB (data.stored_side=32)")


def test_a_side_below_the_images_is_refused(run: RunConfig) -> None:
    with pytest.raises(InputError, match=r"data.stored_side=8: must be 0 \(off\), or data.resol"):
        replace(run.data, stored_side=8)
