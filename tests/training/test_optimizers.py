"""Optimizers and weight decay, against float64 loops."""

import os
import subprocess
import sys
from typing import Any

import pytest
import torch
from torch import nn

from helpers.recipes import recipe
from scaling_study.config.recipe import TrainConfig
from scaling_study.training.optimizers import RMSProp, optimizer_of, parameter_groups


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


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
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
