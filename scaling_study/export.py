"""python -m scaling_study.export RUN_DIR -o FILE: the weights of a run, and how to load them.

By timm's names where timm has a network that computes the same, else by our own.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_study.common.command_line import entry_point, parser, report
from scaling_study.common.errors import InputError
from scaling_study.common.reading import yaml_in
from scaling_study.config.run import RunConfig, stored_run
from scaling_study.models import timm_names, timm_weights
from scaling_study.models.family import ModelConfig
from scaling_study.models.state_files import differences, read_state, write_state

if TYPE_CHECKING:
    from torch import Tensor, nn

TIMM, OWN = "timm", "own"


@entry_point
def main(arguments: Sequence[str] | None = None) -> int:
    """Write the weights; 2 with one message for a run or a file that cannot be used."""
    asked = parser(
        "scaling_study.export",
        "Writes the weights of a trained run to a file, as a state dict: by timm's names where "
        "timm has such a network, else by our own. Prints the two lines of Python that load it.",
    )
    asked.add_argument("run_dir", type=Path, help="RESULTS/runs/RUN_ID")
    asked.add_argument(
        "-o", dest="out", type=Path, required=True, metavar="FILE", help=".safetensors or .pth"
    )
    choices, text = ("ema", "model"), "their average (ema, the default), or the last step (model)"
    asked.add_argument("--weights", choices=choices, default="ema", help=text)
    text = "by timm's names or by our own; default: timm's where they exist"
    asked.add_argument("--names", choices=(TIMM, OWN), help=text)
    options = asked.parse_args(arguments)
    try:
        names = export(options.run_dir, options.out, options.weights, options.names)
    except InputError as error:
        return report(str(error))
    whose = "timm's" if names == TIMM else "our own"
    print(f"wrote {options.out}, by {whose} names; in Python:")
    print("  from scaling_study.export import load")
    print(f"  network = load({str(options.out)!r}, {str(options.run_dir)!r})")
    return 0


def export(run_dir: Path, out: Path, weights: str, names: str | None = None) -> str:
    """Write the `ema` or the last (`model`) weights of the run in `run_dir` to `out`.

    Returns whose `names` they have: timm's unless timm has no network that computes the same, if
    none are asked for.
    Raises an InputError without a run with a checkpoint there, for timm's names of a network that
    timm does not have, or if `out` cannot be written.
    """
    run = _run_in(run_dir)
    if names is None:
        names = TIMM if _has_timm(run.model) and not timm_names.difference(run.model) else OWN
    if names == TIMM:
        timm_names.names(run.model)
    if out.suffix not in (".safetensors", ".pth"):
        raise InputError(f"-o {out}: must end in .safetensors or .pth")
    from scaling_study.training.checkpoint import Checkpoints

    if (state := Checkpoints(run_dir, every_s=0).load(run.run_id)) is None:
        raise InputError(
            f"{run_dir}: there is no checkpoint that can be read; runs keep theirs with "
            "checkpoint.keep=final"
        )
    own: Mapping[str, Tensor] = state[weights]
    write_state(timm_weights.renamed(own, run.model) if names == TIMM else own, out)
    return names


def load(file: str | Path, run_dir: str | Path) -> nn.Module:
    """The network that `export` wrote to `file`, in evaluation mode, from images to logits.

    It takes images (N, 3, side, side) as the run's were trained on. `run_dir` is the run's folder,
    or any with its config.yaml; its data need not be there. InputError if the file is of another
    network.
    """
    from scaling_study.models.modules import module_for

    run, stored = _run_in(Path(run_dir)), read_state(Path(file))
    module = module_for(run.model, _outputs(run, stored), run.data.resolution)
    tensors = _named(module, run.model, stored)
    if text := differences(stored, tensors):
        raise InputError(f"{file} is not the network of {run_dir}: {text}")
    for key, tensor in tensors.items():
        tensor.copy_(stored[key])
    return module.eval()


def _outputs(run: RunConfig, stored: Mapping[str, Tensor]) -> int:
    """How many outputs the network in a file has, without its data set: by what they change."""
    from scaling_study.models.modules import module_for
    from scaling_study.models.shapes_alone import shapes_alone

    def named(outputs: int) -> Mapping[str, Tensor]:
        module = module_for(run.model, outputs, run.data.resolution)
        return _named(module, run.model, stored)

    with shapes_alone():
        one, two = named(1), named(2)
    for key, tensor in one.items():
        if key in stored and tensor.shape != two[key].shape and stored[key].ndim == tensor.ndim:
            at = next(i for i, n in enumerate(tensor.shape) if n != two[key].shape[i])
            step = two[key].shape[at] - tensor.shape[at]
            return max(1, 1 + (stored[key].shape[at] - tensor.shape[at]) // step)
    return 1


def _named(
    module: nn.Module, model: ModelConfig, stored: Mapping[str, Tensor]
) -> Mapping[str, Tensor]:
    """The tensors of a module, by timm's names if the file has those."""
    own = module.state_dict()
    by_timm = _has_timm(model) and not stored.keys() & own.keys()
    return timm_weights.renamed(own, model) if by_timm else own


def _has_timm(model: ModelConfig) -> bool:
    try:
        timm_names.names(model)
    except InputError:
        return False
    return True


def _run_in(run_dir: Path) -> RunConfig:
    """The run that config.yaml in `run_dir` describes."""
    path = run_dir / "config.yaml"
    try:
        values = yaml_in(path)
        if isinstance(values, Mapping):
            return stored_run(values)
        raise InputError("it holds no settings")
    except FileNotFoundError:
        raise InputError(f"{run_dir}: no run is there (No such file or directory)") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except ValueError as error:
        raise InputError(f"{path}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
