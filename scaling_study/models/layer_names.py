"""Our names of a network's layers with weights, made from layer values, without torch."""

from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase

from scaling_study.models.layers import (
    BatchNorm,
    Conv,
    Layer,
    LayerWithModule,
    Linear,
    Residual,
    SqueezeExcite,
)

# Words that stand for layers of every network, beside patterns of names.
CLASSIFIER, BACKBONE = "classifier", "backbone"


def named_layers(layers: Sequence[Layer], prefix: str = "") -> Iterator[tuple[str, Layer]]:
    """Each layer that has weights, in order, by the name of its module in `modules.build`.

    A layer that a family brings counts as one, whatever modules are within it.
    """
    for i, layer in enumerate(layers):
        name = f"{prefix}{i}"
        if isinstance(layer, Residual):
            for block in range(len(layer.drop_rates)):
                for part, inner in (("body", layer.body), ("shortcut", layer.shortcut)):
                    yield from named_layers(inner, f"{name}.{block}.{part}.")
        elif isinstance(layer, Conv | BatchNorm | Linear | SqueezeExcite | LayerWithModule):
            yield name, layer


def classifier_of(layers: Sequence[Layer]) -> str:
    """The name of the last layer with weights, whose outputs are the network's."""
    *_, (name, _) = named_layers(layers)
    return name


def matches(pattern: str, names: Sequence[str], classifier: bool) -> bool:
    """Whether a pattern means a layer that has these names.

    `classifier` says whether it is the network's last. Patterns are `classifier`, `backbone` (every
    other layer), or as in `layer1.*`, with the wildcards of a shell.
    """
    if pattern in (CLASSIFIER, BACKBONE):
        return classifier == (pattern == CLASSIFIER)
    return any(fnmatchcase(name, pattern) for name in names)
