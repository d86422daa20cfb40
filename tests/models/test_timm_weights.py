"""timm's state dicts into our modules and back, on names and shapes that timm itself made.

tests/models/timm_*.json.gz are outputs of `benchmarks/timm_parity.py --keys`, with timm 1.0.31, the
second with the names efficientnet_b0, _b3 and _b7; the script compares the numbers with timm's own.
"""

import argparse
import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from helpers.tiny import composed, tiny
from helpers.weight_files import SMALL, weights, written
from scaling_study.common.errors import InputError
from scaling_study.config.run import RunConfig
from scaling_study.models import network, timm_names, timm_weights
from scaling_study.models.initial_weights import initial_weights
from scaling_study.models.modules import build
from scaling_study.models.state_files import read_state

LISTS: dict[str, list[tuple[str, list[int]]]] = {
    name: keys
    for file in ("timm_resnetrs.json.gz", "timm_efficientnets.json.gz")
    for name, keys in json.loads(
        gzip.decompress((Path(__file__).parent / file).read_bytes())
    ).items()
}


def resnet_rs(depth: int) -> RunConfig:
    return tiny(**{"model.depth": depth, "model.width": 1, "model.stem": "rs"})


@pytest.mark.slow
@pytest.mark.parametrize("name", LISTS)
def test_names_and_shapes_are_timms(name: str) -> None:
    if name.startswith("efficientnet"):
        model = composed(f"+preset={name}").model
    else:
        model = resnet_rs(int(name.removeprefix("resnetrs"))).model
    with torch.device("meta"):
        state = build(network(model, 1000)).state_dict()
    table = timm_names.names(model)
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
    names = set(timm_names.names(model).values())
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
        again = read_state(back)
        assert again.keys() == state.keys()
        assert all(torch.equal(again[key], tensor) for key, tensor in state.items())


def assert_all_but_the_classifier_is_loaded(path: Path, state: dict[str, Tensor]) -> None:
    """Into a network of four classes, from a file with this state."""
    run, init = tiny(**SMALL), initial_weights(f"timm:{written(path, state)}")
    assert init is not None
    module = build(network(run.model, 4))
    drawn = module[-1].weight.clone()
    timm_weights.load(module, run.model, init)
    assert torch.equal(module[-1].weight, drawn)
    assert torch.equal(module[0].weight, state["conv1.0.weight"])


def test_another_number_of_classes_keeps_the_drawn_classifier(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = weights(tiny(**SMALL), 10)
    state = {k: t for k, t in state.items() if not k.endswith("num_batches_tracked")}
    assert_all_but_the_classifier_is_loaded(tmp_path / "w.pth", state)
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


class System:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("echo executed",)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("harmful", [Executed(), System()])
def test_nothing_in_a_file_is_executed(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], harmful: object, zipped: bool
) -> None:
    run, file = tiny(**SMALL), tmp_path / "w.pth"
    for content in ({"a": harmful}, {"state_dict": {}, "args": harmful}, harmful):
        torch.save(content, file, _use_new_zipfile_serialization=zipped)
        init = initial_weights(f"timm:{file}")
        assert init is not None
        with pytest.raises(InputError):
            timm_weights.load(build(network(run.model, 4)), run.model, init)
    assert "executed" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("zipped", [True, False])
def test_a_training_scripts_checkpoint_gives_its_averaged_weights(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], zipped: bool
) -> None:
    """As timm's train.py writes it, with `args`, and wrapped by torch.compile and DDP."""
    run = tiny(**SMALL)
    live, averaged = weights(run, 4), weights(run, 4, seed=1)
    content = {
        "epoch": 3,
        "arch": "resnetrs50",
        "state_dict": {f"module._orig_mod.{key}": t for key, t in live.items()},
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
        "args": argparse.Namespace(lr=0.1, output=Path("/nowhere"), harm=Executed()),
        "state_dict_ema": {f"module.{key}": t for key, t in averaged.items()},
    }
    file = tmp_path / "model_best.pth.tar"
    torch.save(content, file, _use_new_zipfile_serialization=zipped)
    module = build(network(run.model, 4))
    init = initial_weights(f"timm:{file}")
    assert init is not None
    timm_weights.load(module, run.model, init)
    found = timm_weights.renamed(module.state_dict(), run.model)
    assert all(torch.equal(found[key], tensor) for key, tensor in averaged.items())
    said = capsys.readouterr().out
    assert "model_best.pth.tar: not used: epoch, arch, state_dict, optimizer, args, " in said
    assert "objects of argparse.Namespace, which are not read" in said
    assert "executed" not in said


def test_a_file_without_a_classifier_keeps_the_drawn_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    state = {k: t for k, t in weights(tiny(**SMALL), 4).items() if not k.startswith("fc.")}
    assert_all_but_the_classifier_is_loaded(tmp_path / "w.safetensors", state)
    assert "w.safetensors has no classifier: it is drawn anew" in capsys.readouterr().out


def test_an_efficientnets_weights_arrive_with_a_word_on_what_computes_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = composed("model=efficientnet", "model.width=0.25", "model.depth=0.5")
    state = weights(run, 7)
    init = initial_weights(f"timm:{written(tmp_path / 'w.pth', state)}")
    assert init is not None
    module = build(network(run.model, 7))
    timm_weights.load(module, run.model, init)
    found = timm_weights.renamed(module.state_dict(), run.model)
    assert all(torch.equal(found[key], tensor) for key, tensor in state.items())
    assert "eps 1e-5" in capsys.readouterr().out


@pytest.mark.parametrize("content", [[torch.zeros(1)], {1: torch.zeros(1)}, {"a": 1}])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: Any) -> None:
    init = initial_weights(f"timm:{written(tmp_path / 'w.pth', content)}")
    assert init is not None
    with pytest.raises(InputError, match="holds something else than a state dict"):
        timm_weights.check(tiny(**SMALL).model, init)
