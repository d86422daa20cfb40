"""The run's identity is pinned: a change of it makes every stored result worthless."""

from dataclasses import fields
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers.tiny import TINY, composed, tiny
from scaling_study.common.errors import InputError
from scaling_study.config.run import run_config


def test_run_id_is_pinned() -> None:
    # Golden: whoever changes these lines throws away every result in every store.
    assert tiny().run_id == "d14-w0.125-r16-e2-s0-4439e345e8"
    assert tiny().config_id == "d14-w0.125-r16-e2-c1efbc2fe2"


def test_seed_is_in_the_run_id_and_not_in_the_config_id() -> None:
    one, other = tiny(), tiny(seed=1)
    assert one.run_id != other.run_id
    assert one.config_id == other.config_id


def test_spelling_of_a_number_is_not_part_of_the_identity() -> None:
    assert tiny(**{"model.width": 1}).run_id == tiny(**{"model.width": 1.0}).run_id
    assert tiny(**{"train.epochs": 3.0}).run_id == tiny(**{"train.epochs": 3}).run_id


CHANGES = {
    "model.depth": 26,
    "model.width": 0.5,
    "model.stem": "rs",
    "data.resolution": 32,
    "data.seed": 1,
    "data.flip": False,
    "train.epochs": 3,
    "train.lr_per_256": 0.2,
    "train.recipe": "other",
    "precision": "bf16",
    "device": "cuda",
}


@given(st.sets(st.sampled_from(sorted(CHANGES))), st.sets(st.sampled_from(sorted(CHANGES))))
def test_two_runs_share_an_id_only_if_all_settings_agree(one: set[str], other: set[str]) -> None:
    ids = [tiny(**{key: CHANGES[key] for key in keys}).run_id for keys in (one, other)]
    assert (ids[0] == ids[1]) == (one == other)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model.width", 0, "model.width=0: must be above 0"),
        ("model.width", -1, "model.width=-1"),
        ("model.depth", 2.5, "model.depth=2.5: must be a whole number"),
        ("model.depth", True, "model.depth=True: must be a whole number"),
        ("model.dropout", 1, "model.dropout=1.0: must be in [0, 1)"),
        ("data.flip", 1, "data.flip=1: must be true or false"),
        ("data.name", "imagnet", "known: fractals, digits"),
        ("train.epochs", 0, "train.epochs=0: must be at least 1"),
        ("train.warmup_epochs", 2.5, "must be in [0, train.epochs=2]"),
        ("train.lr_per_256", "fast", "train.lr_per_256='fast': must be a finite number"),
        ("train.lr_per_256", float("nan"), "train.lr_per_256"),
        ("device", "tpu", "must be of cpu, cuda, mps"),
        ("seed", -1, "seed=-1"),
    ],
)
def test_bad_value_is_named_with_what_is_accepted(key: str, value: object, said: str) -> None:
    with pytest.raises(InputError) as raised:
        tiny(**{key: value})
    assert said in str(raised.value)


def test_unknown_setting_is_refused_with_a_suggestion() -> None:
    values = TINY | {"model": TINY["model"] | {"widht": 1}}
    with pytest.raises(InputError, match=r"model.widht: no such setting \(did you mean width"):
        run_config(values)


def test_missing_setting_is_named() -> None:
    values = TINY | {"model": {k: v for k, v in TINY["model"].items() if k != "depth"}}
    with pytest.raises(InputError, match=r"model.depth=None: must be a whole number"):
        run_config(values)


# Settings that were added later, at a value that is not the one of runs from before them.
LATER = {
    "model.weight_init": "lecun",
    "model.activation": "silu",
    "data.augment_policy": "autoaugment",
    "data.augment_ops": "released",
    "data.crop_sampler": "diameter",
    "data.randaugment_sd": 0.5,
    "data.colour_jitter": 0.4,
    "data.erasing": 0.25,
    "data.test_resolution": 32,
    "data.test_crop": 0.95,
    "data.fresh": True,
    "data.pool_images": 8,
    "train.beta2": 0.95,
    "train.adam_eps": 1e-6,
    "train.clip_norm": 1.0,
    "train.decay_norms": True,
    "train.decay_embeddings": True,
    "train.decay_layer_scale": True,
    "train.layer_decay": 0.7,
    "train.end_lr": 1e-5,
    "train.polynomial_power": 2.0,
    "train.decay_share": 0.1,
    "train.mixup": 0.2,
    "train.cutmix": 1.0,
    "train.mix_probability": 0.5,
    "train.loss": "bce",
    "train.bce_threshold": 0.2,
    "train.repeats": 3,
    "train.drop_path": 0.05,
    "train.ghost_batch": 4,
    "train.resolutions": [12, 16],
    "train.freeze": ["backbone"],
    "train.lr_multipliers": ["classifier=10"],
    "train.common_random_numbers": True,
}


@pytest.mark.parametrize("key", LATER)
def test_a_later_setting_is_in_the_id_unless_it_is_neutral(key: str) -> None:
    group, name = key.split(".")
    neutral = getattr(getattr(tiny(), group), name)
    assert tiny(**{key: neutral}).run_id == tiny().run_id
    assert tiny(**{key: LATER[key]}).run_id != tiny().run_id


def later(part: Any) -> dict[str, Any]:
    return {f.name: f.default for f in fields(part) if f.metadata.get("later")}


def test_every_later_setting_is_among_them() -> None:
    run = tiny()
    parts = {"model": run.model, "data": run.data, "train": run.train}
    named = {f"{name}.{key}" for name, part in parts.items() for key in later(part)}
    # When a run is evaluated is in its id only where that may stop it; of pseudo-labels
    # tests/training/test_pseudo_labels.py says that they need a teacher, of one trunk
    # tests/training/test_trunk.py that it needs WSD.
    others = ("evaluate_every", "early_stopping", "pseudo_share", "pseudo_threshold", "one_trunk")
    assert named - set(LATER) == {f"train.{name}" for name in others}


def test_the_files_say_what_runs_from_before_them_had() -> None:
    run = composed()
    for part in (run.model, run.data, run.train):
        assert {name: getattr(part, name) for name in later(part)} == later(part)
