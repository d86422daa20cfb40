"""CIFAR from archives in the official format, downloaded from a real server or read from disk."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from helpers.cifar_archives import IMAGES, archive, records
from helpers.commands import Command
from helpers.data_settings import values
from helpers.file_server import Server, serving
from scaling_study.common.errors import InputError
from scaling_study.common.validation import from_values
from scaling_study.data import data_info, data_set, load, prepare
from scaling_study.data.sets import cifar
from scaling_study.data.sets.cifar import CifarConfig


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as address:
        yield address


@pytest.fixture(params=["cifar10", "cifar100"])
def name(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A data set whose official archive is a small one."""
    chosen = str(request.param)
    content = archive(chosen)
    md5 = hashlib.md5(content).hexdigest()
    small = replace(cifar.ARCHIVES[chosen], md5=md5, images=IMAGES)
    monkeypatch.setitem(cifar.ARCHIVES, chosen, small)
    Server.files["/archive"] = content
    return chosen


def config(name: str, root: Path, url: str, **changes: Any) -> CifarConfig:
    settings = values(name) | {"root": str(root), "url": url} | changes
    data = from_values(data_set(name).config, settings, "data.")
    assert isinstance(data, CifarConfig)
    return data


def test_sizes_are_known_before_anything_is_there(tmp_path: Path) -> None:
    for name, classes in (("cifar10", 10), ("cifar100", 100)):
        known = data_info(config(name, tmp_path / "none", "http://localhost:1"))
        assert (known.n_classes, known.n_train, known.n_val) == (classes, 50_000, 10_000)
        assert known.eval_split == "test"


def test_an_archive_is_downloaded_once_and_read(name: str, url: str, tmp_path: Path) -> None:
    data = config(name, tmp_path / "root", f"{url}/archive")
    Server.asked.clear()
    prepare(data, tmp_path / "cache")
    prepare(data, tmp_path / "cache")
    assert Server.asked == ["/archive"]
    train = load(data, tmp_path / "cache").train
    test = load(data, tmp_path / "cache").val
    for part, images in (("train", train), ("test", test)):
        pixels, labels = records(name, part)
        assert isinstance(images, cifar.Images)
        assert np.array_equal(images.pixels, pixels)
        assert images.labels.tolist() == labels.tolist()
    # The arrays are cached: neither the archive nor the server is needed any more.
    (tmp_path / "root" / cifar.ARCHIVES[name].file_name).unlink()
    assert len(load(data, tmp_path / "cache").val.labels) == 6
    assert Server.asked == ["/archive"]


def test_another_resolution_resizes(name: str, url: str, tmp_path: Path) -> None:
    data = config(name, tmp_path, f"{url}/archive", resolution=16)
    train = load(data, tmp_path).train
    assert isinstance(train, cifar.Images)
    first = Image.fromarray(records(name, "train")[0][0])
    expected = np.asarray(first.resize((16, 16), Image.Resampling.BICUBIC))
    assert np.array_equal(train.pixels[0], expected)


def test_an_archive_that_lies_there_needs_no_server(name: str, tmp_path: Path) -> None:
    (tmp_path / cifar.ARCHIVES[name].file_name).write_bytes(Server.files["/archive"])
    prepare(config(name, tmp_path, "http://localhost:1"), tmp_path)
    # The folder may be shared and read-only.
    assert [path.name for path in tmp_path.iterdir()] == [cifar.ARCHIVES[name].file_name]


@pytest.mark.parametrize("root", ["a file", "a file/below", "/proc/nope"])
def test_a_folder_that_cannot_be_is_one_clear_error(name: str, tmp_path: Path, root: str) -> None:
    (tmp_path / "a file").touch()
    with pytest.raises(InputError, match=r"cannot be used \(.*data\.root must be the folder"):
        prepare(config(name, tmp_path / root, "http://localhost:1"), tmp_path)


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/short/archive", "bytes with MD5"),
        ("/missing", "404"),
        ("/other", "expected"),
    ],
)
def test_a_failed_download_leaves_nothing(
    name: str, url: str, tmp_path: Path, path: str, said: str
) -> None:
    Server.files["/other"] = b"another file"
    with pytest.raises(InputError, match=r"data\.url") as raised:
        prepare(config(name, tmp_path / "root", url + path), tmp_path)
    assert said in str(raised.value)
    assert [p.suffix for p in (tmp_path / "root").iterdir()] == [".lock"]


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/none", "no address"])
def test_no_server_is_one_clear_error(name: str, tmp_path: Path, address: str) -> None:
    with pytest.raises(InputError, match="cannot be downloaded"):
        prepare(config(name, tmp_path, address), tmp_path)


def test_a_wrong_file_on_disk_is_refused_and_kept(name: str, url: str, tmp_path: Path) -> None:
    path = tmp_path / cifar.ARCHIVES[name].file_name
    path.write_bytes(b"something else")
    with pytest.raises(InputError, match="remove the file, and it is downloaded again"):
        prepare(config(name, tmp_path, f"{url}/archive"), tmp_path)
    assert path.read_bytes() == b"something else"


def test_an_archive_of_other_content_is_refused(name: str, tmp_path: Path) -> None:
    path, known = tmp_path / "archive", cifar.ARCHIVES[name]
    path.write_bytes(archive(name))
    with pytest.raises(InputError, match="bytes of test images, expected"):
        cifar.read(path, replace(known, images={"train": 15, "test": 7}), "test", 32)
    path.write_bytes(archive(name, labels_too_high=True))
    with pytest.raises(InputError, match="counted from 0"):
        cifar.read(path, known, "test", 32)
    path.write_bytes(archive("cifar100" if name == "cifar10" else "cifar10"))
    with pytest.raises(InputError, match="cannot be read as"):
        cifar.read(path, known, "test", 32)
    path.write_bytes(archive(name)[:300])
    with pytest.raises(InputError, match="cannot be read as"):
        cifar.read(path, known, "test", 32)


def test_where_the_archive_lies_is_not_part_of_a_run(tmp_path: Path) -> None:
    from helpers.tiny import tiny

    run = tiny()
    one = replace(run, data=config("cifar10", tmp_path, "http://one"))
    other = replace(run, data=config("cifar10", tmp_path / "other", "http://other"))
    finer = replace(run, data=config("cifar10", tmp_path, "http://one", resolution=64))
    assert one.run_id == other.run_id != finer.run_id


def test_the_command_says_why_it_cannot_download(command_here: Command, tmp_path: Path) -> None:
    overrides = ("data=cifar10", f"data.root={tmp_path}", "data.url=http://127.0.0.1:9/none")
    done = command_here("scaling_study.train", *overrides, "train.epochs=2")
    assert done.returncode == 2
    assert done.stderr.startswith("error: http://127.0.0.1:9/none: cannot be downloaded")
