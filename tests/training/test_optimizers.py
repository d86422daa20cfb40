"""Optimizers and weight decay, against float64 loops."""

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from helpers.recipes import recipe
from helpers.tiny import composed, tiny
from scaling_study.config.recipe import TrainConfig
from scaling_study.models import network
from scaling_study.models.modules import Residual, build, module_for
from scaling_study.training.optimizers import (
    RMSProp,
    optimizer_of,
    parameter_groups,
    set_rate,
)


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


def adam(g: Any, state: dict[str, Any], plan: TrainConfig) -> Any:
    n = state["n"] = state.get("n", 0) + 1
    m = state["m"] = plan.momentum * state.get("m", 0) + (1 - plan.momentum) * g
    v = state["v"] = plan.beta2 * state.get("v", 0) + (1 - plan.beta2) * g**2
    root = (v / (1 - plan.beta2**n)) ** 0.5
    return m / (1 - plan.momentum**n) / (root + plan.adam_eps)


def adamw_step(w: Any, g: Any, state: dict[str, Any], lr: float, plan: TrainConfig) -> Any:
    return w - lr * plan.weight_decay * w - lr * adam(g, state, plan)


def lamb_step(w: Any, g: Any, state: dict[str, Any], lr: float, plan: TrainConfig) -> Any:
    u = adam(g, state, plan) + plan.weight_decay * w
    return w - lr * w.norm() / u.norm() * u


STEPS = {"sgd": sgd_step, "rmsprop": rmsprop_step, "adamw": adamw_step, "lamb": lamb_step}


@pytest.mark.parametrize("name", STEPS)
def test_optimizers_follow_their_formulas_in_float64(name: str) -> None:
    torch.manual_seed(0)
    plan = recipe(optimizer=name, weight_decay=0.01)
    module = nn.Linear(5, 3, bias=False).double()
    optimizer = optimizer_of(module, plan)
    expected, state = module.weight.detach().clone(), {}
    step = STEPS[name]
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


def test_adamw_is_torchs() -> None:
    torch.manual_seed(0)
    plan = recipe(optimizer="adamw", weight_decay=0.05, beta2=0.95, adam_eps=1e-6)
    ours, theirs = nn.Linear(5, 3, bias=False), nn.Linear(5, 3, bias=False)
    theirs.load_state_dict(ours.state_dict())
    mine = optimizer_of(ours, plan)
    other = torch.optim.AdamW(
        theirs.parameters(), plan.lr, (0.9, 0.95), 1e-6, weight_decay=0.05, foreach=False
    )
    for _ in range(10):
        ours.weight.grad = torch.randn(3, 5)
        theirs.weight.grad = ours.weight.grad.clone()
        mine.step()
        other.step()
        torch.testing.assert_close(ours.weight, theirs.weight, rtol=1e-5, atol=1e-7)


def test_lamb_scales_no_step_of_a_tensor_without_decay() -> None:
    plan = recipe(optimizer="lamb", weight_decay=0.1, decay_biases=False)
    module = nn.Linear(2, 2).double()
    bias = module.bias.detach().clone()
    optimizer = optimizer_of(module, plan)
    module.weight.grad, module.bias.grad = torch.ones(2, 2).double(), torch.ones(2).double()
    optimizer.step()
    # The first step of Adam is the sign of the gradient, however large the bias is.
    torch.testing.assert_close(module.bias.detach(), bias - plan.lr, rtol=1e-6, atol=1e-9)
    assert not torch.isnan(module.weight).any()


class Kinds(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patch = nn.Conv2d(3, 4, 2)
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))
        self.pos_embed = nn.Parameter(torch.zeros(1, 5, 4))
        self.words = nn.Embedding(3, 4)
        self.norm, self.group = nn.LayerNorm(4), nn.GroupNorm(2, 4)
        self.rms = nn.RMSNorm(4)
        self.gamma = nn.Parameter(torch.ones(4))
        self.batch = nn.BatchNorm2d(4)


KINDS = {
    "weight": {"patch.weight"},
    "bias": {"patch.bias"},
    "norm": {"norm.weight", "norm.bias", "group.weight", "group.bias", "rms.weight"},
    "embedding": {"cls_token", "pos_embed", "words.weight"},
    "layer_scale": {"gamma"},
    "batch_norm": {"batch.weight", "batch.bias"},
}


@pytest.mark.parametrize(
    "on", [{}, {"decay_norms"}, {"decay_embeddings"}, {"decay_layer_scale"}, {"decay_batch_norm"}]
)
def test_decay_is_switched_by_kind_of_parameter(on: set[str]) -> None:
    module = Kinds()
    plan = recipe(weight_decay=0.1, decay_biases=False, **dict.fromkeys(on, True))
    names = {id(parameter): name for name, parameter in module.named_parameters()}
    groups = parameter_groups(module, plan)
    decayed = {names[id(p)] for g in groups if g["weight_decay"] for p in g["params"]}
    words = {"norms": "norm", "embeddings": "embedding"}
    kinds = {words.get(k, k) for k in (name.removeprefix("decay_") for name in on)}
    assert decayed == KINDS["weight"].union(*(KINDS[kind] for kind in kinds))
    assert {n for g in groups for n in (names[id(p)] for p in g["params"])} == set(names.values())


def test_what_a_family_names_is_spared_whatever_the_recipe_says() -> None:
    module, plan = Kinds(), recipe(weight_decay=0.1, decay_norms=True, decay_layer_scale=True)
    names = {id(parameter): name for name, parameter in module.named_parameters()}

    def spared(*patterns: str) -> set[str]:
        groups = parameter_groups(module, plan, patterns)
        return {names[id(p)] for g in groups if not g["weight_decay"] for p in g["params"]}

    assert spared("gam*") - spared() == {"gamma"}


def test_learning_rates_fall_by_block_towards_the_image() -> None:
    run = tiny(**{"model.depth": 26, "model.stem": "deep", "train.layer_decay": 0.5})
    module = build(network(run.model, 4))
    optimizer = optimizer_of(module, run.train)
    set_rate(optimizer, 8.0)
    rates = {id(p): g["lr"] for g in optimizer.param_groups for p in g["params"]}
    found = {name: rates[id(p)] for name, p in module.named_parameters()}
    blocks = [m for m in module.modules() if isinstance(m, Residual)]
    assert len(blocks) == 8
    for number, block in enumerate(blocks):
        # The classifier is one step behind the last block, the stem one before the first.
        expected = 8.0 * 0.5 ** (len(blocks) - number)
        assert {rates[id(p)] for p in block.parameters()} == {expected}
    assert found[list(found)[-1]] == 8.0
    assert found["0.weight"] == 8.0 * 0.5 ** (len(blocks) + 1)


SMALL = {
    "vit": ("model.depth=3", "model.width=1", "model.patch=8", "model.head_dim=8"),
    "convnext": ("model.depth=6", "model.width=0.125", "model.patch=2"),
}


def shipped(family: str, *words: str) -> tuple[nn.Module, TrainConfig]:
    run = composed(f"model={family}", "data.resolution=16", *SMALL[family], *words)
    return module_for(run.model, 4, 16, run.train.drop_path), run.train


def test_rates_of_a_vision_transformer_fall_as_beits_do() -> None:
    module, train = shipped("vit", "train.layer_decay=0.5")
    groups = parameter_groups(module, train)
    rates = {id(p): g["lr_multiplier"] for g in groups for p in g["params"]}
    expected = {"embed": 4, "class_token": 4, "position": 4, "norm": 0, "head": 0}
    expected |= {f"blocks.{i}": 3 - i for i in range(3)}
    for name, parameter in module.named_parameters():
        (distance,) = (d for start, d in expected.items() if name.startswith(start))
        assert rates[id(parameter)] == 0.5**distance


def test_rates_of_a_convnext_fall_by_block() -> None:
    module, train = shipped("convnext", "train.layer_decay=0.5")
    groups = parameter_groups(module, train)
    rates = {id(p): g["lr_multiplier"] for g in groups for p in g["params"]}
    found = {name: rates[id(p)] for name, p in module.named_parameters()}
    blocks = sorted({n.split(".")[1] for n in found if n.endswith(".depthwise.weight")}, key=int)
    assert len(blocks) == 6
    for number, block in enumerate(blocks):
        assert found[f"features.{block}.scale"] == 0.5 ** (6 - number)
    assert found["features.0.weight"] == 0.5**7
    assert found["head.weight"] == found["norm.bias"] == 1


@pytest.mark.parametrize("family", SMALL)
def test_of_shipped_modules_weights_alone_are_decayed(family: str) -> None:
    module, train = shipped(family, "train.weight_decay=0.1", "train.decay_biases=false")
    names = {id(p): name for name, p in module.named_parameters()}
    groups = parameter_groups(module, train)
    decayed = {names[id(p)] for g in groups if g["weight_decay"] for p in g["params"]}
    ends = ("class_token", "position", ".scale", "bias")
    spared = {n for n in names.values() if n.endswith(ends) or "norm" in n}
    spared |= {n for n, p in module.named_parameters() if p.ndim == 1}
    assert decayed == set(names.values()) - spared
    assert len(decayed) > 10


def test_where_there_are_no_blocks_every_layer_is_one() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(), nn.Conv2d(4, 4, 1), nn.Linear(4, 2))
    groups = parameter_groups(module, recipe(layer_decay=0.5, decay_biases=True))
    assert [g["lr_multiplier"] for g in groups] == [1.0, 0.5, 0.25]


@pytest.mark.slow
@pytest.mark.parametrize("name", STEPS)
def test_a_run_that_compiles_nothing_does_not_load_the_compiler(name: str) -> None:
    script = f"""import sys, torch
from helpers.recipes import recipe
from scaling_study.training.optimizers import optimizer_of
module = torch.nn.Linear(2, 2)
optimizer = optimizer_of(module, recipe(optimizer={name!r}))
module(torch.ones(1, 2)).sum().backward()
optimizer.step()
optimizer.zero_grad()
optimizer.load_state_dict(optimizer.state_dict())
print("torch._dynamo" in sys.modules, module.weight.grad)"""
    path = os.pathsep.join(sys.path)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False None\n"
