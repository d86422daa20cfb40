"""A family as a user writes one: a stack of convolutions with fractional depths and a setting."""

from dataclasses import dataclass

from scaling_study.common.validation import require
from scaling_study.models.family import Family, ModelConfig
from scaling_study.models.layers import BatchNorm, Conv, GlobalPool, Linear, Network


@dataclass(frozen=True, kw_only=True)
class StackConfig(ModelConfig):
    """Two convolutions a unit of depth, of `my_setting` px a side."""

    my_setting: int


def network(model: StackConfig, n_classes: int) -> Network:
    require(2 * model.depth % 1 == 0, "model.depth", model.depth, "must be in halves")
    channels = round(16 * model.width)
    layers = [Conv(3, channels, 3, stride=4), BatchNorm(channels)]
    for _ in range(round(2 * model.depth)):
        layers += [Conv(channels, channels, model.my_setting), BatchNorm(channels)]
    return Network((*layers, GlobalPool(), Linear(channels, n_classes)), stride=4)


FAMILY = Family(
    config=StackConfig,
    network=network,
    depths=lambda model: [half / 2 for half in range(1, 21)],
    width_step=0.25,
    smallest_width=lambda model: 0.25,
)
