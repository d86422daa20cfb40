"""timm's state dicts into our modules and back, on names and shapes that timm itself made.

tests/models/timm_resnetrs.json.gz is the output of `benchmarks/timm_parity.py --keys`, with timm
1.0.31; the same script compares the numbers with timm's own.
"""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from helpers.tiny import tiny
from helpers.weight_files import SMALL, weights, written
from scaling_study.common.errors import InputError
from scaling_study.config.run import RunConfig
from scaling_study.models import network, timm_weights
from scaling_study.models.initial_weights import initial_weights
from scaling_study.models.modules import build

LISTS: dict[str, list[tuple[str, list[int]]]] = json.loads(
    gzip.decompress((Path(__file__).parent / "timm_resnetrs.json.gz").read_bytes())
)


def resnet_rs(depth: int) -> RunConfig:
    return tiny(**{"model.depth": depth, "model.width": 1, "model.stem": "rs"})


@pytest.mark.parametrize("name", LISTS)
def test_names_and_shapes_are_timms(name: str) -> None:
    model = resnet_rs(int(name.removeprefix("resnetrs"))).model
    with torch.device("meta"):
        state = build(network(model, 1000)).state_dict()
    table = timm_weights.names(model)
    ours = []
    for key, tensor in state.items():
        layer, _, part = key.rpartition(".")
        ours.append((f"{table[layer]}.{part}", list(tensor.shape)))
    assert sorted(ours) == sorted((key, shape) for key, shape in LISTS[name])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"stem": "plain", "shortcut": "projection", "se_ratio": 0},
            {"conv1", "bn1", "layer2.0.downsample.0", "layer2.0.downsample.1", "layer4.0.bn3"},
        ),
        (
            {"stem": "deep", "se_ratio": 0},
            {"conv1.6", "bn1", "layer2.0.downsample.1", "layer2.0.downsample.2"},
        ),
        (
            {"block": "basic", "depth": 18, "stride_in": "conv1", "stem": "plain"},
            {"layer1.0.conv2", "layer1.1.bn2", "layer4.1.se.fc2", "fc"},
        ),
    ],
)
def test_other_resnets_have_timms_names_too(changes: dict[str, Any], expected: set[str]) -> None:
    model = tiny(**{f"model.{key}": value for key, value in changes.items()}).model
    names = set(timm_weights.names(model).values())
    assert expected <= names
    assert not any("maxpool" in name for name in names)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "wrapped.pth"])
def test_weights_arrive_and_come_back_bit_for_bit(tmp_path: Path, name: str) -> None:
    run = tiny(**SMALL)
    state = weights(run, 4)
    file = written(tmp_path / name, {"state_dict": state} if "wrapped" in name else state)
    module = build(network(run.model, 4)).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    init = initial_weights(f"timm:{file}")
    assert init is not None
    timm_weights.load(module, run.model, init)
    assert torch.equal(module.state_dict()["0.weight"], state["conv1.0.weight"])
    for back in (tmp_path / "back.safetensors", tmp_path / "back.pth"):
        timm_weights.export(module.state_dict(), run.model, back)
        again = timm_weights._read(back)
        assert again.keys() == state.keys()
        assert all(torch.equal(again[key], tensor) for key, tensor in state.items())


def test_another_number_of_classes_keeps_the_drawn_classifier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tiny(**SMALL)
    state = {k: t for k, t in weights(run, 10).items() if not k.endswith("num_batches_tracked")}
    init = initial_weights(f"timm:{written(tmp_path / 'w.pth', state)}")
    assert init is not None
    module = build(network(run.model, 4))
    drawn = module[-1].weight.clone()
    timm_weights.load(module, run.model, init)
    assert torch.equal(module[-1].weight, drawn)
    assert torch.equal(module[0].weight, state["conv1.0.weight"])
    assert "w.pth has 10 classes, not 4: the classifier is drawn anew" in capsys.readouterr().out


def test_a_file_of_another_network_is_refused_with_what_differs(tmp_path: Path) -> None:
    run = tiny(**SMALL)
    state = weights(run, 4)
    wrong = {
        "lacks layer1.0.bn1.bias": {k: t for k, t in state.items() if k != "layer1.0.bn1.bias"},
        "has beside them head.weight": state | {"head.weight": torch.zeros(1)},
        r"has fc.weight \(4, 7\) instead of \(4, 256\)": state | {"fc.weight": torch.zeros(4, 7)},
        "lacks conv1.0.weight, .* and [0-9]+ more": {"a": torch.zeros(1)},
    }
    for i, (said, content) in enumerate(wrong.items()):
        init = initial_weights(f"timm:{written(tmp_path / f'{i}.safetensors', content)}")
        assert init is not None
        module = build(network(run.model, 4))
        before = {key: tensor.clone() for key, tensor in module.state_dict().items()}
        with pytest.raises(InputError, match=said):
            timm_weights.load(module, run.model, init)
        assert all(torch.equal(before[k], t) for k, t in module.state_dict().items())


RANDOM = np.random.default_rng(0).bytes(500)


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth"])
@pytest.mark.parametrize(
    "content",
    [b"", b"hello\n", b"\x80\x02}q\x00X", b"PK\x03\x04 torn", b"\x10" + bytes(40), RANDOM],
)
def test_a_damaged_file_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    init = initial_weights(f"timm:{tmp_path / name}")
    run = tiny(**SMALL)
    assert init is not None
    with pytest.raises(InputError, match=r"no state dict that can be read \(\w+"):
        timm_weights.load(build(network(run.model, 4)), run.model, init)


class Executed:
    def __reduce__(self) -> tuple[Any, ...]:
        return print, ("executed",)


def test_nothing_in_a_file_is_executed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    init = initial_weights(f"timm:{written(tmp_path / 'w.pth', {'a': Executed()})}")
    run = tiny(**SMALL)
    assert init is not None
    with pytest.raises(InputError, match="no state dict that can be read"):
        timm_weights.load(build(network(run.model, 4)), run.model, init)
    assert "executed" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [[torch.zeros(1)], {1: torch.zeros(1)}, {"a": 1}])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: Any) -> None:
    init = initial_weights(f"timm:{written(tmp_path / 'w.pth', content)}")
    assert init is not None
    with pytest.raises(InputError, match="holds something else than a state dict"):
        timm_weights.check(tiny(**SMALL).model, init)
