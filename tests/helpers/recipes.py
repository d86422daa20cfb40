"""Recipes of the tiny run."""

from typing import Any

from helpers.tiny import tiny
from scaling_study.config.recipe import TrainConfig


def recipe(**changes: Any) -> TrainConfig:
    return tiny(**{f"train.{key}": value for key, value in changes.items()}).train
