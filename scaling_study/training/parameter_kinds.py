"""What a parameter is for: weight, bias, norm, embedding or layer scale, which decay by kind."""

from collections.abc import Iterator

from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.instancenorm import _InstanceNorm

from scaling_study.config.recipe import TrainConfig

# torch's normalisations without statistics over a batch; others are known by the class's name.
NORMS = (nn.LayerNorm, nn.GroupNorm, _InstanceNorm)
# Parts of the names of embeddings that are bare parameters: of positions, classes, registers.
EMBEDDINGS = ("embed", "token", "position")


def kinds(module: nn.Module) -> Iterator[tuple[str, str, Tensor]]:
    """Each parameter once, with its name and its kind.

    Kinds: weight; bias; batch_norm and norm (scales and shifts); embedding; layer_scale, which is
    any other parameter of one dimension or none.
    """
    seen: set[int] = set()
    for path, part in module.named_modules():
        for name, parameter in part.named_parameters(recurse=False):
            if id(parameter) not in seen:
                seen.add(id(parameter))
                yield f"{path}.{name}" if path else name, _kind(part, name, parameter), parameter


def _kind(part: nn.Module, name: str, parameter: Tensor) -> str:
    if isinstance(part, _BatchNorm):
        return "batch_norm"
    if isinstance(part, NORMS) or type(part).__name__.endswith("Norm"):
        return "norm"
    if name == "bias" or name.endswith("_bias"):
        return "bias"
    if isinstance(part, nn.Embedding) or any(word in name for word in EMBEDDINGS):
        return "embedding"
    return "layer_scale" if parameter.ndim <= 1 else "weight"


def decayed_kinds(recipe: TrainConfig) -> set[str]:
    """The kinds that the recipe's weight decay is for."""
    switches = {
        "bias": recipe.decay_biases,
        "batch_norm": recipe.decay_batch_norm,
        "norm": recipe.decay_norms,
        "embedding": recipe.decay_embeddings,
        "layer_scale": recipe.decay_layer_scale,
    }
    return {"weight"} | {kind for kind, on in switches.items() if on}
