"""Layers as modules: initial weights, dropout, gates, batch norm."""

import math
from dataclasses import replace
from statistics import NormalDist
from typing import Any

import pytest
import torch
from torch import nn

from helpers.networks import efficient, resnets
from scaling_study.models import network
from scaling_study.models.layers import Conv, Dropout, Linear
from scaling_study.models.layers import SqueezeExcite as Gate
from scaling_study.models.modules import Residual, SqueezeExcite, build, module_of


@pytest.mark.parametrize(
    ("conv", "init", "std"),
    [
        (Conv(64, 128, 3), "he", math.sqrt(2 / (9 * 128))),
        (Conv(64, 128, 3), "xavier", math.sqrt(2 / (9 * 64 + 9 * 128))),
        (Conv(64, 128, 3), "lecun", math.sqrt(1 / (9 * 64))),
        (Conv(96, 96, 5, groups=96), "lecun", math.sqrt(1 / 25)),
        (Conv(96, 96, 5, groups=96), "he", math.sqrt(2 / 25)),
        (Conv(96, 96, 5, groups=96), "xavier", math.sqrt(2 / 50)),
    ],
)
def test_convolutions_start_with_the_variance_of_their_scheme(
    conv: Conv, init: str, std: float
) -> None:
    torch.manual_seed(0)
    module: Any = module_of(replace(conv, init=init))
    weight = module.weight.detach()
    # Five standard errors of the standard deviation of that many normal numbers.
    assert float(weight.std()) == pytest.approx(std, rel=5 / math.sqrt(2 * weight.numel()))
    within = math.sqrt(3) * std  # where a uniform distribution of that variance ends
    assert (float(weight.abs().max()) <= within * 1.0001) == (init == "xavier")


def test_lecun_is_a_normal_distribution_cut_off_at_two_standard_deviations() -> None:
    torch.manual_seed(0)
    module: Any = module_of(Conv(64, 256, 3, init="lecun"))
    found = module.weight.detach().double().flatten() * math.sqrt(9 * 64)
    # Its quantiles by the normal distribution's, of which it is the middle 95.45 %.
    normal = NormalDist()
    low = normal.cdf(-2)
    wide = 1 / math.sqrt(1 - 4 * normal.pdf(2) / (1 - 2 * low))  # to unit variance
    for share in (0.05, 0.25, 0.5, 0.75, 0.95):
        expected = wide * normal.inv_cdf(low + share * (1 - 2 * low))
        assert float(found.quantile(share)) == pytest.approx(expected, abs=0.02)
    assert float(found.abs().max()) <= 2 * wide + 1e-6


@pytest.mark.parametrize("make", [resnets, efficient], ids=["resnet", "efficientnet"])
def test_a_models_lecun_is_in_all_of_its_convolutions(make: Any) -> None:
    torch.manual_seed(0)
    module = build(network(make(weight_init="lecun", width=0.5), 4))
    convs = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    for conv in convs:
        weight = conv.weight.detach()
        std = math.sqrt(1 / weight[0].numel())
        assert float(weight.std()) == pytest.approx(std, rel=5 / math.sqrt(2 * weight.numel()))
    assert any(conv.bias is not None for conv in convs)


def test_swish_takes_the_place_of_every_relu_but_the_gates() -> None:
    torch.manual_seed(0)
    module = build(network(resnets(activation="silu", zero_gamma=False), 4)).eval()
    gates = [part for part in module.modules() if isinstance(part, SqueezeExcite)]
    relus = [part for part in module.modules() if isinstance(part, nn.ReLU)]
    assert relus == [gate.activation for gate in gates]
    block = next(part for part in module.modules() if isinstance(part, Residual))
    x = torch.randn(2, block.body[0].in_channels, 8, 8)
    total = block.body(x) + block.shortcut(x)
    torch.testing.assert_close(block(x), total * total.sigmoid())


@pytest.mark.parametrize("init", ["he", "xavier"])
def test_every_convolution_of_a_resnet_starts_by_the_models_scheme(init: str) -> None:
    torch.manual_seed(0)
    module = build(network(resnets(init=init, stem="deep", width=0.5), 4))
    convs = [part for part in module.modules() if isinstance(part, nn.Conv2d)]
    for conv in convs:
        weight, receptive = conv.weight.detach(), conv.kernel_size[0] ** 2
        fan_in, fan_out = receptive * conv.in_channels, receptive * conv.out_channels
        std = math.sqrt(2 / (fan_out if init == "he" else fan_in + fan_out))
        assert float(weight.std()) == pytest.approx(std, rel=5 / math.sqrt(2 * weight.numel()))
        within = float(weight.abs().max()) <= math.sqrt(3) * std * 1.0001
        assert within == (init == "xavier")
    assert any(conv.bias is not None for conv in convs)  # the gates are among them


def test_dropout_drops_its_share_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    n, rate = 100_000, 0.25
    dropout = module_of(Dropout(rate))
    x = torch.ones(n)
    got = dropout.train()(x)
    assert got.unique().tolist() == pytest.approx([0, 1 / (1 - rate)])
    share = float((got == 0).double().mean())
    assert share == pytest.approx(rate, abs=5 * math.sqrt(rate * (1 - rate) / n))
    assert torch.equal(dropout.eval()(x), x)
    assert torch.equal(module_of(Dropout(0.0)).train()(x), x)


@pytest.mark.parametrize("make", [resnets, efficient], ids=["resnet", "efficientnet"])
def test_dropout_of_the_model_is_that_of_the_classifiers_input(make: Any) -> None:
    torch.manual_seed(0)
    module = build(network(make(dropout=0.5, stochastic_depth=0.0), 4)).train()
    seen = []
    classifier = module[-1]
    classifier.register_forward_pre_hook(lambda _part, inputs: seen.append(inputs[0].detach()))
    module(torch.randn(64, 3, 32, 32))
    # A pooled channel that all images see is hardly ever exactly zero by itself.
    assert float((seen[0] == 0).double().mean()) == pytest.approx(0.5, abs=0.05)


def test_classifiers_start_as_released() -> None:
    torch.manual_seed(0)
    normal: Any = module_of(Linear(512, 1000)).requires_grad_(False)
    uniform: Any = module_of(Linear(512, 1000, init="uniform")).requires_grad_(False)
    assert float(normal.weight.std()) == pytest.approx(0.01, rel=0.01)
    assert float(uniform.weight.std()) == pytest.approx(1 / math.sqrt(3 * 1000), rel=0.01)
    assert not normal.bias.any()
    assert not uniform.bias.any()


def test_a_gate_is_a_product_of_every_channel_with_a_number() -> None:
    torch.manual_seed(0)
    gate: Any = module_of(Gate(8, 3, silu=True))
    x = torch.randn(2, 8, 5, 5)
    mean = x.mean((2, 3))
    hidden = mean @ gate.reduce.weight[:, :, 0, 0].T + gate.reduce.bias
    hidden = hidden * torch.sigmoid(hidden)
    expected = torch.sigmoid(hidden @ gate.expand.weight[:, :, 0, 0].T + gate.expand.bias)
    torch.testing.assert_close(gate(x), x * expected[:, :, None, None])


@pytest.mark.parametrize("zero_gamma", [True, False])
@pytest.mark.parametrize("changes", [{}, {"block": "basic", "depth": 18, "stride_in": "conv1"}])
def test_zero_gamma_silences_the_body_of_every_block_and_nothing_else(
    zero_gamma: bool, changes: dict[str, Any]
) -> None:
    module = build(network(resnets(zero_gamma=zero_gamma, **changes), 4))
    blocks = [part for part in module.modules() if isinstance(part, Residual)]
    last = {[m for m in b.body if isinstance(m, nn.BatchNorm2d)][-1] for b in blocks}
    for norm in (m for m in module.modules() if isinstance(m, nn.BatchNorm2d)):
        assert bool((norm.weight == 0).all()) == (zero_gamma and norm in last)
    assert len(last) == sum(resnets(**changes).layouts[changes.get("depth", 14)])


def test_batch_norms_have_their_familys_constants() -> None:
    for model, eps, momentum in ((resnets(), 1e-5, 0.1), (efficient(), 1e-3, 0.01)):
        norms = [m for m in build(network(model, 4)).modules() if isinstance(m, nn.BatchNorm2d)]
        assert {(norm.eps, norm.momentum) for norm in norms} == {(eps, momentum)}
