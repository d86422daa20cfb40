"""Modules of a network: blocks that are sums, memory, memory layout, one graph."""

from typing import Any

import pytest
import torch
from torch import nn

from helpers.networks import efficient, resnets
from scaling_study.models import network
from scaling_study.models.layers import BatchNorm, Conv, ReLU
from scaling_study.models.layers import Residual as Blocks
from scaling_study.models.layers import SqueezeExcite as Gate
from scaling_study.models.modules import Residual, SqueezeExcite, build, module_of

ENDS: dict[str, tuple[Any, ...]] = {
    "batch norm": (Conv(3, 3, 1), BatchNorm(3)),
    "gate": (Conv(3, 3, 1), Gate(3, 2)),
    "relu": (Conv(3, 3, 1), ReLU()),  # backward needs what it gave
    "nothing": (),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("rate", [0.0, 0.5])
def test_a_block_is_the_sum_whatever_its_body_ends_with(end: str, rate: float) -> None:
    torch.manual_seed(0)
    block: Any = module_of(Blocks(ENDS[end], (), (rate,)))[0].double().train()
    x = torch.randn(8, 3, 4, 4, dtype=torch.float64, requires_grad=True)
    kept = x.detach().clone()
    torch.manual_seed(1)
    y = block(x)
    y.square().sum().backward()
    got = [t.grad.clone() for t in (x, *block.parameters())]
    for t in (x, *block.parameters()):
        t.grad = None
    torch.manual_seed(1)
    scale = torch.empty(8, 1, 1, 1, dtype=torch.float64).bernoulli_(1 - rate) / (1 - rate)
    expected = torch.relu(x + block.body(x) * scale)
    expected.square().sum().backward()
    torch.testing.assert_close(y, expected)
    torch.testing.assert_close(got, [t.grad for t in (x, *block.parameters())])
    assert torch.equal(x, kept)


@pytest.mark.parametrize("model", [resnets(), efficient()], ids=["resnet", "efficientnet"])
def test_the_sum_of_a_block_takes_no_memory_of_its_own(model: Any) -> None:
    module = build(network(model, 4)).eval()
    blocks = [part for part in module.modules() if isinstance(part, Residual)]
    bodies: list[int] = []
    for block in blocks:
        block.body.register_forward_hook(lambda _m, _x, out: bodies.append(out.data_ptr()))
        block.register_forward_hook(lambda _m, _x, out: sums.append(out.data_ptr()))
    sums: list[int] = []
    module(torch.randn(2, 3, 32, 32))
    assert bodies == sums
    assert blocks


@pytest.mark.parametrize("model", [resnets(stem="rs"), efficient()], ids=["resnet", "efficientnet"])
def test_images_keep_their_memory_layout_through_the_network(model: Any) -> None:
    module = build(network(model, 4)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    wrong = []

    def check(part: nn.Module, _inputs: object, out: torch.Tensor) -> None:
        if out.ndim == 4 and not out.is_contiguous(memory_format=torch.channels_last):
            wrong.append(part)

    for part in module.modules():
        part.register_forward_hook(check)
    images = torch.randn(2, 3, 64, 64).contiguous(memory_format=torch.channels_last)
    assert torch.isfinite(module(images)).all()
    assert not wrong
    assert any(isinstance(part, SqueezeExcite) for part in module.modules())


@pytest.mark.slow
@pytest.mark.parametrize("model", [resnets(), efficient(depth=0.3)], ids=["resnet", "efficientnet"])
def test_the_network_is_one_graph_to_the_compiler(model: Any) -> None:
    module = build(network(model, 4))
    compiled = torch.compile(module, fullgraph=True, backend="aot_eager")
    images = torch.randn(2, 3, 32, 32)
    torch.testing.assert_close(compiled.eval()(images), module.eval()(images))
    compiled.train()(images).sum().backward()
    assert all(p.grad is not None for p in module.parameters())
