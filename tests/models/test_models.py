"""Modules of layers: initial weights, stochastic depth, memory layout; families by name."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from helpers.tiny import TINY, tiny
from scaling_study.common.errors import InputError
from scaling_study.common.extensions import module_names
from scaling_study.config.run import run_config
from scaling_study.models import families, family, network
from scaling_study.models.families import efficientnet, resnet
from scaling_study.models.layers import BatchNorm, Conv, Dropout, Linear, ReLU, Shape, total
from scaling_study.models.layers import Residual as Blocks
from scaling_study.models.layers import SqueezeExcite as Gate
from scaling_study.models.modules import Residual, SqueezeExcite, build, module_of

EFFICIENTNET = {
    "family": "efficientnet",
    "depth": 1,
    "width": 0.25,
    "stem": "small",
    "se_ratio": 0.25,
    "bn_momentum": 0.01,
    "dropout": 0.2,
    "stochastic_depth": 0.2,
}


def efficient(**changes: Any) -> efficientnet.EfficientNetConfig:
    model = run_config(TINY | {"model": EFFICIENTNET | changes}).model
    assert isinstance(model, efficientnet.EfficientNetConfig)
    return model


def resnets(**changes: Any) -> resnet.ResNetConfig:
    model = tiny(**{f"model.{name}": value for name, value in changes.items()}).model
    assert isinstance(model, resnet.ResNetConfig)
    return model


@pytest.mark.parametrize(
    ("conv", "init", "std"),
    [
        (Conv(64, 128, 3), "he", math.sqrt(2 / (9 * 128))),
        (Conv(64, 128, 3), "xavier", math.sqrt(2 / (9 * 64 + 9 * 128))),
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


CONFIGS = {"resnet": resnets(), "efficientnet": efficient()}


@pytest.mark.parametrize("name", module_names(families))
def test_a_family_can_build_what_it_declares(name: str) -> None:
    declared, config = family(name), CONFIGS[name]
    depths = list(declared.depths(config))
    assert depths == sorted(set(depths))
    least = math.ceil(declared.smallest_width(config) / declared.width_step - 1e-9)
    flops = []
    for depth in depths:
        for steps in (least, least + 1, 5 * least):
            width = declared.nth_width(steps)
            values = vars(config) | {"depth": depth, "width": width}
            net = declared.network(type(config)(**values), 10)
            flops.append(total(net.layers, Shape(3, 2 * net.stride))[1].flops)
    assert flops[0] > 0
    assert flops[0::3] == sorted(flops[0::3])
    assert flops[2::3] == sorted(flops[2::3])


def test_a_width_without_channels_is_refused() -> None:
    for stem, least in (("rs", 1 / 32), ("deep", 1 / 32), ("plain", 1 / 64), ("small", 1 / 64)):
        network(resnets(stem=stem, width=least), 4)
        with pytest.raises(InputError, match=r"no channel is left .* the smallest width is 0.0"):
            network(resnets(stem=stem, width=0.999 * least), 4)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model.depth", 18, "model.depth=18: no ResNet layout; known depths: 14, 26"),
        ("model.block", "basic", "known depths: 10, 18, 34 (model.block=basic)"),
        ("model.stem", "imagenet", "unknown stem; known: plain, deep, rs, small"),
        ("model.shortcut", "none", "unknown shortcut; known: projection, average"),
        ("model.init", "zero", "unknown init; known: he, xavier"),
        ("model.bn_momentum", 0, "must be in (0, 1]"),
        ("model.family", "resnext", "unknown family; known: efficientnet, resnet, or the import"),
        ("model.family", "nowhere.resnext", "unknown family"),
        ("model.family", ".resnet", "unknown family"),
        ("model.family", "scaling_study.errors", "declares no FAMILY"),
    ],
)
def test_bad_pieces_are_named_with_what_is_accepted(key: str, value: object, said: str) -> None:
    with pytest.raises(InputError) as raised:
        network(tiny(**{key: value}).model, 4)
    assert said in str(raised.value)


def test_basic_blocks_have_their_stride_where_they_have_it() -> None:
    with pytest.raises(InputError, match="basic blocks have their stride in conv1"):
        network(resnets(block="basic", depth=18, stride_in="conv2"), 4)


def test_a_file_in_the_folder_of_families_is_a_family(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Path(resnet.__file__).read_text(encoding="utf-8")
    (tmp_path / "residual.py").write_text(source, encoding="utf-8")
    (tmp_path / "broken.py").write_text("import a_package_that_is_missing\n", encoding="utf-8")
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path)])
    assert module_names(families) == ["broken", "efficientnet", "residual", "resnet"]
    assert tiny(**{"model.family": "residual"}).model.depth == 14
    # What a family lacks is its own affair, not a family that is not there.
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_missing"):
        family("broken")


@pytest.mark.parametrize(("phi", "expected"), [(0, (1, 1, 224)), (1, (1.2, 1.1, 258))])
def test_compound_scaling_follows_its_coefficients(phi: float, expected: tuple[float, ...]) -> None:
    assert efficientnet.compound(phi) == expected


def test_compound_scaling_doubles_the_flops_with_every_unit() -> None:
    flops = []
    for phi in range(6):
        depth, width, side = efficientnet.compound(phi)
        layers = network(efficient(depth=depth, width=width, stem="imagenet"), 1000).layers
        flops.append(total(layers, Shape(3, side))[1].flops)
    # Blocks and channels are rounded, so single steps are off; 1.2 x 1.1^2 x 1.15^2 is 1.92.
    assert (flops[-1] / flops[0]) ** (1 / 5) == pytest.approx(1.92, rel=0.1)
