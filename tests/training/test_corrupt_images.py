"""Corrupt images: left out and counted, or an error if so asked."""

import json
import os
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from helpers.commands import Command
from helpers.file_batches import data_of, files_run, shown
from helpers.photos import CLASSES, encoded, picture, write_folders, write_parquet


def with_corrupt_images(root: Path) -> Path:
    """8 training images a class, two of all corrupt, and one of 12 evaluation images."""
    write_folders(root)
    for path in sorted(root.glob("train/bee/*"))[1:3]:
        path.write_bytes(path.read_bytes()[:200])
    next(root.glob("val/ant/*")).write_bytes(b"")
    return root


def test_corrupt_images_are_left_out_and_counted_once(tmp_path: Path) -> None:
    run = files_run("imagefolder", with_corrupt_images(tmp_path / "set"))
    data = data_of(run, tmp_path)
    assert [len(labels) for _, labels in data.batches(0, 6)] == [8] * 6
    assert data.corrupt_images == 2
    assert sum(len(labels) for _, labels in data.evaluation("val")) == 11
    assert data.corrupt_images == 3
    again = data_of(run, tmp_path, workers=2)  # another attempt at the same run
    assert again.corrupt_images == 3
    assert shown(again.batches(0, 6)) == shown(data.batches(0, 6))
    assert data.corrupt_images == 3


def test_files_that_cannot_be_read_are_left_out_and_counted(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "set")
    first = next(root.glob("train/ant/*"))
    first.unlink()
    first.symlink_to("nowhere.jpg")
    (root / "train/bee/folder.png").mkdir()
    os.mkfifo(root / "train/bee/pipe.png")
    run = files_run("imagefolder", root)
    data = data_of(run, tmp_path)
    assert data.info.n_train == 24  # neither the folder nor the pipe
    assert [len(labels) for _, labels in data.batches(0, 6)] == [8] * 6
    assert sum(len(labels) for _, labels in data.evaluation("train")) == 23
    assert (tmp_path / "corrupt.0.txt").read_text(encoding="utf-8") == f"{first}\n"
    failing = data_of(files_run("imagefolder", root, corrupt="fail"), tmp_path / "other")
    with pytest.raises(ValueError, match=r"corrupt image .*No such file or directory"):
        list(failing.batches(0, 6))


@pytest.mark.slow
def test_a_damaged_row_group_loses_its_own_images_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_parquet(tmp_path / "set", 400, 4, group_rows=300)
    path = root / "train-00000-of-00002.parquet"
    column = pq.ParquetFile(path).metadata.row_group(0).column(0)
    content = bytearray(path.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + column.total_compressed_size] = bytes(column.total_compressed_size)
    path.write_bytes(content)
    data = data_of(files_run("parquet", root), tmp_path)
    assert sum(len(labels) for _, labels in data.batches(0, data.steps_per_epoch)) == 1200
    assert sum(len(labels) for _, labels in data.evaluation("train")) == 900
    assert data.corrupt_images == 300
    said = capsys.readouterr().out
    assert f"corrupt image left out: {path} row group 0, image 7 of all (cannot be read: " in said


def test_ranks_count_corrupt_images_together(tmp_path: Path) -> None:
    run = files_run("imagefolder", with_corrupt_images(tmp_path / "set"))
    ranks = [data_of(run, tmp_path), data_of(run, tmp_path)]
    for rank, data in enumerate(ranks):
        list(data.batches(0, 3, rank, 2))
    assert [data.corrupt_images for data in ranks] == [2, 2]
    assert (tmp_path / "corrupt.0.txt").exists() or (tmp_path / "corrupt.1.txt").exists()


def test_a_run_can_fail_on_corrupt_images(tmp_path: Path) -> None:
    run = files_run("imagefolder", with_corrupt_images(tmp_path / "set"), corrupt="fail")
    with pytest.raises(ValueError, match=r"corrupt image .*bee.*data.corrupt=skip leaves"):
        list(data_of(run, tmp_path).batches(0, 6))


@pytest.mark.slow
def test_what_was_trained_without_corrupt_images_is_refused_where_they_are_to_fail(
    command_here: Command, tmp_path: Path
) -> None:
    root = with_corrupt_images(tmp_path / "set")
    settings = (
        *("data=imagefolder", f"data.root={root}", "data.resolution=32", "precision=fp32"),
        *("model.depth=14", "model.width=0.125", "train.epochs=1", "train.batch_size=8"),
        *("train.warmup_epochs=0", "loader.workers=0"),
    )
    train = ("scaling_study.train", *settings)
    grid = ("++grid.name=one", "++grid.axes={seed: [0]}", "dry_run=true")
    sweep = ("scaling_study.sweep", *grid, *settings)
    assert command_here(*train).returncode == 0
    for command in (train, sweep):
        assert command_here(*command).returncode == 0
        refused = command_here(*command, "data.corrupt=fail")
        assert refused.returncode == 2
        assert "has a result that left out 3 corrupt images; data.corrupt=skip" in refused.stderr
    # An attempt that left images out and has no result yet is not gone on with either.
    (path,) = tmp_path.glob("results/runs/*/result.json")
    path.unlink()
    failed = command_here(*train, "data.corrupt=fail")
    assert failed.returncode == 1
    assert "an earlier attempt left out 3 corrupt images" in failed.stderr


def test_a_set_of_nothing_but_corrupt_images_ends(tmp_path: Path) -> None:
    root = write_folders(tmp_path / "set")
    for path in root.glob("train/*/*"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match="corrupt images in a row"):
        list(data_of(files_run("imagefolder", root), tmp_path).batches(0, 1))


@pytest.mark.slow
def test_the_command_trains_on_a_folder_with_corrupt_images(
    command: Command, tmp_path: Path
) -> None:
    root = with_corrupt_images(tmp_path / "set")
    (root / "train/cow/extra.png").write_bytes(encoded(picture(2, 77), "PNG"))
    wanted = (
        *("data=imagefolder", f"data.root={root}", "data.resolution=32", "data.split=val"),
        *("model.depth=14", "model.width=0.125", "train.epochs=2", "train.batch_size=8"),
        *("train.warmup_epochs=0", "loader.workers=2", "data.randaugment_layers=1"),
    )
    done = command("scaling_study.train", *wanted)
    assert done.returncode == 0, done.stderr + done.stdout
    (path,) = (tmp_path / "results/runs").glob("*/result.json")
    result = json.loads(path.read_text(encoding="utf-8"))
    assert (result["corrupt_images"], result["n_train"], result["n_val"]) == (3, 25, 12)
    assert (result["data"], result["eval_split"], len(CLASSES)) == ("imagefolder", "val", 3)
