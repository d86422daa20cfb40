"""The methods of the recipe against closed forms, float64 loops and torch; the regimes."""

import math
from itertools import pairwise
from typing import Any

import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf
from torch import nn
from torch.nn.functional import log_softmax

from helpers.tiny import TINY, tiny
from scaling_study.common.errors import InputError
from scaling_study.common.paths import data_dir
from scaling_study.config.axes import AXES
from scaling_study.config.recipe import TrainConfig
from scaling_study.config.run import RunConfig, run_config
from scaling_study.config.scale_dependent import resolve
from scaling_study.training.ema import Ema
from scaling_study.training.optimizers import RMSProp, optimizer_of, parameter_groups
from scaling_study.training.schedule import ema_decay, learning_rate


def recipe(**changes: Any) -> TrainConfig:
    return tiny(**{f"train.{key}": value for key, value in changes.items()}).train


def rates(steps_per_epoch: int, **changes: Any) -> list[float]:
    plan = recipe(batch_size=256, **changes)
    return [learning_rate(s, steps_per_epoch, plan) for s in range(plan.epochs * steps_per_epoch)]


def test_learning_rate_warms_up_linearly_then_follows_the_cosine() -> None:
    found = rates(5, epochs=20, warmup_epochs=2, lr_per_256=2.0)
    assert found[:10] == pytest.approx([0.2 * (i + 1) for i in range(10)])
    cosine = [1 + math.cos(math.pi * (i + 0.5) / 90) for i in range(90)]
    assert found[10:] == pytest.approx(cosine)


def test_learning_rate_without_warm_up_starts_near_the_peak() -> None:
    assert rates(100, epochs=10, warmup_epochs=0, lr_per_256=1.0)[0] == pytest.approx(1, abs=1e-5)


def test_peak_learning_rate_grows_with_the_batch() -> None:
    assert recipe(lr_per_256=0.1, batch_size=4096).lr == pytest.approx(1.6)


def test_step_decay_falls_at_its_epochs() -> None:
    found = rates(
        10, epochs=90, warmup_epochs=5, schedule="step", decay_epochs=[30, 60, 80], lr_per_256=1.0
    )
    assert found[49] == 1
    starts = [(0, 0.02), (50, 1), (299, 1), (300, 0.1), (599, 0.1), (600, 0.01), (800, 1e-3)]
    assert [found[step] for step, _ in starts] == pytest.approx([rate for _, rate in starts])
    assert len({f"{rate:.6g}" for rate in found[50:]}) == 4


def test_exponential_decay_is_efficientnets_staircase() -> None:
    found = rates(
        10,
        epochs=24,
        warmup_epochs=0,
        schedule="exponential",
        decay_epochs=[2.4],
        decay_factor=0.97,
        lr_per_256=0.016,
    )
    assert found == pytest.approx([0.016 * 0.97 ** (step // 24) for step in range(240)])


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


@pytest.mark.parametrize("limit", [0.9999, 0.5, 0.0])
def test_ema_follows_a_float64_loop_and_covers_batch_norm_statistics(limit: float) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    ema = Ema(module, limit)
    expected = {k: v.double().clone() for k, v in module.state_dict().items()}
    for update in range(50):
        module(torch.randn(8, 3, 2, 2))
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn_like(parameter))
        decay = ema_decay(update, limit)
        assert decay == min(limit, (1 + update) / (10 + update))
        ema.update(update)
        for name, live in module.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * live.double()
    state = ema.state_dict()
    for name in ("0.weight", "1.weight", "1.running_mean", "1.running_var"):
        torch.testing.assert_close(state[name].double(), expected[name], rtol=1e-5, atol=1e-6)
        if limit:
            assert not torch.equal(state[name], module.state_dict()[name])


def test_label_smoothed_loss_is_torchs_and_the_definition() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(50, 7, dtype=torch.float64), torch.randint(7, (50,))
    smooth = 0.1
    target = torch.full((50, 7), smooth / 7, dtype=torch.float64)
    target[torch.arange(50), labels] += 1 - smooth
    expected = -(target * log_softmax(logits, 1)).sum(1).mean()
    found = nn.functional.cross_entropy(logits, labels, label_smoothing=smooth)
    torch.testing.assert_close(found, expected)


class Gate(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(4, 2, 1)


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("biases", [False, True])
def test_weight_decay_is_switched_for_batch_norm_and_biases(batch_norm: bool, biases: bool) -> None:
    module = nn.Sequential(
        nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4), Gate(), nn.Linear(4, 2)
    )
    plan = recipe(decay_batch_norm=batch_norm, decay_biases=biases, weight_decay=4e-5)
    groups = parameter_groups(module, plan)
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    decayed = {names[id(p)] for g in groups if g["weight_decay"] == 4e-5 for p in g["params"]}
    spared = {names[id(p)] for g in groups if g["weight_decay"] == 0 for p in g["params"]}
    expected = {"0.weight", "2.reduce.weight", "3.weight"}
    expected |= {"1.weight", "1.bias"} if batch_norm else set()
    expected |= {"2.reduce.bias", "3.bias"} if biases else set()
    assert decayed == expected
    assert spared == set(names.values()) - expected


def sgd_step(w: Any, g: Any, state: dict[str, Any], lr: float, plan: TrainConfig) -> Any:
    g = g + plan.weight_decay * w
    m = state["m"] = plan.momentum * state.get("m", 0) + g
    return w - lr * (g + plan.momentum * m)


def rmsprop_step(w: Any, g: Any, state: dict[str, Any], lr: float, plan: TrainConfig) -> Any:
    g = g + plan.weight_decay * w
    v = state["v"] = plan.rms_decay * state.get("v", 1.0) + (1 - plan.rms_decay) * g**2
    m = state["m"] = plan.momentum * state.get("m", 0) + lr * g / (v + plan.rms_eps) ** 0.5
    return w - m


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_optimizers_follow_their_formulas_in_float64(name: str) -> None:
    torch.manual_seed(0)
    plan = recipe(optimizer=name, weight_decay=0.01)
    module = nn.Linear(5, 3, bias=False).double()
    optimizer = optimizer_of(module, plan)
    expected, state = module.weight.detach().clone(), {}
    step = sgd_step if name == "sgd" else rmsprop_step
    for update in range(20):
        gradient = torch.randn_like(expected)
        module.weight.grad = gradient.clone()
        lr = 0.1 / (1 + update)
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.step()
        expected = step(expected, gradient, state, lr, plan)
        torch.testing.assert_close(module.weight.detach(), expected, rtol=1e-12, atol=1e-12)
        optimizer.load_state_dict(optimizer.state_dict())
    assert isinstance(optimizer, RMSProp) == (name == "rmsprop")


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
    assert (run.lr, run.weight_decay) == (pytest.approx(0.256), 1e-5)
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
    return resolve(values, AXES, KNOWN)


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
    assert resolve(values, AXES, KNOWN)["data"] == TINY["data"]


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


def test_decays_of_the_average_rise_to_their_limit() -> None:
    decays = [ema_decay(n, 0.999) for n in range(20_000)]
    assert decays[0] == pytest.approx(0.1)
    assert all(a <= b for a, b in pairwise(decays))
    assert decays[-1] == 0.999
