"""Which depths, widths and image sides a model family has, as it declares them."""

import math
from collections.abc import Sequence
from dataclasses import replace

from scaling_study.config.run import RunConfig
from scaling_study.data import data_info
from scaling_study.models import family
from scaling_study.models.family import ModelConfig
from scaling_study.study.axes import AXES, REACH

# Ends of what is searched.
WIDEST, LARGEST_PX, MOST_EPOCHS = 16, 2048, 100_000


def legal_values(axis: str, model: ModelConfig, n_classes: int) -> Sequence[float]:
    """What an axis may be for networks like `model`, in rising order."""
    kind = family(model.family)
    if axis == "depth":
        return kind.depths(model)
    if axis == "width":
        step = kind.width_step
        first = math.ceil(kind.smallest_width(model) / step - 1e-9)
        return [kind.nth_width(n) for n in range(first, round(WIDEST / step) + 1)]
    if axis == "resolution":
        stride = kind.image_step(model, n_classes)
        return range(stride, LARGEST_PX + 1, stride)
    return range(1, MOST_EPOCHS + 1)


def study_sizes(runs: Sequence[RunConfig]) -> dict[str, list[float]]:
    """Legal depths, widths and resolutions (px) of all models in `runs`, within REACH of theirs.

    Models that differ in other settings may have other sizes: only those that all have count. None
    are known of programs.
    """
    if any(run.program is not None for run in runs):
        return {}
    depth, width = runs[0].model.depth, runs[0].model.width
    models = {repr(replace(run.model, depth=depth, width=width)): run for run in runs}
    sizes = {}
    for axis in (axis for axis in AXES if axis.name in ("depth", "width", "resolution")):
        own = [axis.of(run) for run in runs]
        low, high = min(own) / REACH, max(own) * REACH
        legal = (
            legal_values(axis.name, run.model, data_info(run.data).n_classes)
            for run in models.values()
        )
        common = set.intersection(*map(set, legal))
        sizes[axis.name] = sorted(value for value in common if low <= value <= high)
    return sizes
