"""Batches: the same for every number of workers, ranks and restarts, whatever they are made of."""

import json
import os
import tracemalloc
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.commands import Command
from helpers.data_settings import config
from helpers.photos import CLASSES, WRITERS, encoded, picture, write_folders, write_parquet
from helpers.tiny import tiny
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.data import load
from scaling_study.data.splits import Encoded, Images
from scaling_study.launch.job import Job
from scaling_study.launch.local import pool
from scaling_study.launch.outcome import Outcome
from scaling_study.launch.slots import cpu_slots
from scaling_study.training.input_pipeline import batches as module
from scaling_study.training.input_pipeline import loader
from scaling_study.training.input_pipeline.batches import (
    TrainingData,
    epoch_order,
    normalisation,
    to_input,
)
from scaling_study.training.input_pipeline.corrupt_images import CorruptImages
from scaling_study.training.input_pipeline.loader import stream
from scaling_study.training.input_pipeline.make_batch import BatchSpec, Moves
from scaling_study.training.loop import train

RANDOM = {"flip": True, "shift": 0.1, "crop": "random_resized", "randaugment_layers": 2}


def files_run(name: str, root: Path, **changes: Any) -> RunConfig:
    run = tiny(**{"train.batch_size": 8})
    return replace(run, data=config(name, root, **(RANDOM | changes)))


def data_of(run: RunConfig, tmp_path: Path, workers: int = 0) -> TrainingData:
    corrupt = CorruptImages(tmp_path, fail=getattr(run.data, "corrupt", "skip") == "fail")
    return TrainingData(run, load(run.data, tmp_path / "cache"), corrupt, workers)


def shown(batches: Any) -> list[tuple[bytes, list[int]]]:
    return [(p.contiguous().numpy().tobytes(), labels.tolist()) for p, labels in batches]


def kinds(tmp_path: Path) -> dict[str, RunConfig]:
    runs = {name: files_run(name, WRITERS[name](tmp_path / name)) for name in WRITERS}
    changes = {f"data.{key}": value for key, value in RANDOM.items()}
    return runs | {
        "plain arrays": tiny(**{"train.batch_size": 8}),
        "arrays": tiny(**{"train.batch_size": 8}, **changes),
    }


def test_augmentation_is_a_flip_and_a_shift_filled_with_black() -> None:
    data = tiny(**{"data.shift": 0.25, "data.resolution": 4}).data
    image = np.arange(1, 17, dtype=np.uint8).reshape(4, 4)
    moves = Moves.draw(500, data, torch.Generator().manual_seed(0))
    allowed = set()
    for source in (image, image[:, ::-1]):
        padded = np.pad(source, 1)
        for row in range(3):
            for column in range(3):
                allowed.add(padded[row : row + 4, column : column + 4].tobytes())
    grey = moves.apply(torch.from_numpy(image).expand(500, 4, 4), 0)
    assert {one.numpy().tobytes() for one in grey} == allowed
    colour = moves.apply(torch.from_numpy(image)[None, :, :, None].expand(500, 4, 4, 3), 0)
    assert torch.equal(colour, grey[..., None].expand(-1, -1, -1, 3))


def test_every_epoch_shows_every_image_once(tmp_path: Path) -> None:
    data = data_of(tiny(**{"data.shift": 0.0, "data.flip": False}), tmp_path)
    epochs = []
    for epoch in range(2):
        images = [image for batch, _ in data.batches(8 * epoch, 8 * epoch + 8) for image in batch]
        epochs.append([image.numpy().tobytes() for image in images])
    assert sorted(epochs[0]) == sorted(epochs[1])
    assert epochs[0] != epochs[1]


def test_any_start_and_any_ranks_give_the_same_images(tmp_path: Path) -> None:
    for name, run in kinds(tmp_path).items():
        data = data_of(run, tmp_path)
        whole = [(p.clone(), labels) for p, labels in data.batches(0, 6)]
        assert len(shown(whole)) == len(set(map(str, shown(whole)))) == 6, name
        resumed = data_of(run, tmp_path)
        assert shown(resumed.batches(4, 6)) == shown(whole[4:]), name
        for world in (2, 3):
            ranks = [data.batches(0, 6, rank, world) for rank in range(world)]
            for shares, (pixels, labels) in zip(zip(*ranks, strict=True), whole, strict=True):
                assert torch.equal(torch.cat([share[0] for share in shares]), pixels), name
                assert torch.equal(torch.cat([share[1] for share in shares]), labels), name


@pytest.mark.parametrize("name", WRITERS)
def test_workers_change_nothing(name: str, tmp_path: Path) -> None:
    run = files_run(name, WRITERS[name](tmp_path / "set"))
    alone, helped = data_of(run, tmp_path), data_of(run, tmp_path, workers=2)
    assert shown(helped.batches(1, 5)) == shown(alone.batches(1, 5))
    assert shown(helped.evaluation("val")) == shown(alone.evaluation("val"))


def parent_of_worker(task: BatchSpec) -> Any:
    return torch.tensor(os.getppid()), torch.tensor(0), []


class AsksParents(Job):
    """A run that notes its own pid, and the parent of its loader's worker."""

    def __call__(self) -> Outcome:
        tasks = iter([BatchSpec(0, 0, np.arange(1))])
        ((parent, _, _),) = stream(parent_of_worker, tasks, 1, cuda=False)
        note = self.store.run_dir(self.run.run_id) / "note"
        note.write_text(f"{int(parent)} {os.getpid()}", encoding="utf-8")
        self.write_failure("no training", "error")
        return self.outcome()


def test_workers_are_children_of_the_run_in_a_local_pool_too(execution: ExecutionConfig) -> None:
    # Children end with their parent; those of the pool's server would stay when a run is killed.
    job = AsksParents(tiny(), execution)
    (outcome,) = pool.launch([job], cpu_slots(1))
    assert outcome.error == "no training"
    parent, run = (job.store.run_dir(outcome.run_id) / "note").read_text().split()
    assert parent == run


def test_images_in_memory_start_no_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loader, "DataLoader", None)
    data = data_of(tiny(), tmp_path, workers=4)
    assert len(list(data.batches(0, 2))) == 2


def test_a_thread_gives_batches_in_order_its_error_and_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)
    tasks = [BatchSpec(step, 0, np.arange(2)) for step in range(20)]

    def make(task: BatchSpec) -> Any:
        if task.step == 15:
            raise ValueError("no more")
        return torch.tensor([task.step]), torch.tensor([0]), []

    ready = stream(make, iter(tasks), None, cuda=True)
    assert [int(next(ready)[0]) for _ in range(15)] == list(range(15))
    with pytest.raises(ValueError, match="no more"):
        next(ready)
    left = stream(make, iter(tasks), None, cuda=True)
    next(left)
    left.close()  # type: ignore[attr-defined]  # must not wait for tasks that nobody wants
    assert len(list(stream(make, iter(tasks[:3]), None, cuda=True))) == 3


def test_evaluation_shares_add_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "EVALUATION_BATCH", 5)
    for run in (tiny(), files_run("imagefolder", write_folders(tmp_path / "set"))):
        data = data_of(run, tmp_path)
        for split, n in (("val", data.info.n_val), ("train", data.info.n_train)):
            whole = shown(data.evaluation(split))
            assert sum(len(labels) for _, labels in whole) == n
            shares = [shown(data.evaluation(split, rank, 3)) for rank in range(3)]
            assert sorted(batch for share in shares for batch in share) == sorted(whole)
            assert whole == shown(data_of(run, tmp_path).evaluation(split))
    monkeypatch.setattr(module, "MAX_TRAIN_IMAGES", 7)
    assert sum(len(labels) for _, labels in data.evaluation("train")) == 7


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(0, 9), min_size=1, max_size=12),
    mixed=st.integers(1, 5),
    seed=st.integers(0, 99),
)
def test_groups_that_are_read_together_stay_in_one_window(
    sizes: list[int], mixed: int, seed: int
) -> None:
    groups = np.repeat(np.arange(len(sizes)), sizes)
    n = len(groups)
    if not n:
        return
    part = Encoded(None, np.zeros(n, np.int64), np.arange(n), groups, mixed)  # type: ignore[arg-type]
    order = epoch_order(part, torch.Generator().manual_seed(seed))
    assert sorted(order) == list(range(n))
    first, last = {}, {}
    for place, group in enumerate(groups[order].tolist()):
        first.setdefault(group, place)
        last[group] = place
    for place in range(n):
        assert sum(first[g] <= place <= last[g] for g in first) <= mixed


def test_normalisation_is_per_channel() -> None:
    pixels = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    mean, std = torch.tensor([1.0, 2.0, 3.0]), torch.tensor([4.0, 5.0, 6.0])
    images = to_input(pixels, mean[:, None, None], std[:, None, None])
    for c in range(3):
        torch.testing.assert_close(images[:, c], (pixels[:, c].float() - mean[c]) / std[c])
    grey = to_input(pixels[:, :1], mean[:1, None, None], std[:1, None, None])
    assert torch.equal(grey, images[:, :1].expand(-1, 3, -1, -1))


@pytest.mark.parametrize("shape", [(300, 32, 32, 3), (300, 40, 40), (1, 1, 1), (2, 1, 1, 3)])
@pytest.mark.parametrize("levels", [(0, 256), (0, 2), (250, 256), (7, 8)])
def test_mean_and_deviation_are_those_in_float64(
    shape: tuple[int, ...], levels: tuple[int, int]
) -> None:
    pixels = np.random.default_rng(0).integers(*levels, shape, dtype=np.uint8)
    mean, std = normalisation(Images(pixels, np.zeros(len(pixels), np.int64)))
    exact = pixels.reshape(-1, 1 if len(shape) == 3 else 3).astype(np.float64)
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-14)
    np.testing.assert_allclose(std, np.maximum(exact.std(0), 1), rtol=1e-12)
    assert np.array_equal(np.float32(mean), exact.mean(0).astype(np.float32))


def test_mean_and_deviation_take_little_memory() -> None:
    images = Images(np.zeros((2000, 64, 64, 3), np.uint8), np.zeros(2000, np.int64))
    tracemalloc.start()
    try:
        normalisation(images)
        assert tracemalloc.get_traced_memory()[1] < images.pixels.nbytes / 4
    finally:
        tracemalloc.stop()


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


@pytest.mark.parametrize("name", WRITERS)
def test_a_run_trains_on_files(name: str, execution: ExecutionConfig, tmp_path: Path) -> None:
    run = files_run(name, WRITERS[name](tmp_path / "set", 12, 4), randaugment_layers=0)
    run = replace(run, train=replace(run.train, epochs=6))
    measured = train(run, tmp_path, replace(execution, cache_dir=str(tmp_path / "cache")))
    assert measured["status"] == "ok"
    assert measured["train_error"] < 0.5  # chance is 2/3
    assert measured["corrupt_images"] == 0


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
