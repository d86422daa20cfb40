"""Modules without numbers: as torch's own on the meta device, at less work."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from helpers.commands import environment
from helpers.tiny import composed
from scaling_study.models.modules import module_for
from scaling_study.models.shapes_alone import shapes_alone

ROOT = Path(__file__).resolve().parents[2]
FAMILIES = ("resnet", "efficientnet", "convnext", "vit")


@pytest.mark.parametrize("name", FAMILIES)
def test_tensors_are_those_of_the_meta_device(name: str) -> None:
    model = composed(f"model={name}").model
    with torch.device("meta"):
        wanted = module_for(model, 7, 32).state_dict()
    with shapes_alone():
        found = module_for(model, 7, 32).state_dict()
    assert [*found] == [*wanted]
    for key, tensor in found.items():
        assert tensor.is_meta
        assert (tensor.shape, tensor.dtype) == (wanted[key].shape, wanted[key].dtype)


def test_what_has_numbers_is_drawn_as_ever() -> None:
    torch.manual_seed(3)
    wanted = torch.empty(4, device="cpu").normal_()
    torch.manual_seed(3)
    with shapes_alone():
        found = nn.init.normal_(torch.empty(4, device="cpu"))
        assert nn.Linear(2, 3).weight.is_meta
    assert torch.equal(found, wanted)
    assert not nn.Linear(2, 3).weight.is_meta


@pytest.mark.slow
def test_the_compiler_is_not_loaded() -> None:
    script = (
        "import sys; from torch import nn\n"
        "from scaling_study.models.shapes_alone import shapes_alone\n"
        "with shapes_alone(): nn.init.normal_(nn.Conv2d(3, 4, 3).weight)\n"
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        env=environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["False"]
