"""Data sets of encoded files: layouts, listings, decoding, and what is refused before a run."""

import os
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import simplejpeg
from PIL import Image
from webdataset import tariterators

from helpers.data_settings import config, values
from helpers.photos import WRITERS, encoded, picture, samples, write_folders, write_shards
from scaling_study import data as data_sets
from scaling_study.common.errors import InputError
from scaling_study.common.validation import from_values
from scaling_study.data import data_set, load
from scaling_study.data.base import DataConfig
from scaling_study.data.images import decode
from scaling_study.data.images.decode import CorruptImageError, crop
from scaling_study.data.sets import imagefolder, parquet
from scaling_study.data.sets.webdataset import expand
from scaling_study.data.splits import Encoded
from scaling_study.data.storage import index


def facts(data: DataConfig) -> Any:
    """As a new process would find them."""
    data_sets.data_info.cache_clear()
    return data_sets.data_info(data)


def encoded_part(part: object) -> Encoded:
    assert isinstance(part, Encoded)
    return part


def contents(part: object) -> list[tuple[bytes, int]]:
    images = encoded_part(part)
    numbers = zip(images.numbers.tolist(), images.labels.tolist(), strict=True)
    return sorted((images.source.read(number), label) for number, label in numbers)


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_gives_the_images_and_labels_that_were_written(
    name: str, tmp_path: Path
) -> None:
    data = config(name, WRITERS[name](tmp_path / "set"))
    known, splits = facts(data), load(data, tmp_path / "cache")
    assert (known.n_classes, known.n_train, known.n_val) == (3, 24, 12)
    assert known.eval_split == ("validation" if name == "parquet" else "val")
    assert contents(splits.train) == sorted(samples("train", 8))
    assert contents(splits.val) == sorted(samples("val", 4))


def test_shards_hold_what_webdataset_itself_reads(tmp_path: Path) -> None:
    write_shards(tmp_path / "set")
    expected = []
    for path in sorted((tmp_path / "set").glob("train-*.tar")):
        with path.open("rb") as file:
            members = tariterators.tar_file_expander([{"url": str(path), "stream": file}])
            for sample in tariterators.group_by_keys(members):
                expected.append((sample["jpg"], int(sample["cls"])))
    data = config("webdataset", tmp_path / "set", train="train-{000..001}.tar")
    assert contents(load(data, tmp_path / "cache").train) == sorted(expected)


@pytest.mark.parametrize("name", WRITERS)
def test_a_listing_is_made_once_and_again_when_files_change(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = config(name, WRITERS[name](tmp_path / "set"))
    monkeypatch.setattr(data_sets, "_listings", [tmp_path / "cache"])
    assert facts(data).n_train == 24
    read = {"imagefolder": "_images", "webdataset": "_members", "parquet": "_row_groups"}[name]
    module = data_sets.data_set(name).sizes.__globals__  # type: ignore[attr-defined]
    original = module[read]
    monkeypatch.setitem(module, read, None)
    assert facts(data).n_train == 24
    assert len(load(data, tmp_path / "cache").train.labels) == 24
    monkeypatch.setitem(module, read, original)
    shutil.rmtree(tmp_path / "set")
    WRITERS[name](tmp_path / "set", 9, 4)
    assert facts(data).n_train == 27
    assert len(load(data, tmp_path / "cache").train.labels) == 27


@pytest.mark.parametrize("content", [b"", b"{}", b"torn"])
def test_a_damaged_listing_is_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    data = config("imagefolder", write_folders(tmp_path / "set"))
    monkeypatch.setattr(data_sets, "_listings", [tmp_path / "cache"])
    facts(data)
    for suffix in ("json", "npz"):
        (path,) = (tmp_path / "cache").glob(f"*.{suffix}")
        path.write_bytes(content)
    assert facts(data).n_train == 24
    assert len(load(data, tmp_path / "cache").val.labels) == 12


def test_facts_of_a_listed_set_cost_no_more_than_a_look_at_its_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = config("imagefolder", write_folders(tmp_path / "set"))
    known = facts(data)
    monkeypatch.setattr(imagefolder, "sizes", None)
    monkeypatch.setattr(os, "scandir", None)
    # A plan asks for every cell, up to 100,000 of them.
    assert all(data_sets.data_info(replace(data)) is known for _ in range(1000))


@pytest.mark.parametrize("name", [*WRITERS, "fractals"])
def test_minival_is_a_fixed_share_of_train_and_not_trained_on(name: str, tmp_path: Path) -> None:
    if name == "fractals":
        settings = values(name) | {"split": "minival", "train_per_class": 4, "val_per_class": 1}
        data: Any = from_values(data_set(name).config, settings, "data.")
        everything: Any = replace(data, split="test")
    else:
        root = WRITERS[name](tmp_path / "set", 8, 4)
        data = config(name, root, split="minival", minival=0.25)
        everything = replace(data, split="validation" if name == "parquet" else "val")
    held, whole = load(data, tmp_path / "cache"), load(everything, tmp_path / "cache")
    known = facts(data)
    assert known.eval_split == "minival"
    n = len(whole.train.labels)
    assert known.n_val == len(held.val.labels) == round(n * data.minival)
    assert known.n_train == len(held.train.labels) == n - known.n_val
    if name != "fractals":
        together = contents(held.train) + contents(held.val)
        assert sorted(together) == contents(whole.train)
        assert contents(load(data, tmp_path / "other").val) == contents(held.val)


def test_minival_needs_no_val_folder_and_a_share_that_leaves_images(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "set")
    shutil.rmtree(root / "val")
    assert facts(config("imagefolder", root, split="minival", minival=0.5)).n_val == 12
    with pytest.raises(InputError, match=r"data.minival=0.001: 0 of 24 training images"):
        facts(config("imagefolder", root, split="minival", minival=0.001))


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


def tar_of(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            (path.parent / "member").write_bytes(content)
            tar.add(path.parent / "member", name)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({"a.jpg": b"x"}, "sample 'a' needs one image"),
        ({"a.cls": b"1"}, "it has label"),
        ({"a.jpg": b"x", "a.cls": b"ant"}, "no shard that can be read"),
        ({"a.jpg": b"x", "a.cls": b"-1", "b.jpg": b"x", "b.cls": b"1"}, "classes count from 0"),
        ({"a.jpg": b"x", "a.cls": b"0"}, "at least two classes"),
        ({}, "train: the files hold no images"),
        ({"readme.txt": b"x"}, "needs one image"),
        (None, "no shard that can be read"),
    ],
)
def test_wrong_shards_are_refused(
    tmp_path: Path, members: dict[str, bytes] | None, said: str
) -> None:
    path = tmp_path / "train-0.tar"
    if members is None:
        path.write_bytes(b"no tar file at all" * 100)
    else:
        tar_of(path, members)
    shutil.copy(path, tmp_path / "val-0.tar")
    with pytest.raises(InputError) as raised:
        facts(config("webdataset", tmp_path))
    assert said in str(raised.value)


def test_a_shard_that_is_not_whole_is_refused_wherever_it_breaks_off(tmp_path: Path) -> None:
    data = config("webdataset", write_shards(tmp_path / "set"))
    path = tmp_path / "set/train-001.tar"
    whole = path.read_bytes()
    with tarfile.open(path) as tar:
        members = tar.getmembers()
        end = tar.offset
    headers = [member.offset for member in members[1:]]
    places = [0, 100, *headers, *(place + 300 for place in headers), end - 1, end, end + 511]
    for place in places:
        path.write_bytes(whole[:place])
        with pytest.raises(InputError, match=r"train-001.tar: no shard that can be read"):
            facts(data)
    damaged = bytearray(whole)
    damaged[headers[3] : headers[3] + 512] = b"x" * 512
    for content in (bytes(damaged), whole + whole):
        path.write_bytes(content)
        with pytest.raises(InputError, match=r"damaged at byte \d+, or shards that were joined"):
            facts(data)
    for content in (whole[: end + 512], whole + bytes(50_000)):
        path.write_bytes(content)
        assert facts(data).n_train == 24


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("/abs/train-*.tar", "data.train=/abs/train-*.tar: must be a pattern below data.root"),
        ("**.tar", "data.train=**.tar: must be a pattern below data.root"),
        ("train-{001..000}.tar", "a range counts upwards, as in {000..127}"),
        ("lin*.tar", "link.tar: cannot be read (No such file or directory)"),
        ("folder.tar", "folder.tar: no shard that can be read"),
    ],
)
def test_a_pattern_that_names_no_shards_is_refused(tmp_path: Path, pattern: str, said: str) -> None:
    root = write_shards(tmp_path / "set")
    (root / "link.tar").symlink_to("nowhere.tar")
    (root / "folder.tar").mkdir()
    with pytest.raises(InputError) as raised:
        facts(config("webdataset", root, train=pattern))
    assert said in str(raised.value)


def test_a_shard_that_two_numbers_of_a_range_find_counts_once(tmp_path: Path) -> None:
    root = write_shards(tmp_path / "set")
    assert facts(config("webdataset", root, train="train-*{0..1}*.tar")).n_train == 24


def test_a_missing_shard_of_a_range_is_named(tmp_path: Path) -> None:
    write_shards(tmp_path)
    with pytest.raises(InputError, match=r"there is no train-002.tar"):
        facts(config("webdataset", tmp_path, train="train-{000..002}.tar"))
    with pytest.raises(InputError, match=r"data.train=train-\*.tar.gz: must name .tar files"):
        config("webdataset", tmp_path, train="train-*.tar.gz")
    assert expand("a-{08..10}.tar") == ["a-08.tar", "a-09.tar", "a-10.tar"]
    assert expand("{0..1}-{0..1}") == ["0-0", "0-1", "1-0", "1-1"]


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ({"picture": [{"bytes": b"x"}] * 2, "label": [0, 1]}, "it has picture.bytes, label"),
        ({"image": [b"x", b"x"], "label": [0, 1]}, "a struct with bytes"),
        ({"image": [{"bytes": b"x"}] * 2, "label": ["a", "b"]}, "not class numbers"),
        ({"image": [{"bytes": b"x"}] * 2, "label": [0, None]}, "1 rows of label are empty"),
        ({"image": [{"bytes": b"x"}] * 2, "label": [-1, 1]}, "classes count from 0"),
        (
            {
                "image": pa.array([], pa.struct({"bytes": pa.binary()})),
                "label": pa.array([], "int64"),
            },
            "train: the files hold no images",
        ),
        (None, "no Parquet file that can be read"),
    ],
)
def test_wrong_parquet_is_refused(
    tmp_path: Path, table: dict[str, list[object]] | None, said: str
) -> None:
    for part in ("train", "validation"):
        path = tmp_path / f"{part}-0.parquet"
        if table is None:
            path.write_bytes(b"PAR1 torn")
        else:
            pq.write_table(pa.table(table), path)
    with pytest.raises(InputError) as raised:
        facts(config("parquet", tmp_path))
    assert said in str(raised.value)


def test_a_kept_listing_is_of_the_columns_that_it_was_made_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [{"bytes": b"x"}] * 4
    for part in ("train", "validation"):
        table = pa.table({"image": images, "label": [0, 1, 0, 1], "coarse": [0, 0, 1, 2]})
        pq.write_table(table, tmp_path / f"{part}-0.parquet")
    monkeypatch.setattr(data_sets, "_listings", [tmp_path / "cache"])
    assert facts(config("parquet", tmp_path)).n_classes == 2
    assert facts(config("parquet", tmp_path, label_column="coarse")).n_classes == 3
    with pytest.raises(InputError, match=r"needs the columns photo \(a struct with bytes\)"):
        facts(config("parquet", tmp_path, image_column="photo"))


def test_parquet_sorted_by_class_is_refused_where_not_all_is_mixed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = encoded(picture(0, 0))
    for part in ("train", "validation"):
        rows = {"image": [{"bytes": content}] * 40, "label": sorted([0, 1, 2, 3] * 10)}
        pq.write_table(pa.table(rows), tmp_path / f"{part}-0.parquet", row_group_size=5)
    assert facts(config("parquet", tmp_path)).n_train == 40
    monkeypatch.setattr(parquet, "WINDOW_BYTES", 20_000)
    with pytest.raises(InputError, match="sorted by class"):
        facts(config("parquet", tmp_path))


def test_parquet_holds_no_more_row_groups_than_its_window(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = config("parquet", WRITERS["parquet"](tmp_path / "set"))
    train = encoded_part(load(data, tmp_path / "cache").train)
    size = int(train.source.columns["group_bytes"].max())  # type: ignore[attr-defined]
    monkeypatch.setattr(parquet, "WINDOW_BYTES", 3 * size)
    for number in range(24):
        train.source.read(number)
        kept = train.source._kept.values()  # type: ignore[attr-defined]
        assert sum(group.nbytes for group in kept) <= 3 * size
    assert len(kept) < 6  # of as many row groups


def test_classes_that_training_never_shows_are_refused() -> None:
    labels = {"train": np.array([0, 1, 3]), "val": np.array([0, 2])}
    with pytest.raises(InputError, match="val: class 2 is not among the training images"):
        index._sizes(labels)


# Decoding. A picture with a corner of its own colour tells which way is up.
def marked(width: int = 64, height: int = 48) -> Image.Image:
    image = Image.new("RGB", (width, height), (200, 40, 40))
    image.paste((20, 20, 220), (0, 0, width // 2, height // 2))
    return image


def whole(width: int, height: int) -> tuple[float, float, float, float]:
    return 0, 0, width, height


def quadrants(content: bytes) -> list[str]:
    """Colours of the quarters of the whole image, row by row."""
    pixels = crop(content, 16, whole).astype(int)
    means = [pixels[y : y + 4, x : x + 4].mean((0, 1)) for y in (2, 10) for x in (2, 10)]
    return ["rgb"[int(mean.argmax())] for mean in means]


UPRIGHT = ["b", "r", "r", "r"]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK", "P", "RGBA", "LA", "1"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_every_mode_becomes_rgb(kind: str, mode: str) -> None:
    if (kind == "JPEG" and mode in ("P", "RGBA", "LA", "1")) or (kind == "PNG" and mode == "CMYK"):
        pytest.skip("the format has no such mode")
    content = encoded(marked().convert(mode), kind, **({"quality": 95} if kind == "JPEG" else {}))
    pixels = crop(content, 16, whole)
    assert (pixels.shape, pixels.dtype) == ((16, 16, 3), np.uint8)
    expected = np.asarray(marked().convert(mode).convert("RGB").resize((16, 16)))
    if mode != "1":
        inner = np.s_[2:6, 2:6]
        assert np.abs(pixels[inner].astype(int) - expected[inner]).max() <= 6
    if mode in ("RGB", "CMYK", "P", "RGBA"):
        assert quadrants(content) == UPRIGHT


def test_sixteen_bits_keep_their_range() -> None:
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)
    content = encoded(Image.fromarray(np.tile(ramp, (64, 1))), "PNG")
    pixels = crop(content, 64, whole)[32, :, 0].astype(int)
    assert np.abs(pixels - (ramp >> 8)).max() <= 1


def test_what_is_transparent_is_white() -> None:
    image = Image.new("RGBA", (20, 20), (200, 0, 0, 0))
    image.paste((0, 0, 200, 255), (0, 0, 10, 20))
    pixels = crop(encoded(image, "PNG"), 20, whole)
    assert pixels[10, 2].tolist() == [0, 0, 200]
    assert pixels[10, 17].tolist() == [255, 255, 255]
    palette = image.convert("RGB").convert("P")
    blue = palette.getpixel((2, 2))
    assert isinstance(blue, int)
    shown = crop(encoded(palette, "PNG", transparency=blue), 20, whole)
    assert shown[10, 2].tolist() == [255, 255, 255]


# How stored pixels are turned to stand upright, by EXIF's orientation.
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_images_stand_upright_whatever_exif_says(kind: str, orientation: int) -> None:
    inverse = {
        Image.Transpose.ROTATE_90: Image.Transpose.ROTATE_270,
        Image.Transpose.ROTATE_270: Image.Transpose.ROTATE_90,
    }
    stored = marked()
    if (turn := TURNS.get(orientation)) is not None:
        stored = stored.transpose(inverse.get(turn, turn))
    exif = Image.Exif()
    exif[decode.ORIENTATION] = orientation
    content = encoded(stored, kind, exif=exif)
    assert quadrants(content) == UPRIGHT
    sizes = []
    crop(content, 16, lambda width, height: sizes.append((width, height)) or (0, 0, 8, 8))
    assert sizes == [(64, 48)]


def test_random_crops_decode_no_finer_than_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    content = encoded(marked(800, 600), quality=95)
    shapes = []
    original = simplejpeg.decode_jpeg

    def noted(*arguments: Any, **options: Any) -> Any:
        pixels = original(*arguments, **options)
        shapes.append(pixels.shape)
        return pixels

    monkeypatch.setattr(simplejpeg, "decode_jpeg", noted)
    coarse = crop(content, 64, lambda width, height: (100, 100, 500, 500))
    fine = crop(content, 500, lambda width, height: (100, 100, 500, 500))
    crop(content, 16, None)  # evaluation decodes in full
    assert shapes == [(150, 200, 3), (600, 800, 3), (600, 800, 3)]
    blurred = np.asarray(Image.fromarray(fine).resize((64, 64), Image.Resampling.BOX))
    assert np.abs(coarse.astype(int) - blurred).mean() < 3


def test_evaluation_is_the_centre_resized_bicubically() -> None:
    image = picture(1, 2, 200, 160)
    expected = image.crop((30, 10, 170, 150)).resize((48, 48), Image.Resampling.BICUBIC)
    shown = crop(encoded(image, "PNG"), 48, None)
    # PIL's filter reaches across the border of a box, and not of a cropped image.
    assert np.abs(shown[3:-3, 3:-3].astype(int) - np.asarray(expected)[3:-3, 3:-3]).max() <= 1


GOOD = encoded(marked(), quality=95)
DAMAGED = {
    "empty": b"",
    "text": b"<html>404</html>",
    "header alone": GOOD[:100],
    "half": GOOD[: len(GOOD) // 2],
    "half a CMYK": (lambda c: c[: len(c) // 2])(encoded(marked().convert("CMYK"))),
    "half a PNG": (lambda c: c[: len(c) // 2])(encoded(picture(0, 0), "PNG")),
    "torn PNG chunk": encoded(picture(0, 0), "PNG").replace(b"IDAT", b"IDAX"),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
def test_damaged_bytes_are_one_kind_of_error(content: bytes) -> None:
    with pytest.raises(CorruptImageError, match=r"\w"):
        crop(content, 16, None)


def test_stray_bytes_do_not_lose_an_image() -> None:
    stray = GOOD[:-2] + b"\0\0\0" + GOOD[-2:]
    with pytest.raises(ValueError, match="extraneous bytes"):
        simplejpeg.decode_jpeg(stray)
    assert quadrants(stray) == UPRIGHT
