"""`timm:NAME` with a package called timm in a folder of the test's, and without one."""

import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.tiny import tiny
from scaling_study.common.errors import InputError
from scaling_study.config.run import RunConfig
from scaling_study.models import timm_family
from scaling_study.models.modules import module_for

TIMM = """
from torch import nn

made = []


def list_models():
    return ["tiny_net", "sized_net"]


def is_model(name):
    return name in list_models()


def create_model(name, num_classes, channels=8, depth=1, **more):
    made.append((name, more))
    if name == "tiny_net" and "img_size" in more:
        raise TypeError("img_size")
    body = [nn.Conv2d(3, channels, 3, padding=1)]
    body += [nn.Conv2d(channels, channels, 3, padding=1) for _ in range(depth - 1)]
    head = nn.Linear(channels, num_classes)
    return nn.Sequential(*body, nn.AdaptiveAvgPool2d(1), nn.Flatten(), head)
"""
# As torchvision does beside a torch for CPUs.
NEEDS_TORCHVISION = """
import torch

torch.library.register_fake("torchvision::nms")(lambda *a: None)
"""


@pytest.fixture
def timm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The package's file."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "timm"]:
        monkeypatch.delitem(sys.modules, name)
    (tmp_path / "timm").mkdir()
    (tmp_path / "timm" / "__init__.py").write_text(TIMM, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path / "timm" / "__init__.py"


def run(name: str, arguments: str = "", **sizes: Any) -> RunConfig:
    family = {"family": f"timm:{name}", "depth": 1, "width": 1, "arguments": arguments}
    return tiny(model=family | sizes)


@pytest.mark.usefixtures("timm")
def test_arguments_scale_a_network() -> None:
    scaled = run("tiny_net", "channels=16*width, depth=depth", depth=3, width=0.5)
    module = module_for(scaled.model, 4, 16)
    weights = sum(weight.numel() for weight in module.parameters())
    assert weights == (3 * 9 + 1) * 8 + 2 * (8 * 9 + 1) * 8 + (8 + 1) * 4


@pytest.mark.usefixtures("timm")
def test_networks_that_have_an_image_size_get_it() -> None:
    import timm  # type: ignore[import-not-found]

    for name in ("sized_net", "tiny_net"):
        module_for(run(name).model, 4, 16)
    assert timm.made == [
        ("sized_net", {"img_size": 16}),
        ("tiny_net", {"img_size": 16}),
        ("tiny_net", {}),
    ]


@pytest.mark.usefixtures("timm")
def test_the_version_is_part_of_the_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scaling_study.models.version", lambda: "1.0")
    first = run("tiny_net")
    assert first.code == {"timm": "1.0"}
    monkeypatch.setattr("scaling_study.models.version", lambda: "1.1")
    assert run("tiny_net").run_id != first.run_id


@pytest.mark.usefixtures("timm")
@pytest.mark.parametrize(
    ("arguments", "sizes", "message"),
    [
        ("", {"depth": 2}, r"model.depth=2: must be 1, or model.arguments must say what depth"),
        ("depth=open(1)", {}, r"open\(1\) is not NAME=VALUE"),
        ("depth=", {}, r"it is not NAME=VALUE"),
        ("3", {}, r"it is not NAME=VALUE"),
        ("depth=epochs", {}, r"epochs is not NAME=VALUE"),
        ("depth=1//0", {}, r"1 // 0 is not NAME=VALUE"),
    ],
)
def test_bad_arguments_are_named(arguments: str, sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        run("tiny_net", arguments, **sizes)


@pytest.mark.usefixtures("timm")
def test_a_network_that_timm_lacks_is_named() -> None:
    with pytest.raises(InputError, match=r"has no such network \(did you mean tiny_net\?\)"):
        module_for(run("tiny_nett").model, 4, 16)


def test_without_timm_it_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"timm is not installed; pip install .*\[timm\]"):
        run("resnet18")


def test_operations_that_torchvision_cannot_load_are_declared(timm: Path) -> None:
    timm.write_text(NEEDS_TORCHVISION + TIMM, encoding="utf-8")
    assert module_for(run("tiny_net").model, 4, 16)
    assert timm_family._libraries
