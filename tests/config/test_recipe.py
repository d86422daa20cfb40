"""Recipes: learning rate by batch size, and what is refused."""

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.recipes import recipe
from scaling_study.common.errors import InputError


def test_peak_learning_rate_grows_with_the_batch() -> None:
    assert recipe(lr_per_256=0.1, batch_size=4096).lr == pytest.approx(1.6)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"schedule": "linear"}, "train.schedule=linear: must be of cosine, step, exponential"),
        ({"optimizer": "adam"}, "train.optimizer=adam: must be of sgd, rmsprop, adamw, lamb"),
        ({"ghost_batch": 3}, "train.ghost_batch=3: must be 0 (off), or 2 images or more"),
        ({"ghost_batch": 4, "sync_batch_norm": True}, "does not go with train.sync_batch_norm"),
        ({"layer_decay": 0}, "train.layer_decay=0.0: must be in (0, 1]"),
        ({"end_lr": 1}, "train.end_lr=1.0: must be in [0, the peak of 0.025]"),
        ({"mixup": -1}, "train.mixup=-1.0: must be 0 (off) or more"),
        ({"mixup": 1, "batch_size": 17}, "must be even: images are mixed in pairs"),
        ({"loss": "mse"}, "train.loss=mse: must be of task, bce"),
        ({"repeats": 0}, "train.repeats=0: must be at least 1"),
        ({"drop_path": 1}, "train.drop_path=1.0: must be in [0, 1)"),
        ({"resolutions": [16, 8]}, "train.resolutions=[16, 8]: must be rising sides in px"),
        ({"resolutions": [8]}, "train.resolutions=[8]: must end with data.resolution=16"),
        ({"resolutions": [8, 12, 16]}, "must be at most train.epochs=2 stages"),
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


@pytest.mark.parametrize(
    ("changes", "processes", "said"),
    [
        ({"mixup": 0.5, "batch_size": 12}, 4, "train.batch_size=12: images are mixed in pairs"),
        ({"ghost_batch": 8}, 4, "train.ghost_batch=8: must divide the 4 images"),
    ],
)
def test_a_share_of_the_batch_is_whole_pairs_and_ghosts(
    changes: dict[str, Any], processes: int, said: str
) -> None:
    with pytest.raises(InputError) as raised:
        recipe(**changes).share(processes)
    assert said in str(raised.value)


def test_stages_of_resolution_share_the_epochs() -> None:
    plan = recipe(epochs=7, warmup_epochs=0, resolutions=[8, 12, 16])
    assert [plan.side(epoch, 16) for epoch in range(7)] == [8, 8, 8, 12, 12, 16, 16]
    assert recipe().side(1, 16) == 16


@given(st.integers(1, 40), st.integers(1, 5))
def test_epochs_are_counted_by_side_without_going_through_them(epochs: int, stages: int) -> None:
    sides = [16 - 2 * n for n in range(min(stages, epochs))][::-1]
    made = recipe(resolutions=sides, epochs=epochs, warmup_epochs=0)
    assert made.epochs_by_side(sides[-1]) == Counter(made.side(e, sides[-1]) for e in range(epochs))


def test_billions_of_epochs_are_counted_at_once() -> None:
    made = recipe(resolutions=[8, 16], epochs=2**53 - 1)
    assert made.epochs_by_side(16) == {8: 2**52, 16: 2**52 - 1}
