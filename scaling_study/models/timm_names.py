"""timm's names of our layers: its ResNets, all seven `resnetrs*` among them, and EfficientNets.

timm itself is not needed. Names are made from layer values, without torch.
"""

from collections.abc import Iterator, Sequence
from math import ceil

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.models import network
from scaling_study.models.families.efficientnet import STAGES, EfficientNetConfig
from scaling_study.models.families.resnet import ResNetConfig
from scaling_study.models.family import ModelConfig
from scaling_study.models.layer_names import named_layers
from scaling_study.models.layers import Layer, Residual, SqueezeExcite

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
# Layers of an EfficientNet's block, without and with expansion; the gate is in the middle.
BEFORE_GATE = {1: ("conv_dw", "bn1"), 6: ("conv_pw", "bn1", "conv_dw", "bn2")}
AFTER_GATE = {1: ("conv_pw", "bn2"), 6: ("conv_pwl", "bn3")}


def names(model: ModelConfig) -> dict[str, str]:
    """Our name of every layer with weights to timm's, in order; InputError if timm has none."""
    if not isinstance(model, ResNetConfig | EfficientNetConfig):
        has = "only ResNets and EfficientNets have names of timm's"
        raise InputError(f"model.family={model.family}: {has}")
    layers = network(model, 1).layers
    ours = [
        name for layer_name, layer in named_layers(layers) for name in _parts(layer_name, layer)
    ]
    if isinstance(model, EfficientNetConfig):
        known = "timm has no such network; it has imagenet"
        require(model.stem == "imagenet", "model.stem", model.stem, known)
        return dict(zip(ours, _efficientnet(model), strict=True))
    known = f"timm has no such network; it has {', '.join(STEMS)}"
    require(model.stem in STEMS, "model.stem", model.stem, known)
    ok = model.block != "bottleneck" or model.stride_in == "conv2"
    require(ok, "model.stride_in", model.stride_in, "timm's bottleneck blocks have conv2")
    return dict(zip(ours, _resnet(model, layers), strict=True))


def difference(model: ModelConfig) -> str:
    """How timm's network of these names computes otherwise than ours; empty if it does not."""
    if not isinstance(model, EfficientNetConfig):
        return ""
    return (
        "timm's efficientnet_* have batch norm with eps 1e-5, and its tf_efficientnet_* pad even "
        "sides at their end alone; here eps is 1e-3 and padding symmetric: logits differ a little"
    )


def classifier(model: ModelConfig) -> str:
    """timm's name of the last layer."""
    return "classifier" if isinstance(model, EfficientNetConfig) else "fc"


def _parts(name: str, layer: Layer) -> tuple[str, ...]:
    gate = isinstance(layer, SqueezeExcite)
    return (f"{name}.reduce", f"{name}.expand") if gate else (name,)


def _resnet(model: ResNetConfig, layers: Sequence[Layer]) -> Iterator[str]:
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
    yield classifier(model)


def _efficientnet(model: EfficientNetConfig) -> Iterator[str]:
    yield from ("conv_stem", "bn1")
    gate = ("se.conv_reduce", "se.conv_expand") if model.se_ratio > 0 else ()
    for stage, described in enumerate(STAGES):
        kind = described.expansion
        for block in range(ceil(described.blocks * model.depth)):
            parts = (*BEFORE_GATE[kind], *gate, *AFTER_GATE[kind])
            yield from (f"blocks.{stage}.{block}.{name}" for name in parts)
    yield from ("conv_head", "bn2", classifier(model))
