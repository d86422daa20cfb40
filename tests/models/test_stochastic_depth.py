"""Stochastic depth: rates by block, and what is dropped."""

import math

import pytest
import torch
from torch import nn

from helpers.networks import efficient, resnets
from scaling_study.models import network
from scaling_study.models.layers import Conv
from scaling_study.models.layers import Residual as Blocks
from scaling_study.models.modules import Residual, build, module_of


def rates(module: nn.Module) -> list[float]:
    return [part.drop_rate for part in module.modules() if isinstance(part, Residual)]


def test_stochastic_depth_per_stage_is_the_released_configs() -> None:
    module = build(network(resnets(depth=26, stochastic_depth=0.1), 4))
    assert rates(module) == pytest.approx([0.04] * 2 + [0.06] * 2 + [0.08] * 2 + [0.1] * 2)


def test_linear_stochastic_depth_rises_block_by_block_to_its_rate() -> None:
    model = resnets(depth=50, stochastic_depth=0.4, stochastic_depth_mode="linear")
    module = build(network(model, 4))
    assert rates(module) == pytest.approx([0.4 * block / 16 for block in range(1, 17)])


def test_efficientnets_drop_rates_count_all_blocks_also_those_without_shortcut() -> None:
    module = build(network(efficient(stochastic_depth=0.16, width=1), 4))
    # B0's 16 blocks; the first of each stage changes the shape and is never dropped.
    kept = [i for i in range(16) if i not in (0, 1, 3, 5, 8, 11, 15)]
    assert rates(module) == pytest.approx([0.16 * i / 16 for i in kept])


def test_stochastic_depth_drops_its_share_of_images_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    n, rate = 20_000, 0.3
    block = module_of(Blocks((Conv(2, 2, 1),), (), (rate,), relu=False))
    x = torch.tensor([1.0, -2.0]).reshape(1, 2, 1, 1)
    expected = block.eval()(x)
    with torch.no_grad():
        got = block.train()(x.expand(n, 2, 1, 1))
    dropped = (got == x).all(dim=(1, 2, 3)).double().mean()
    assert float(dropped) == pytest.approx(rate, abs=5 * math.sqrt(rate * (1 - rate) / n))
    error = got.std(0) / math.sqrt(n)
    assert ((got.mean(0) - expected[0]).abs() < 5 * error).all()


def test_stochastic_depth_keeps_the_expectation_and_drops_whole_images() -> None:
    torch.manual_seed(0)
    block = Residual(nn.Sequential(), nn.Sequential(nn.ReLU()), drop_rate=0.3)
    x = torch.full((20_000, 1, 1, 1), 1.0)
    y = block(x)
    # relu(x) + x / 0.7 where kept, relu(x) where dropped.
    assert y.unique().tolist() == pytest.approx([1.0, 1 + 1 / 0.7])
    assert float(y.mean()) == pytest.approx(2.0, abs=0.02)
    assert torch.equal(block.eval()(x), 2 * x)
