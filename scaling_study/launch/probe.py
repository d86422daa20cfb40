"""A short probe: real training steps of a few cells, so that a first forecast is a measurement.

The cells that are probed span the plan's FLOPs and activations. A probe is a run of the trainer
with the cell's network, resolution, batch and precision on few rendered images; its step time is
kept in CACHE/probes.jsonl with the device's name, and is used until the shape is probed again.
"""

import math
import tempfile
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from scaling_study.common.paths import data_dir
from scaling_study.common.validation import from_values
from scaling_study.config.run import RunConfig
from scaling_study.config.teaching import without_parents
from scaling_study.cost.closed_form import describe
from scaling_study.cost.device_times import Times
from scaling_study.cost.step_law import Shape, features, kind_of
from scaling_study.cost.time_model import Timing, shape_of
from scaling_study.cost.timings import keep_probes
from scaling_study.data import data_info, data_set
from scaling_study.launch.outcome import Outcome
from scaling_study.study.store import Store

# As many shapes as the log-linear model needs, and two to judge it by.
PROBES = 6
# Epochs, and steps in each: few images are rendered, and seen again. A GPU is timed in windows,
# here of an epoch, the first of which does not count.
EPOCHS_AND_STEPS = {"cpu": (14, 1), "cuda": (20, 5)}
MOST_CLASSES = 64

# Trains runs, with results under the folder.
Launch = Callable[[Sequence[RunConfig], Path], Iterator[Outcome]]


def probe(
    runs: Sequence[RunConfig], known: Times, launch: Launch, cache_dir: Path
) -> Iterator[str]:
    """Probe those of `runs` that `choose` picks, keep their times, and report each in a line."""
    chosen = choose(runs, known)
    for run, found in measure(chosen, known, launch):
        if isinstance(found, str):
            yield f"probe of {run.run_id} failed: {found}"
        else:
            keep_probes(cache_dir, [found])
            yield f"probe of {run.run_id}: {found.step_time_s:.4g} s a step"
    if not chosen:
        yield "probe: finished runs have measured all that it would time"


def choose(runs: Sequence[RunConfig], times: Times) -> list[RunConfig]:
    """Cells to probe: at most PROBES shapes a device, far apart, less those that are measured.

    As many of networks without activations as of those with some.
    """
    groups = defaultdict[tuple[object, ...], dict[Shape, RunConfig]](dict)
    for run in (run for run in runs if run.program is None):
        shape = shape_of(describe(run))
        if (kind := kind_of(shape)) is not None:
            groups[(*times.conditions(run), kind)].setdefault(shape, run)
    chosen = []
    for shapes in groups.values():
        known = set(times.forecast(next(iter(shapes.values()))).by_shape)
        chosen += [shapes[shape] for shape in _far_apart(list(shapes)) if shape not in known]
    return chosen


def _far_apart(shapes: list[Shape]) -> list[Shape]:
    """The cheapest shape, then ever again the one furthest from those chosen, in logarithms."""
    where = {shape: features(shape) for shape in shapes}
    chosen = [min(shapes, key=lambda s: tuple(where[s]))]
    while len(chosen) < min(PROBES, len(shapes)):
        rest = [s for s in shapes if s not in chosen]
        chosen.append(max(rest, key=lambda s: min(math.dist(where[s], where[c]) for c in chosen)))
    return chosen


def measure(
    runs: Sequence[RunConfig], times: Times, launch: Launch
) -> Iterator[tuple[RunConfig, Timing | str]]:
    """Each run with its timing, or with why there is none."""
    short = {(probe := shortened(run)).run_id: (run, probe) for run in runs}
    with tempfile.TemporaryDirectory(prefix="probe-") as folder:
        store = Store(Path(folder))
        for outcome in launch([probe for _, probe in short.values()], Path(folder)):
            run, _ = short[outcome.run_id]
            result = store.result(outcome.run_id) if outcome.status != "failed" else None
            if result is None or result.step_time_s is None:
                yield run, outcome.error or f"the probe ended as {outcome.status}"
            else:
                # As one of `run`, which has the same network but for the classes. The probe's time
                # besides its steps is what any run takes to start and to end.
                timing, shape = Timing.of(vars(result)), shape_of(describe(run))
                assert timing is not None
                yield run, replace(timing, conditions=times.conditions(run), shape=shape)


def shortened(run: RunConfig) -> RunConfig:
    """`run` for a few steps on few rendered images of its size."""
    epochs, steps = EPOCHS_AND_STEPS[run.device]
    images = steps * run.train.batch_size
    classes = min(data_info(run.data).n_classes, MOST_CLASSES, images)
    few = {"classes": classes, "train_per_class": -(-images // classes), "val_per_class": 1}
    values = {**_rendered(), "resolution": run.data.resolution, **few}
    data = from_values(data_set("fractals").config, values, "data.")
    alone = without_parents(run)
    train = replace(alone.train, epochs=epochs, warmup_epochs=0.0)
    return replace(alone, data=data, train=train)


@cache
def _rendered() -> Mapping[str, Any]:
    """Settings of the data set that every machine has."""
    text = (data_dir("conf") / "data" / "fractals.yaml").read_text(encoding="utf-8")
    values: Mapping[str, Any] = yaml.safe_load(text)
    return values
