"""Batches: which images they show, in which order, on any rank, with any worker."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.file_batches import RANDOM, data_of, files_run, shown
from helpers.photos import WRITERS, write_folders
from helpers.tiny import tiny
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.data.splits import Encoded
from scaling_study.training.input_pipeline import batches as module
from scaling_study.training.input_pipeline.batches import (
    epoch_order,
)
from scaling_study.training.input_pipeline.moves import Moves
from scaling_study.training.loop import train


def kinds(tmp_path: Path) -> dict[str, RunConfig]:
    runs = {name: files_run(name, WRITERS[name](tmp_path / name)) for name in WRITERS}
    changes = {f"data.{key}": value for key, value in RANDOM.items()}
    return runs | {
        "plain arrays": tiny(**{"train.batch_size": 8}),
        "arrays": tiny(**{"train.batch_size": 8}, **changes),
        "rendered": tiny(**{"train.batch_size": 8, "data.fresh": True}),
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


def test_flips_alone_are_those_that_a_shift_would_have_with_them() -> None:
    """Without a shift images are not gathered pixel by pixel; the numbers drawn stay the same."""
    pixels = torch.randint(0, 256, (64, 6, 6, 3), dtype=torch.uint8)
    before = pixels.clone()
    still = Moves.draw(64, tiny(**{"data.shift": 0.0}).data, torch.Generator().manual_seed(3))
    drawn = torch.rand(64, 1, generator=torch.Generator().manual_seed(3)) < 0.5
    for images in (pixels, pixels[..., 0]):
        moved = still.apply(images, 0)
        for one, image, flip in zip(moved, images, drawn[:, 0], strict=True):
            assert torch.equal(one, image.flip(1) if flip else image)
        assert torch.equal(
            torch.cat([still.apply(images[:20], 0), still.apply(images[20:], 20)]), moved
        )
    assert 0 < int(drawn.sum()) < 64
    assert torch.equal(pixels, before)


def test_every_epoch_shows_every_image_once(tmp_path: Path) -> None:
    data = data_of(tiny(**{"data.shift": 0.0, "data.flip": False}), tmp_path)
    epochs = []
    for epoch in range(2):
        images = [image for batch, _ in data.batches(8 * epoch, 8 * epoch + 8) for image in batch]
        epochs.append([image.numpy().tobytes() for image in images])
    assert sorted(epochs[0]) == sorted(epochs[1])
    assert epochs[0] != epochs[1]


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize("name", [*WRITERS, "rendered"])
def test_workers_change_nothing(name: str, tmp_path: Path) -> None:
    run = kinds(tmp_path)[name]
    alone, helped = data_of(run, tmp_path), data_of(run, tmp_path, workers=2)
    assert shown(helped.batches(1, 5)) == shown(alone.batches(1, 5))
    assert shown(helped.evaluation("val")) == shown(alone.evaluation("val"))


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


@pytest.mark.slow
@pytest.mark.parametrize("name", WRITERS)
def test_a_run_trains_on_files(name: str, execution: ExecutionConfig, tmp_path: Path) -> None:
    run = files_run(name, WRITERS[name](tmp_path / "set", 12, 4), randaugment_layers=0)
    run = replace(run, train=replace(run.train, epochs=6))
    measured = train(run, tmp_path, replace(execution, cache_dir=str(tmp_path / "cache")))
    assert measured["status"] == "ok"
    assert measured["train_error"] < 0.5  # chance is 2/3
    assert measured["corrupt_images"] == 0
