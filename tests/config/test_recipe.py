"""Recipes: learning rate by batch size, and what is refused."""

from typing import Any

import pytest

from helpers.recipes import recipe
from scaling_study.common.errors import InputError


def test_peak_learning_rate_grows_with_the_batch() -> None:
    assert recipe(lr_per_256=0.1, batch_size=4096).lr == pytest.approx(1.6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schedule": "linear"}, "train.schedule=linear: must be of cosine, step, exponential"),
        ({"optimizer": "adam"}, "train.optimizer=adam: must be of sgd, rmsprop"),
        ({"decay_epochs": [3, 1]}, "must be rising numbers of epochs"),
        ({"decay_epochs": 3}, "train.decay_epochs=3: must be a list of numbers"),
        ({"decay_epochs": ["a"]}, "train.decay_epochs='a': must be a finite number"),
        ({"schedule": "exponential"}, "schedule=exponential takes one number"),
        ({"decay_factor": 0}, "train.decay_factor=0.0: must be in (0, 1]"),
        ({"accumulation": 3}, "must divide train.batch_size=16"),
        ({"accumulation": 16}, "into parts of 2 images or more"),
        ({"rms_eps": 0}, "train.rms_eps=0.0: must be above 0"),
        ({"compile": True}, "give device=cuda"),
    ],
)
def test_bad_recipes_are_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as raised:
        recipe(**changes)
    assert said in str(raised.value)
