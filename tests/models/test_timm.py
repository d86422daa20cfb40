"""timm's state dicts into our modules and back, on names and shapes that timm itself made.

tests/data/timm_resnetrs.json.gz is the output of `benchmarks/timm_parity.py --keys`, with timm
1.0.31; the same script compares the numbers with timm's own.
"""

import gzip
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from helpers.commands import Command
from helpers.tiny import plain_execution, tiny
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.export import main as export
from scaling_study.launch.job import Job
from scaling_study.models import network, timm_weights
from scaling_study.models.initial_weights import initial_weights
from scaling_study.models.modules import build

LISTS: dict[str, list[tuple[str, list[int]]]] = json.loads(
    gzip.decompress((Path(__file__).parent / "timm_resnetrs.json.gz").read_bytes())
)
# As small as its data lets it be, but with a stem that timm has.
ONE_EPOCH = {"train.epochs": 1, "train.warmup_epochs": 0}
SMALL = ONE_EPOCH | {"model.stem": "rs", "data.resolution": 32}


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


def weights(run: RunConfig, classes: int, seed: int = 0) -> dict[str, Tensor]:
    """A state dict by timm's names for the run's network, of numbers that nothing else has."""
    torch.manual_seed(seed)
    state = build(network(run.model, classes)).state_dict()
    table = timm_weights.names(run.model)
    return {
        f"{table[key.rpartition('.')[0]]}.{key.rpartition('.')[2]}": torch.rand_like(t)
        if t.is_floating_point()
        else t + 7
        for key, t in state.items()
    }


def written(file: Path, state: dict[str, Any]) -> Path:
    if file.suffix == ".safetensors":
        save_file(state, file)
    else:
        torch.save(state, file)
    return file


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


def test_the_content_of_the_file_is_the_runs_identity_and_its_place_is_not(tmp_path: Path) -> None:
    one, copy, other = (tmp_path / name for name in ("one.pth", "copy.pth", "other.pth"))
    one.write_bytes(b"weights")
    copy.write_bytes(b"weights")
    other.write_bytes(b"other weights")
    ids = [tiny(**SMALL, init=f"timm:{file}").run_id for file in (one, copy, other)]
    assert ids[0] == ids[1] != ids[2]
    assert tiny(**SMALL).run_id not in ids
    run = tiny(**SMALL, init=f"timm:{one}")
    one.write_bytes(b"changed weights")
    assert tiny(**SMALL, init=f"timm:{one}").run_id != run.run_id
    assert run.init is not None
    with pytest.raises(InputError, match="has changed since it was planned"):
        timm_weights.load(build(network(run.model, 4)), run.model, run.init)


@pytest.mark.parametrize(
    ("init", "changes", "said"),
    [
        ("timm:missing.pth", SMALL, "init: cannot read .*missing.pth"),
        ("timm:weights.npz", SMALL, "must be none or timm:PATH of a state dict"),
        ("torchvision:w.pth", SMALL, "must be none or timm:PATH"),
        (3, SMALL, "must be none or timm:PATH"),
        ("timm:FILE", {}, "model.stem=small: timm has no such network; it has plain, deep, rs"),
        ("timm:FILE", SMALL | {"model.stride_in": "conv1"}, "bottleneck blocks have conv2"),
    ],
)
def test_bad_init_is_refused_before_anything_runs(
    tmp_path: Path, init: Any, changes: dict[str, Any], said: str
) -> None:
    file = tmp_path / "w.pth"
    file.write_bytes(b"x")
    init = init.replace("FILE", str(file)) if isinstance(init, str) else init
    with pytest.raises(InputError, match=said):
        tiny(**changes, init=init)


def test_a_file_of_another_network_stops_a_sweep_before_it_starts(
    tmp_path: Path, sweep_here: Command
) -> None:
    """A file fits one depth of a grid of two, and no run is trained."""
    file = written(tmp_path / "w.safetensors", weights(tiny(**SMALL), 10))
    small = ("++model.stem=rs", "++data.resolution=32", f"++init=timm:{file}", "results_dir=out")
    found = sweep_here("+grid=smoke", *small)
    assert found.returncode == 2
    assert "init: w.safetensors is not this model's: it lacks layer1.1.conv1.weight" in found.stderr
    assert not list(tmp_path.glob("out/runs/*"))
    one = ("grid.axes.depth=[14]", "dry_run=true")
    fits = sweep_here("+grid=smoke", *small, *one)
    assert fits.returncode == 0, fits.stderr


def test_a_file_that_does_not_fit_stops_a_single_run_before_it_starts(
    tmp_path: Path, command_here: Command
) -> None:
    state = weights(tiny(**SMALL), 10)
    good = written(tmp_path / "w.safetensors", state)
    (tmp_path / "torn.safetensors").write_bytes(good.read_bytes()[:-1000])
    small = ("model=resnet_rs", "model.depth=14", "model.width=0.125", "data.resolution=32")
    for init, more, said in (
        ("torn.safetensors", (), "torn.safetensors is no state dict that can be read"),
        ("w.safetensors", ("model.se_ratio=0",), "w.safetensors is not this model's: it has"),
    ):
        done = command_here("scaling_study.train", *small, f"init=timm:{init}", *more)
        assert done.returncode == 2
        assert done.stderr.startswith("error: init: ")
        assert said in done.stderr
        assert len(done.stderr.splitlines()) == 1
    assert not list(tmp_path.glob("results/runs/*/*"))


@pytest.mark.parametrize("content", [[torch.zeros(1)], {1: torch.zeros(1)}, {"a": 1}])
def test_a_file_of_something_else_is_refused(tmp_path: Path, content: Any) -> None:
    init = initial_weights(f"timm:{written(tmp_path / 'w.pth', content)}")
    assert init is not None
    with pytest.raises(InputError, match="holds something else than a state dict"):
        timm_weights.check(tiny(**SMALL).model, init)


def test_a_run_starts_from_the_weights_and_is_exported(
    tmp_path: Path, execution: ExecutionConfig
) -> None:
    state = weights(tiny(**SMALL), 4)
    file = written(tmp_path / "w.safetensors", state)
    # A rate so small that the weights stay where they began.
    run = tiny(**SMALL, init=f"timm:{file}", **{"train.lr_per_256": 1e-30, "train.weight_decay": 0})
    job = Job(run, execution)
    assert job().status == "ok"
    run_dir = job.store.run_dir(run.run_id)
    out = tmp_path / "out.safetensors"
    for kind in ("model", "ema"):
        assert export([str(run_dir), "-o", str(out), "--weights", kind]) == 0
        trained = timm_weights._read(out)
        assert trained.keys() == state.keys()
        torch.testing.assert_close(trained["fc.weight"], state["fc.weight"])
        torch.testing.assert_close(trained["layer4.0.conv3.weight"], state["layer4.0.conv3.weight"])


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """Folder of a run of a network that timm has."""
    job = Job(tiny(**SMALL), plain_execution(tmp_path_factory.mktemp("results"), cache_dir))
    assert job().status == "ok"
    return job.store.run_dir(job.run.run_id)


@pytest.mark.xdist_group("ended")
@pytest.mark.parametrize(
    ("damage", "out", "said"),
    [
        ({}, "out.onnx", "must end in .safetensors or .pth"),
        ({}, "nowhere/out.safetensors", "out.safetensors: cannot be written"),
        ({}, "nowhere/out.pth", "out.pth: cannot be written"),
        ({"config.yaml": None}, "out.pth", "no run is there"),
        ({"config.yaml": b""}, "out.pth", "config.yaml: it holds no settings"),
        ({"config.yaml": b"a: [1"}, "out.pth", "config.yaml: no YAML (while parsing"),
        ({"config.yaml": b"\xff\xfe\xff"}, "out.pth", "config.yaml: no YAML ("),
        ({"config.yaml": b"data: {}"}, "out.pth", "config.yaml: model=None: must be a group"),
        ({"checkpoint.pt": None}, "out.pth", "checkpoint.keep=final"),
        ({"checkpoint.pt": b""}, "out.pth", "there is no checkpoint that can be read"),
        ({"checkpoint.pt": b"PK torn"}, "out.pth", "there is no checkpoint that can be read"),
    ],
)
def test_what_cannot_be_exported_is_one_message(
    ended: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: dict[str, bytes | None],
    out: str,
    said: str,
) -> None:
    run_dir = shutil.copytree(ended, tmp_path / "run")
    for name, content in damage.items():
        (run_dir / name).unlink()
        if content is not None:
            (run_dir / name).write_bytes(content)
    assert export([str(run_dir), "-o", str(tmp_path / out)]) == 2
    told = capsys.readouterr().err
    assert told.startswith("error: ")
    assert said in told
    assert len(told.splitlines()) == 1


@pytest.mark.xdist_group("ended")
def test_export_falls_back_to_the_previous_checkpoint(
    ended: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_dir, out = shutil.copytree(ended, tmp_path / "run"), tmp_path / "out.safetensors"
    whole = (run_dir / "checkpoint.pt").read_bytes()
    assert export([str(run_dir), "-o", str(out)]) == 0
    expected = out.read_bytes()
    (run_dir / "checkpoint.prev.pt").write_bytes(whole)
    (run_dir / "checkpoint.pt").write_bytes(whole[: len(whole) // 2])
    assert export([str(run_dir), "-o", str(out)]) == 0
    assert out.read_bytes() == expected
    assert "warning: checkpoint.pt is unreadable" in capsys.readouterr().out


def test_export_of_a_network_that_timm_does_not_have_is_refused(
    tmp_path: Path, execution: ExecutionConfig
) -> None:
    job = Job(tiny(**ONE_EPOCH), execution)
    assert job().status == "ok"
    run_dir = job.store.run_dir(job.run.run_id)
    done = subprocess.run(
        [sys.executable, "-m", "scaling_study.export", str(run_dir), "-o", str(tmp_path / "a.pth")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert (
        done.stderr == "error: model.stem=small: timm has no such network; it has plain, deep, rs\n"
    )
