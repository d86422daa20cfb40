"""Shards that are wrong, and patterns that name shards."""

import shutil
import tarfile
from pathlib import Path

import pytest

from helpers.data_parts import facts
from helpers.data_settings import config
from helpers.photos import write_shards
from scaling_study.common.errors import InputError
from scaling_study.data.sets.webdataset import expand


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
        ({"a.jpg": b"x", "a.cls": b"ant"}, "a.cls holds 'ant'"),
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
