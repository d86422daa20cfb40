"""Settings of small networks of both families."""

from typing import Any

from helpers.tiny import TINY, tiny
from scaling_study.config.run import run_config
from scaling_study.models.families import efficientnet, resnet

EFFICIENTNET = {
    "family": "efficientnet",
    "depth": 1,
    "width": 0.25,
    "stem": "small",
    "se_ratio": 0.25,
    "bn_momentum": 0.01,
    "dropout": 0.2,
    "stochastic_depth": 0.2,
}


def efficient(**changes: Any) -> efficientnet.EfficientNetConfig:
    model = run_config(TINY | {"model": EFFICIENTNET | changes}).model
    assert isinstance(model, efficientnet.EfficientNetConfig)
    return model


def resnets(**changes: Any) -> resnet.ResNetConfig:
    model = tiny(**{f"model.{name}": value for name, value in changes.items()}).model
    assert isinstance(model, resnet.ResNetConfig)
    return model
