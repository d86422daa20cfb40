"""Settings that depend on scale: the paper's regimes, and tables of one's own."""

from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf

from helpers.tiny import TINY, tiny
from scaling_study.common.errors import InputError
from scaling_study.common.paths import data_dir
from scaling_study.config.run import RunConfig, run_config
from scaling_study.config.scale_dependent import resolve
from scaling_study.study.axes import KEYS


def composed(*overrides: str) -> RunConfig:
    GlobalHydra.instance().clear()
    OmegaConf.register_new_resolver("data_dir", lambda name: str(data_dir(name)), replace=True)
    with initialize_config_dir(str(data_dir("conf")), version_base="1.3"):
        values = OmegaConf.to_container(compose("run", list(overrides)))
    assert isinstance(values, dict)
    return run_config({str(k): v for k, v in values.items()} | {"precision": "fp32"})


@pytest.mark.parametrize("epochs", [10, 100])
@pytest.mark.parametrize("width", [0.25, 2.0])
def test_the_papers_short_regimes_have_no_regularisation(epochs: int, width: float) -> None:
    run = composed("train=paper", f"train.epochs={epochs}", f"model.width={width}")
    assert (run.model.dropout, run.model.stochastic_depth) == (0, 0)  # type: ignore[attr-defined]
    assert (run.train.label_smoothing, run.train.weight_decay) == (0, 4e-5)
    assert run.data.randaugment_layers == 0
    assert run.train.recipe == "paper"


@pytest.mark.slow
def test_the_papers_long_regime_regularises_by_size() -> None:
    widths = {0.25: 0.0, 0.5: 0.1, 1.0: 0.25, 1.5: 0.6, 2.0: 0.75}
    for width, dropout in widths.items():
        run = composed("train=paper", f"model.width={width}")
        assert run.model.dropout == dropout  # type: ignore[attr-defined]
        assert run.train.label_smoothing == 0.1
    depths = {26: 0, 101: 0, 200: 0.1, 400: 0.1}
    for depth, rate in depths.items():
        run = composed("train=paper", f"model.depth={depth}")
        assert run.model.stochastic_depth == rate  # type: ignore[attr-defined]
    assert run.train.lr == pytest.approx(1.6)
    for side, magnitude in {128: 10, 160: 10, 224: 15, 448: 15}.items():
        data = composed("train=paper", f"data.resolution={side}").data
        assert (data.randaugment_layers, data.randaugment_magnitude) == (2, magnitude)


def test_a_number_that_is_given_is_not_replaced_by_a_regime() -> None:
    run = composed("train=paper", "model.dropout=0.5", "model.width=2.0")
    assert run.model.dropout == 0.5  # type: ignore[attr-defined]


def test_one_recipe_for_all_lengths_is_the_default_and_the_same_everywhere() -> None:
    assert composed("train=fixed") == composed()
    sizes = [composed("model.width=0.25"), composed("train.epochs=10", "model.width=2.0")]
    assert {(r.train.label_smoothing, r.model.dropout) for r in sizes} == {(0.1, 0.0)}  # type: ignore[attr-defined]
    assert composed().train.recipe == "fixed"


def test_the_released_recipe_by_model() -> None:
    stated = {(50, 160): (0.25, 0), (200, 256): (0.25, 0.1), (420, 320): (0.4, 0.1)}
    for (depth, side), rates_ in stated.items():
        run = composed("train=resnet_rs", f"model.depth={depth}", f"data.resolution={side}")
        assert (run.model.dropout, run.model.stochastic_depth) == rates_  # type: ignore[attr-defined]
        assert run.model.bn_momentum == 1.0  # type: ignore[attr-defined]  # TensorFlow's 0.0
    assert (run.train.epochs, run.train.lr, run.train.ema_decay) == (350, 1.6, 0.9999)
    given = composed("train=resnet_rs", "model.bn_momentum=0.2").model
    assert given.bn_momentum == 0.2  # type: ignore[attr-defined]


def test_efficientnets_recipe_and_the_baseline_switch_alone() -> None:
    run = composed("train=efficientnet").train
    assert (run.optimizer, run.schedule, run.decay_epochs) == ("rmsprop", "exponential", (2.4,))
    assert (run.lr, run.weight_decay) == (pytest.approx(0.128), 1e-5)
    assert (run.batch_size, run.decay_biases, run.decay_batch_norm) == (2048, True, False)
    base = composed("train=baseline").train
    assert (base.schedule, base.ema_decay, base.label_smoothing) == ("step", 0, 0)
    one = composed("train=baseline", "train.schedule=cosine").train
    differing = [k for k in vars(base) if getattr(base, k) != getattr(one, k)]
    assert differing == ["schedule"]


ROWS = [
    {"set": {"model.dropout": 0.1}},
    {"epochs": 3, "set": {"model.dropout": 0.2}},
    {"epochs": 3, "width": 1, "set": {"model.dropout": 0.3, "data.flip": False}},
]
KNOWN = {name: list(TINY[name]) for name in ("model", "data", "train")}


def regime(epochs: float, width: float, rows: object = ROWS) -> dict[str, Any]:
    values = TINY | {
        "model": TINY["model"] | {"dropout": "regime", "width": width},
        "train": TINY["train"] | {"epochs": epochs, "regimes": rows},
    }
    return resolve(values, KEYS, KNOWN)


def test_the_last_row_that_holds_wins() -> None:
    table = {(2, 0.5): 0.1, (2, 1): 0.1, (3, 0.5): 0.2, (3, 1): 0.3, (9, 2): 0.3}
    for (epochs, width), dropout in table.items():
        resolved = regime(epochs, width)
        assert resolved["model"]["dropout"] == dropout
        assert resolved["data"]["flip"] is True  # it does not say `regime`
        assert "regimes" not in resolved["train"]


def test_runs_of_equal_numbers_are_the_same_whatever_table_gave_them() -> None:
    by_hand = tiny(**{"model.dropout": 0.2, "train.epochs": 3, "model.width": 0.5})
    assert run_config(regime(3, 0.5)) == by_hand
    assert run_config(regime(3, 0.5)).run_id == by_hand.run_id


def test_a_setting_that_a_data_set_lacks_is_left_out() -> None:
    values = TINY | {"data": TINY["data"] | {"elsewhere": "regime"}}
    assert resolve(values, KEYS, KNOWN)["data"] == TINY["data"]


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([], "model.dropout=regime: no row of train.regimes says it"),
        ("none", "train.regimes='none': must be a list of rows"),
        ([{"epochs": 3}], "is no row"),
        ([{"epoch": 3, "set": {}}], "epoch: no such axis (did you mean epochs?)"),
        ([{"epochs": "long", "set": {}}], "epochs='long': must be a number"),
    ],
)
def test_bad_tables_are_refused(rows: object, said: str) -> None:
    with pytest.raises(InputError) as raised:
        regime(3, 1, rows)
    assert said in str(raised.value)
