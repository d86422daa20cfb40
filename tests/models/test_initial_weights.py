"""Runs that start from a file of weights, and files that are refused before a run."""

from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.commands import Command
from helpers.tiny import tiny
from helpers.weight_files import SMALL, weights, written
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.export import main as export
from scaling_study.launch.job import Job
from scaling_study.models import network, timm_weights
from scaling_study.models.modules import build
from scaling_study.models.state_files import read_state


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
        ("timm:weights.npz", SMALL, "must be none, timm:PATH of a state dict"),
        ("torchvision:w.pth", SMALL, "must be none, timm:PATH"),
        (3, SMALL, "must be none, timm:PATH"),
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
        trained = read_state(out)
        assert trained.keys() == state.keys()
        torch.testing.assert_close(trained["fc.weight"], state["fc.weight"])
        torch.testing.assert_close(trained["layer4.0.conv3.weight"], state["layer4.0.conv3.weight"])
