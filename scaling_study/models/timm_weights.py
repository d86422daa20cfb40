"""timm's ResNets by name: its state dicts into our modules, and ours into its names.

timm itself is not needed. All seven `resnetrs*` fit, and any of its ResNets that our pieces make
(resnet50, resnet50d, seresnet50 …). Names are made from layer values, without torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.models import network
from scaling_study.models.families.resnet import ResNetConfig
from scaling_study.models.family import ModelConfig
from scaling_study.models.initial_weights import InitialWeights, sha256
from scaling_study.models.layers import BatchNorm, Conv, Layer, Linear, Residual, SqueezeExcite
from scaling_study.models.state_files import differences, read_state, write_state

if TYPE_CHECKING:
    from torch import Tensor, nn

    State = dict[str, Tensor]

STEMS = {
    "plain": ("conv1", "bn1"),
    "deep": ("conv1.0", "conv1.1", "conv1.3", "conv1.4", "conv1.6", "bn1"),
    "rs": ("conv1.0", "conv1.1", "conv1.3", "conv1.4", "conv1.6", "bn1", "maxpool.0", "maxpool.1"),
}
# With an average pool the convolution of the shortcut comes second.
SHORTCUTS = {
    "projection": ("downsample.0", "downsample.1"),
    "average": ("downsample.1", "downsample.2"),
}
CLASSIFIER = "fc"


def names(model: ModelConfig) -> dict[str, str]:
    """Our name of every layer with weights to timm's, in order; InputError if timm has none."""
    if not isinstance(model, ResNetConfig):
        raise InputError(f"model.family={model.family}: only ResNets have names of timm's")
    known = f"timm has no such network; it has {', '.join(STEMS)}"
    require(model.stem in STEMS, "model.stem", model.stem, known)
    ok = model.block != "bottleneck" or model.stride_in == "conv2"
    require(ok, "model.stride_in", model.stride_in, "timm's bottleneck blocks have conv2")
    layers = network(model, 1).layers
    return dict(zip(_ours(layers), _theirs(model, layers), strict=True))


def _ours(layers: Sequence[Layer]) -> Iterator[str]:
    for i, layer in enumerate(layers):
        if isinstance(layer, Residual):
            for block in range(len(layer.drop_rates)):
                for part, inner in (("body", layer.body), ("shortcut", layer.shortcut)):
                    yield from (f"{i}.{block}.{part}.{name}" for name in _ours(inner))
        elif isinstance(layer, SqueezeExcite):
            yield from (f"{i}.reduce", f"{i}.expand")
        elif isinstance(layer, Conv | BatchNorm | Linear):
            yield str(i)


def _theirs(model: ResNetConfig, layers: Sequence[Layer]) -> Iterator[str]:
    yield from STEMS[model.stem]
    rows = [layer for layer in layers if isinstance(layer, Residual)]
    shortcuts = iter([row.shortcut for row in rows for _ in row.drop_rates])
    convolutions = "123" if model.block == "bottleneck" else "12"
    body = [f"{kind}{n}" for n in convolutions for kind in ("conv", "bn")]
    if model.se_ratio > 0:
        body += ["se.fc1", "se.fc2"]
    for stage, blocks in enumerate(model.layouts[model.depth], start=1):
        for block in range(blocks):
            tail = SHORTCUTS[model.shortcut] if next(shortcuts) else ()
            yield from (f"layer{stage}.{block}.{name}" for name in (*body, *tail))
    yield CLASSIFIER


def load(module: nn.Module, model: ModelConfig, init: InitialWeights) -> None:
    """Copy the file's weights into `module`, which was built from `model`.

    A classifier for another number of classes stays as it was drawn, with a line in the log.
    InputError if the file changed since the plan, cannot be read, or holds another network.
    """
    stored, wanted, message = _match(module, model, init)
    print(message, end="")
    for key, tensor in wanted.items():
        tensor.copy_(stored[key])


def check(model: ModelConfig, init: InitialWeights) -> None:
    """Compare the file's names and shapes with the model's; InputError where `load` has one."""
    import torch

    from scaling_study.models.modules import build

    with torch.device("meta"):
        module = build(network(model, 1))
    _match(module, model, init)


def _match(module: nn.Module, model: ModelConfig, init: InitialWeights) -> tuple[State, State, str]:
    """The file's tensors and the module's to copy them to, by timm's names, and a line to log."""
    file = Path(init.path)
    if sha256(file) != init.sha256:
        raise InputError(f"init={init.names}:{file}: the file has changed since it was planned")
    stored, wanted = _read(file), renamed(module.state_dict(), model)
    for key in wanted.keys() - stored.keys():
        if key.endswith("num_batches_tracked"):
            del wanted[key]  # some files leave these counters out; nothing depends on them
    message = _keep_own_classifier(file, stored, wanted)
    _check(file, stored, wanted)
    return stored, wanted, message


def _keep_own_classifier(file: Path, stored: State, wanted: State) -> str:
    weight, bias = f"{CLASSIFIER}.weight", f"{CLASSIFIER}.bias"
    if not {weight, bias} <= stored.keys():
        return ""
    theirs, ours = stored[weight].shape, wanted[weight].shape
    if theirs[1:] != ours[1:] or theirs == ours:
        return ""
    for key in (weight, bias):
        del stored[key], wanted[key]
    return f"{file.name} has {theirs[0]} classes, not {ours[0]}: the classifier is drawn anew\n"


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


def _read(file: Path) -> State:
    try:
        return read_state(file)
    except InputError as error:
        raise InputError(f"init: {error}") from None


def _check(file: Path, stored: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    if text := differences(stored, wanted):
        raise InputError(f"init: {file.name} is not this model's: {text}")
