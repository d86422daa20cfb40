"""What a person is told of the images of a plan: their place on disk, their speed, who waited."""

import statistics
from collections.abc import Iterable, Sequence
from math import ceil
from operator import itemgetter

from scaling_study.common.format import engineering
from scaling_study.config.execution import ExecutionConfig
from scaling_study.data import data_info
from scaling_study.data.base import MINIVAL
from scaling_study.data.storage.stored_images import stored_bytes
from scaling_study.planning.plan import Planned
from scaling_study.study.result import Result


def stored(rows: Sequence[Planned], execution: ExecutionConfig) -> list[str]:
    """What training images that are kept decoded take on a disk, once for all runs."""
    folder, found = execution.images_dir or execution.cache_dir, {}
    for data in dict.fromkeys(row.run.data for row in rows):
        if side := getattr(data, "stored_side", 0):
            info = data_info(data)
            images = info.n_train + (info.n_val if data.split == MINIVAL else 0)
            found[data.name, getattr(data, "root", ""), side] = images
    return [
        f"stored images: {engineering(stored_bytes(images, side))}B in {folder}, {images:,} images "
        f"of {engineering(stored_bytes(1, side))}B (data.stored_side={side})"
        for (_, _, side), images in found.items()
    ]


def loader(rows: Sequence[Planned], results: Iterable[Result | None]) -> list[str]:
    """What the fastest of these networks asks of the loader of each GPU, and what a core gives.

    That is what finished runs measured, of the same images at the same side.
    """
    speeds = [
        (row.run.train.batch_size / (row.processes * row.step.value), row.run)
        for row in rows
        if row.run.device == "cuda" and row.step is not None
    ]
    if not speeds:
        return []
    asked, run = max(speeds, key=itemgetter(0))
    images = run.data.name, run.data.resolution
    rates = [
        rate
        for result in results
        if result is not None and (result.data, result.resolution) == images
        if (rate := result.core_images_per_s) is not None
    ]
    text = "`python benchmarks/data.py` measures what one core decodes"
    if rates:
        core, runs = statistics.median(rates), f"{len(rates)} finished runs"
        text = f"one core made {core:,.0f} in {runs}, so it takes {ceil(asked / core)}"
    return [f"loader: up to {asked:,.0f} images/s for each GPU; {text}"]


def bound_by_data(results: Iterable[Result | None]) -> list[str]:
    """How many of these runs waited for images, and how many workers the worst of them needs."""
    ended = [result for result in results if result is not None]
    if not (needed := [result.workers_needed for result in ended if result.workers_needed]):
        return []
    return [
        f"{len(needed)} of {len(ended)} runs waited for images (bound: data): "
        f"loader.workers={max(needed)}, with as many cores for each process, would end that"
    ]
