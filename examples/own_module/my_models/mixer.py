# my_models/mixer.py
from dataclasses import dataclass

from scaling_study.models.family import Family, ModelConfig


@dataclass(frozen=True, kw_only=True)
class MixerConfig(ModelConfig):
    depth: int
    patch: int


def build(model, n_classes, resolution):
    from my_models.mixer_net import Mixer  # here and not above: planning does without torch

    return Mixer(model.depth, round(64 * model.width), model.patch, resolution, n_classes)


FAMILY = Family(
    config=MixerConfig,
    build=build,
    depths=lambda model: range(1, 33),
    width_step=1 / 8,
    smallest_width=lambda model: 1 / 8,
    stride=lambda model: model.patch,  # image sides are multiples of it
)
