"""timm's state dicts by name: into our modules, and ours into its names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_study.common.errors import InputError
from scaling_study.models import network
from scaling_study.models.family import ModelConfig
from scaling_study.models.initial_weights import InitialWeights, sha256
from scaling_study.models.state_files import differences, read_checkpoint, write_state
from scaling_study.models.timm_names import classifier, difference, names

if TYPE_CHECKING:
    from torch import Tensor, nn

    State = dict[str, Tensor]


def load(module: nn.Module, model: ModelConfig, init: InitialWeights) -> None:
    """Copy the file's weights into `module`, which was built from `model`.

    A classifier for another number of classes, or that the file lacks, stays as it was drawn. That,
    and what else in the file is not used, is printed.
    InputError if the file changed since the plan, cannot be read, or holds another network.
    """
    stored, wanted, lines = _match(module, model, init)
    for line in lines:
        print(line)
    for key, tensor in wanted.items():
        tensor.copy_(stored[key])


def check(model: ModelConfig, init: InitialWeights) -> None:
    """Compare the file's names and shapes with the model's; InputError where `load` has one."""
    from scaling_study.models.modules import build
    from scaling_study.models.shapes_alone import shapes_alone

    with shapes_alone():
        module = build(network(model, 1))
    _match(module, model, init)


def _match(
    module: nn.Module, model: ModelConfig, init: InitialWeights
) -> tuple[State, State, list[str]]:
    """The file's tensors and the module's to copy them to, by timm's names, and lines to log."""
    file = Path(init.path)
    if sha256(file) != init.sha256:
        raise InputError(f"init={init.names}:{file}: the file has changed since it was planned")
    try:
        stored, unused = read_checkpoint(file)
    except InputError as error:
        raise InputError(f"init: {error}") from None
    wanted = renamed(module.state_dict(), model)
    for key in wanted.keys() - stored.keys():
        if key.endswith("num_batches_tracked"):
            del wanted[key]  # some files leave these counters out; nothing depends on them
    lines = [f"{file.name}: not used: {', '.join(unused)}"] if unused else []
    lines += _keep_own_classifier(file, classifier(model), stored, wanted)
    if text := differences(stored, wanted):
        raise InputError(f"init: {file.name} is not this model's: {text}")
    return stored, wanted, [*lines, *filter(None, [difference(model)])]


def _keep_own_classifier(file: Path, layer: str, stored: State, wanted: State) -> list[str]:
    keys = weight, bias = f"{layer}.weight", f"{layer}.bias"
    if not stored.keys() & set(keys):
        for key in keys:
            del wanted[key]
        return [f"{file.name} has no classifier: it is drawn anew"]
    if not stored.keys() >= set(keys):
        return []
    theirs, ours = stored[weight].shape, wanted[weight].shape
    if theirs[1:] != ours[1:] or theirs == ours:
        return []
    for key in (weight, bias):
        del stored[key], wanted[key]
    return [f"{file.name} has {theirs[0]} classes, not {ours[0]}: the classifier is drawn anew"]


def export(state: Mapping[str, Tensor], model: ModelConfig, file: Path) -> None:
    """Write our `state` by timm's names: a .safetensors file, else torch's own format.

    InputError if timm has no network like it, or the file cannot be written.
    """
    write_state(renamed(state, model), file)


def renamed(state: Mapping[str, Tensor], model: ModelConfig) -> State:
    """Our `state` by timm's names; InputError if timm has no network like it."""
    table = names(model)
    parts = {key: key.rpartition(".") for key in state}
    return {f"{table[layer]}.{name}": state[key] for key, (layer, _, name) in parts.items()}
