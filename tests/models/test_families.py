"""Families by name: what they declare they build, and which settings they refuse."""

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from helpers.networks import efficient, resnets
from helpers.tiny import composed, tiny
from scaling_study.common.errors import InputError
from scaling_study.common.extensions import module_names
from scaling_study.models import families, family, network
from scaling_study.models.families import efficientnet, resnet
from scaling_study.models.layers import Shape, total
from scaling_study.models.modules import module_for

CONFIGS = {"resnet": resnets(), "efficientnet": efficient()}
MODULES = ("convnext", "vit")


def test_every_family_ships_with_settings() -> None:
    assert {*CONFIGS, *MODULES} == {*module_names(families)}


@pytest.mark.parametrize("name", CONFIGS)
def test_a_family_can_build_what_it_declares(name: str) -> None:
    declared, config = family(name), CONFIGS[name]
    assert declared.network
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


@pytest.mark.slow
@pytest.mark.parametrize("name", MODULES)
def test_a_family_of_modules_can_build_what_it_declares(name: str) -> None:
    declared, config = family(name), composed(f"model={name}").model
    depths, smallest = list(declared.depths(config)), declared.smallest_width(config)
    assert depths == sorted(set(depths))
    sizes, side = [], 2 * declared.image_step(config, 10)
    for depth in (*depths[:3], depths[-1]):
        for width in (smallest, declared.nth_width(round(smallest / declared.width_step) + 1)):
            with torch.device("meta"):
                model = replace(config, depth=depth, width=width)
                module = module_for(model, 10, side)
                assert module(torch.empty(2, 3, side, side)).shape == (2, 10)
            sizes.append(sum(weight.numel() for weight in module.parameters()))
    assert sizes[::2] == sorted(set(sizes[::2]))
    assert sizes[1::2] == sorted(set(sizes[1::2]))


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
        ("model.stem", "imagenet", "unknown stem; known: plain, deep, rs, small, cifar"),
        ("model.shortcut", "none", "unknown shortcut; known: projection, average"),
        ("model.init", "zero", "unknown init; known: he, xavier"),
        ("model.weight_init", "he", "unknown weight_init; known: default, lecun"),
        ("model.activation", "gelu", "unknown activation; known: relu, silu"),
        ("model.bn_momentum", 0, "must be in (0, 1]"),
        (
            "model.family",
            "resnext",
            "unknown family; known: convnext, efficientnet, resnet, vit, or the import",
        ),
        ("model.family", "nowhere.resnext", "unknown family"),
        ("model.family", ".resnet", "unknown family"),
        ("model.family", "scaling_study.errors", "declares no FAMILY"),
    ],
)
def test_bad_pieces_are_named_with_what_is_accepted(key: str, value: object, said: str) -> None:
    with pytest.raises(InputError) as raised:
        network(tiny(**{key: value}).model, 4)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train.freeze", "[backbone]"),
        ("train.lr_multipliers", "['head=2']"),
        ("train.common_random_numbers", "true"),
        ("train.resolutions", "[16,32]"),
    ],
)
def test_what_takes_layers_is_refused_for_families_of_modules(key: str, value: str) -> None:
    with pytest.raises(InputError, match=rf"{key}=.*modul.*give none|{key}=true: needs a family"):
        composed("model=vit", "data.resolution=32", f"{key}={value}")


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
    assert {"broken", "residual", "resnet"} < {*module_names(families)}
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
