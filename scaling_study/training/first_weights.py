"""First weights of a run that does not draw them: from a file, or from another run."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_study.common.errors import InputError
from scaling_study.config.run import RunConfig
from scaling_study.models import timm_weights
from scaling_study.models.family import ModelConfig
from scaling_study.models.initial_weights import InitialWeights, ParentRun
from scaling_study.models.state_files import UNREADABLE, differences
from scaling_study.study.result import read_result

if TYPE_CHECKING:
    from torch import Tensor, nn

# What of a run's checkpoint a child starts from.
AVERAGED = "ema"


def load(module: nn.Module, run: RunConfig, results_dir: Path) -> None:
    """Copy the first weights into `module`, which is the run's network.

    Those of a run are its averaged ones, by our own names; a classifier for another number of
    classes stays as it was drawn, with a line in the log. InputError as `check` has, or as
    `timm_weights.load`.
    """
    if isinstance(run.init, InitialWeights):
        timm_weights.load(module, run.model, run.init)
        return
    assert run.init is not None
    found = dict(module.state_dict())
    stored, wanted, drawn = _match(found, run, run.init, results_dir)
    if drawn:
        print(f"{run.init.run} has another number of classes: the classifier is drawn anew")
    for key, tensor in wanted.items():
        tensor.copy_(stored[key])


def check(run: RunConfig, results_dir: Path) -> None:
    """Raise an InputError unless `load` can work.

    A parent must have finished, have its checkpoint, and be of the same network but for the number
    of classes.
    """
    if isinstance(run.init, InitialWeights):
        timm_weights.check(run.model, run.init)
    elif run.init is not None:
        _match(dict(_shapes(run, 1)), run, run.init, results_dir)


def check_fits(run: RunConfig, parent: RunConfig) -> None:
    """Raise an InputError unless the run's network can start from the weights of `parent`'s."""
    stored, wanted = (_shapes(one, 1) for one in (parent, run))
    if text := differences(dict(stored), dict(wanted)):
        raise InputError(f"init={run.init}: it is of another network: {text}")


def _shapes(run: RunConfig, outputs: int) -> Mapping[str, Tensor]:
    """The tensors of the run's network for so many outputs, without numbers."""
    return _tensors(run.model, outputs, run.data.resolution)


@cache
def _tensors(model: ModelConfig, outputs: int, resolution: int) -> Mapping[str, Tensor]:
    from scaling_study.models.modules import module_for
    from scaling_study.models.shapes_alone import shapes_alone

    with shapes_alone():
        return module_for(model, outputs, resolution).state_dict()


def _match(
    wanted: dict[str, Tensor], run: RunConfig, init: ParentRun, results_dir: Path
) -> tuple[dict[str, Tensor], dict[str, Tensor], bool]:
    """The parent's tensors, the module's to copy them to, and whether the classifier is drawn."""
    stored = averaged(init, f"init=run:{init.run}", results_dir)
    one, two = (_shapes(run, outputs) for outputs in (1, 2))
    # The classifier, in any family, is what changes its shape with the number of outputs.
    classifier = {key for key in one if one[key].shape != two[key].shape}
    shared = classifier & stored.keys() & wanted.keys()
    if drawn := any(stored[key].shape != wanted[key].shape for key in shared):
        for key in classifier:
            wanted.pop(key)
            stored.pop(key, None)
    if text := differences(stored, wanted):
        raise InputError(f"init=run:{init.run}: it is of another network: {text}")
    return stored, wanted, drawn


def averaged(parent: ParentRun, name: str, results_dir: Path) -> dict[str, Tensor]:
    """The averaged weights of a finished run; nothing in its checkpoint is executed.

    InputError, which begins with `name`, if it has none that can be read.
    """
    import torch

    run_dir = results_dir / "runs" / parent.run
    try:
        status = read_result(run_dir / "result.json").status
    except (OSError, ValueError):
        there = "no result that can be read" if run_dir.is_dir() else "no such run"
        raise InputError(f"{name}: {there} in {run_dir.parent}; train that run first") from None
    if status != "ok":
        raise InputError(f"{name}: that run is {status}; give one that is ok")
    file = run_dir / "checkpoint.pt"
    try:
        state = torch.load(file, map_location="cpu", weights_only=True)
        stored = state[AVERAGED] if state["run_id"] == parent.run else None
    except FileNotFoundError:
        advice = "train it with checkpoint.keep=final, into another results_dir if need be"
        raise InputError(f"{name}: its checkpoint was not kept; {advice}") from None
    except Exception as error:  # damaged bytes can raise anything
        raise InputError(f"{name}: {file} {UNREADABLE} ({type(error).__name__})") from None
    if not isinstance(stored, dict):
        raise InputError(f"{name}: {file} is that of another run")
    return dict(stored)
