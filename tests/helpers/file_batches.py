"""Batches of a tiny run, also of encoded files."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from helpers.data_settings import config
from helpers.tiny import tiny
from scaling_study.config.run import RunConfig
from scaling_study.data import load
from scaling_study.data.storage.stored_images import StoredImages
from scaling_study.training.input_pipeline.batches import TrainingData
from scaling_study.training.input_pipeline.corrupt_images import CorruptImages

RANDOM = {"flip": True, "shift": 0.1, "crop": "random_resized", "randaugment_layers": 2}


def files_run(name: str, root: Path, **changes: Any) -> RunConfig:
    run = tiny(**{"train.batch_size": 8})
    return replace(run, data=config(name, root, **(RANDOM | changes)))


def data_of(
    run: RunConfig,
    tmp_path: Path,
    workers: int = 0,
    on_device: bool = False,
    store: StoredImages | None = None,
) -> TrainingData:
    corrupt = CorruptImages(tmp_path, fail=getattr(run.data, "corrupt", "skip") == "fail")
    splits = load(run.data, tmp_path / "cache")
    return TrainingData(run, splits, corrupt, workers, on_device=on_device, store=store)


def shown(batches: Any) -> list[tuple[bytes, list[int]]]:
    return [(p.contiguous().numpy().tobytes(), labels.tolist()) for p, labels in batches]
