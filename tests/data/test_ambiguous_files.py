"""Image sets with files that stand for two things or for none: refused by name, or left alone."""

import os
import shutil
import struct
import tarfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from helpers.data_parts import facts
from helpers.data_settings import config
from helpers.file_batches import data_of, files_run
from helpers.photos import encoded, picture, write_folders, write_parquet, write_shards
from scaling_study.common.errors import InputError
from scaling_study.data.images.decode import CorruptImageError, crop
from scaling_study.training.input_pipeline.decoding import require_an_image

PHOTO = encoded(picture(0, 0))


def shards(root: Path, *members: tuple[str, bytes]) -> object:
    """A set whose training shard has these members too."""
    write_shards(root)
    with tarfile.open(root / "train-001.tar", "a") as tar:
        for name, content in members:
            (root / "member").write_bytes(content)
            tar.add(root / "member", name)
    return config("webdataset", root)


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("x.jpg", PHOTO), ("x.cls", b"0")] * 2, "train-001.tar: sample 'x' has two images"),
        ([("x.jpg", PHOTO), ("x.PNG", PHOTO), ("x.cls", b"0")], "sample 'x' has two images"),
        ([("x.jpg", PHOTO), ("x.cls", b"0"), ("x.CLS", b"1")], "sample 'x' has two labels"),
        ([("x.jpg", PHOTO), ("x.cls", b"cat0")], "x.cls holds 'cat0'; it must hold a class"),
        ([("x.jpg", PHOTO), ("x.cls", b"0.0")], "x.cls holds '0.0'; it must hold a class"),
        ([("x.jpg", PHOTO), ("x.cls", b"")], "x.cls holds ''; it must hold a class"),
        ([("x.jpg", PHOTO), ("x.cls", b"9" * 20)], "x.cls holds '9999"),
    ],
)
def test_a_sample_that_is_not_one_image_and_one_class_is_named(
    tmp_path: Path, members: list[tuple[str, bytes]], said: str
) -> None:
    with pytest.raises(InputError) as raised:
        facts(shards(tmp_path / "set", *members))  # type: ignore[arg-type]
    assert said in str(raised.value)


def test_members_that_are_no_samples_are_left_alone(tmp_path: Path) -> None:
    stray = ("._a.jpg", "./.DS_Store", "README", "__index__.json", "d/._b.cls", "d/LICENSE")
    data = shards(tmp_path / "set", *((name, b"x") for name in stray))
    assert facts(data).n_train == 24  # type: ignore[arg-type]
    more = shards(tmp_path / "more", ("d.1/x.JPG", PHOTO), ("d.1/x.CLS", b" 1\n"))
    assert facts(more).n_train == 25  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "lost", "said"),
    [
        (3, 1, "train-00001-of-00003.parquet is missing"),
        (3, 2, "train-00002-of-00003.parquet is missing"),
        (2, None, "files of two data sets, -of-00002 and -of-00003"),
    ],
)
def test_a_download_that_is_not_whole_is_refused(
    tmp_path: Path, made: int, lost: int | None, said: str
) -> None:
    write_parquet(tmp_path)
    source = tmp_path / "train-00000-of-00002.parquet"
    for number in range(3):
        shutil.copy(source, tmp_path / f"train-{number:05d}-of-00003.parquet")
    if made == 3:
        for path in tmp_path.glob("train-*-of-00002.parquet"):
            path.unlink()
    if lost is not None:
        (tmp_path / f"train-{lost:05d}-of-00003.parquet").unlink()
    with pytest.raises(InputError, match=said):
        facts(config("parquet", tmp_path))


def test_shards_that_are_counted_from_1_are_whole_too(tmp_path: Path) -> None:
    write_shards(tmp_path)
    for number in range(2):
        (tmp_path / f"train-{number:03d}.tar").rename(tmp_path / f"train-{number + 1}-of-2.tar")
    assert facts(config("webdataset", tmp_path, train="train-*.tar")).n_train == 24
    (tmp_path / "train-1-of-2.tar").unlink()
    with pytest.raises(InputError, match=r"train-1-of-2.tar is missing"):
        facts(config("webdataset", tmp_path, train="train-*.tar"))


def test_parquet_with_paths_instead_of_images_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path)
    rows = [{"bytes": None, "path": f"{n}.jpg"} for n in range(6)]
    table = pa.table({"image": rows, "label": [0, 1, 2] * 2})
    table = table.cast(
        pa.schema(
            [
                ("image", pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
                ("label", pa.int64()),
            ]
        )
    )
    pq.write_table(table, tmp_path / "train-00000-of-00002.parquet")
    with pytest.raises(InputError, match=r"00000-of-00002.parquet: its images have no bytes"):
        facts(config("parquet", tmp_path))


def test_an_empty_image_is_called_so_and_counted_once_around_the_set(tmp_path: Path) -> None:
    with pytest.raises(CorruptImageError, match="empty"):
        crop(b"", 8, None)
    root = write_folders(tmp_path / "set")
    for path in root.glob("*/*/*"):
        path.write_bytes(b"")
    data = data_of(files_run("imagefolder", root), tmp_path)
    with pytest.raises(ValueError, match=r"^24 corrupt images in a row: .*'empty'"):
        next(data.batches(0, 1))
    with pytest.raises(ValueError, match=r"^12 evaluation images are corrupt.*'empty'"):
        require_an_image(data._splits.val, 32)


@pytest.mark.parametrize("place", ["train/dog", "val/ant", "val"])
def test_a_folder_that_is_a_link_to_nothing_is_refused(tmp_path: Path, place: str) -> None:
    root = write_folders(tmp_path / "set")
    if (root / place).exists():
        shutil.rmtree(root / place)
    (root / place).symlink_to("nowhere")
    with pytest.raises(InputError, match=f"{place} is a link to nothing"):
        facts(config("imagefolder", root))


@pytest.mark.parametrize(
    "name", ["a\nb.jpg", "a\u2028b.jpg", "a\x85b.jpg", "a\rb.jpg", "\udcff.jpg"]
)
def test_corrupt_images_of_any_name_count_once(tmp_path: Path, name: str) -> None:
    root = write_folders(tmp_path / "set")
    path = os.fsencode(root / "train/bee") + b"/" + os.fsencode(name)
    Path(os.fsdecode(path)).write_bytes(b"x")
    run = files_run("imagefolder", root)
    for _ in range(2):  # the second attempt reads what the first has recorded
        data = data_of(run, tmp_path)
        assert sum(len(labels) for _, labels in data.evaluation("train")) == 24
        assert data.corrupt_images == 1


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_a_damaged_exif_block_does_no_harm(kind: str) -> None:
    image = Image.new("RGB", (32, 32), (200, 40, 40))
    exif = image.getexif()
    exif[0x0112] = 6
    whole = encoded(image, kind, exif=exif.tobytes())
    block = exif.tobytes().removeprefix(b"Exif\0\0")
    assert block in whole
    damaged = whole.replace(block, b"XX" + block[2:])
    if kind == "PNG":  # with the chunk's checksum mended, as whoever wrote it would
        import zlib

        at = damaged.index(b"eXIf")
        size = struct.unpack(">I", damaged[at - 4 : at])[0]
        checksum = struct.pack(">I", zlib.crc32(damaged[at : at + 4 + size]))
        damaged = damaged[: at + 4 + size] + checksum + damaged[at + 8 + size :]
    assert crop(damaged, 8, None).mean((0, 1)).argmax() == 0
