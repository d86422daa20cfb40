"""Fashion-MNIST from files in its format: on disk, in Debian's package, on a server."""

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.commands import Command
from helpers.data_settings import config as data_config
from helpers.file_server import Server, serving
from helpers.idx_files import IMAGES, REAL, arrays, small_files, write
from scaling_study.common.errors import InputError
from scaling_study.data import data_info, load, load_pool, prepare
from scaling_study.data.sets import fashion_mnist
from scaling_study.data.splits import Images

NO_SERVER = "http://127.0.0.1:9"


def config(root: Path, url: str = NO_SERVER, **changes: Any) -> Any:
    settings = {"url": url, "resolution": 28, "train_images": IMAGES["train"]} | changes
    return data_config("fashion_mnist", root, **settings)


@pytest.fixture
def contents(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The small files that are the official ones in this test."""
    return small_files(monkeypatch)


def images_of(part: object) -> Images:
    assert isinstance(part, Images)
    return part


def rows(images: Images) -> list[tuple[bytes, int]]:
    return sorted((p.tobytes(), int(k)) for p, k in zip(images.pixels, images.labels, strict=True))


def test_sizes_are_known_before_anything_is_there(tmp_path: Path) -> None:
    known = data_info(config(tmp_path / "none", train_images=2000))
    assert (known.n_classes, known.n_train, known.n_val) == (10, 2000, 10_000)
    assert (known.channels, known.eval_split) == (1, "test")


@pytest.mark.parametrize("packed", [False, True])
def test_files_on_disk_are_read_and_need_no_server(
    packed: bool, contents: dict[str, bytes], tmp_path: Path
) -> None:
    write(contents, tmp_path / "root", packed)
    data = config(tmp_path / "root")
    prepare(data, tmp_path / "cache")
    assert len([*(tmp_path / "root").iterdir()]) == 4, "nothing is written beside them"
    splits = load(data, tmp_path / "cache")
    for part, images in (("train", splits.train), ("test", splits.val)):
        pixels, labels = arrays(part)
        assert rows(images_of(images)) == rows(Images(pixels, labels.astype(np.int64)))
    assert images_of(splits.val).labels.tolist() == arrays("test")[1].tolist(), "in their order"


def test_the_rest_of_the_images_is_a_pool_without_labels(
    contents: dict[str, bytes], tmp_path: Path
) -> None:
    """Pools are nested, and none of their images is among those with labels."""
    write(contents, tmp_path / "root", packed=False)
    whole = images_of(load(config(tmp_path / "root"), tmp_path).train)
    places = {p.tobytes(): at for at, p in enumerate(whole.pixels)}
    found = {}
    for used in (20, 40):
        data = config(tmp_path / "root", train_images=used, labelled_images=8)
        known = data_info(data)
        assert (known.n_train, known.n_pool) == (8, used - 8)
        labelled = images_of(load(data, tmp_path).train)
        assert rows(labelled) == rows(whole.take(np.arange(8)))
        pool = images_of(load_pool(data, tmp_path))
        assert set(pool.labels.tolist()) == {-1}
        found[used] = {places[p.tobytes()] for p in pool.pixels}
    assert found == {20: set(range(8, 20)), 40: set(range(8, 40))}
    with pytest.raises(
        InputError, match=r"labelled_images=40: must be less than data\.train_image"
    ):
        config(tmp_path, labelled_images=40)


def test_what_debian_has_is_found(
    contents: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(contents, tmp_path / "debian", packed=True)
    monkeypatch.setattr(fashion_mnist, "DEBIAN", tmp_path / "debian")
    prepare(config(tmp_path / "root"), tmp_path)
    assert not (tmp_path / "root").exists()


def test_what_is_nowhere_is_downloaded_once(contents: dict[str, bytes], tmp_path: Path) -> None:
    Server.files = {f"/f/{name}.gz": gzip.compress(c) for name, c in contents.items()}
    Server.asked.clear()
    with serving() as address:
        data = config(tmp_path / "root", f"{address}/f/")
        prepare(data, tmp_path)
        prepare(data, tmp_path)
    assert sorted(Server.asked) == sorted(Server.files)
    assert len(images_of(load(data, tmp_path).train).labels) == IMAGES["train"]


@pytest.mark.parametrize(
    ("served", "said"),
    [
        (gzip.compress(b"another file", mtime=0), "with SHA256"),
        (b"no gzip file", "no whole gzip file"),
        (gzip.compress(b"cut off" * 100, mtime=0)[:-9], "no whole gzip file"),
        (None, "404"),
    ],
    ids=["another file", "no gzip", "cut off", "none"],
)
def test_a_wrong_download_leaves_nothing(
    served: bytes | None, said: str, contents: dict[str, bytes], tmp_path: Path
) -> None:
    Server.files = {} if served is None else {f"/{name}.gz": served for name in contents}
    with serving() as address, pytest.raises(InputError, match=r"data\.url") as raised:
        prepare(config(tmp_path / "root", address), tmp_path)
    assert said in str(raised.value)
    assert [p.suffix for p in (tmp_path / "root").iterdir()] == [".lock"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_wrong_file_on_disk_is_refused_and_kept(
    packed: bool, contents: dict[str, bytes], tmp_path: Path
) -> None:
    wrong = dict.fromkeys(contents, b"something else")
    write(wrong, tmp_path, packed)
    with pytest.raises(InputError, match=r"its SHA256 is .* remove the file"):
        prepare(config(tmp_path), tmp_path)
    assert len([*tmp_path.iterdir()]) == 4


def test_draws_of_different_seeds_share_no_image(
    contents: dict[str, bytes], tmp_path: Path
) -> None:
    write(contents, tmp_path, packed=False)
    drawn = [
        rows(images_of(load(config(tmp_path, train_images=13, seed=seed), tmp_path).train))
        for seed in range(3)
    ]
    together = {row for part in drawn for row in part}
    assert [len(part) for part in drawn] == [13, 13, 13]
    assert len(together) == 39
    assert together <= {*rows(Images(arrays("train")[0], arrays("train")[1].astype(np.int64)))}
    with pytest.raises(InputError, match=r"data\.seed=3: must be 0 to 2"):
        config(tmp_path, train_images=13, seed=3)
    with pytest.raises(InputError, match=r"data\.train_images=41: must be 1 to 40"):
        config(tmp_path, train_images=41)


def test_another_resolution_resizes(contents: dict[str, bytes], tmp_path: Path) -> None:
    write(contents, tmp_path, packed=True)
    test = images_of(load(config(tmp_path, resolution=16), tmp_path).val)
    first = Image.fromarray(arrays("test")[0][0]).resize((16, 16), Image.Resampling.BICUBIC)
    assert np.array_equal(test.pixels[0], np.asarray(first))


def test_where_the_files_lie_is_not_part_of_a_run(tmp_path: Path) -> None:
    from dataclasses import replace

    from helpers.tiny import tiny

    run = tiny()
    one = replace(run, data=config(tmp_path, "http://one"))
    other = replace(run, data=config(tmp_path / "other", "http://other"))
    fewer = replace(run, data=config(tmp_path, "http://one", train_images=20))
    assert one.run_id == other.run_id != fewer.run_id


def test_the_command_says_why_it_cannot_download(command_here: Command, tmp_path: Path) -> None:
    if fashion_mnist.DEBIAN.is_dir():
        pytest.skip("dataset-fashion-mnist is installed, nothing is downloaded")
    overrides = ("data=fashion_mnist", f"data.root={tmp_path}", f"data.url={NO_SERVER}")
    done = command_here("scaling_study.train", *overrides, "train.epochs=2")
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {NO_SERVER}/train-images-idx3-ubyte.gz: cannot be")


@pytest.mark.skipif(
    REAL is None, reason="no Fashion-MNIST here: apt-get install dataset-fashion-mnist"
)
def test_the_real_files_have_the_checksums_and_the_classes(tmp_path: Path) -> None:
    assert REAL is not None
    data = config(REAL, train_images=60_000)
    prepare(data, tmp_path)
    splits = load(data, tmp_path)
    train, test = images_of(splits.train), images_of(splits.val)
    assert (train.pixels.shape, test.pixels.shape) == ((60_000, 28, 28), (10_000, 28, 28))
    assert np.bincount(train.labels).tolist() == [6000] * 10
    assert np.bincount(test.labels).tolist() == [1000] * 10
    # Mean and SD of the training pixels as its users know them: 0.2860 and 0.3530.
    pixels = train.pixels / 255
    assert (round(pixels.mean(), 4), round(pixels.std(), 4)) == (0.2860, 0.3530)
