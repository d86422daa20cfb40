"""The command that exports the weights of a run."""

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.networks import EFFICIENTNET
from helpers.tiny import plain_execution, tiny
from helpers.weight_files import ONE_EPOCH, SMALL
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.data import data_info
from scaling_study.export import load
from scaling_study.export import main as export
from scaling_study.launch.job import Job
from scaling_study.models import network
from scaling_study.models.modules import build
from scaling_study.models.state_files import read_state


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
        ({"config.yaml": b"\xff\xfe\xff"}, "out.pth", "config.yaml: no UTF-8 text"),
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


FAMILIES = {
    "timm has it": SMALL,
    "our stem": ONE_EPOCH,
    "EfficientNet": ONE_EPOCH | {"model": EFFICIENTNET},
    "a user's": ONE_EPOCH
    | {
        "model": {
            **{"family": "helpers.stack_family", "depth": 1.5, "width": 0.5, "my_setting": 3},
        }
    },
}


@pytest.mark.slow
@pytest.mark.parametrize("weights", ["ema", "model"])
@pytest.mark.parametrize("out", ["network.safetensors", "network.pth"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_printed_lines_load_the_trained_network(
    family: str,
    out: str,
    weights: str,
    execution: ExecutionConfig,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    changes = dict(FAMILIES[family])
    run = tiny(**changes)
    job = Job(run, execution)
    assert job().status == "ok"
    run_dir = job.store.run_dir(run.run_id)
    monkeypatch.chdir(tmp_path)
    assert export([str(run_dir), "-o", out, "--weights", weights]) == 0
    told = capsys.readouterr().out
    whose = "timm's" if family == "timm has it" else "our own"
    assert f"wrote {out}, by {whose} names; in Python:\n" in told
    # The network as training had it.
    expected = build(network(run.model, data_info(run.data).n_classes))
    state = torch.load(run_dir / "checkpoint.pt", weights_only=True)[weights]
    expected.load_state_dict(state)
    images = torch.rand(3, 3, run.data.resolution, run.data.resolution)
    # Where the images of the run are does not matter.
    monkeypatch.setattr("scaling_study.data.data_info", None)
    found: dict[str, Any] = {}
    recipe = [line.strip() for line in told.splitlines() if line.startswith("  ")]
    assert len(recipe) == 2
    exec("\n".join(recipe), found)
    assert not found["network"].training
    torch.testing.assert_close(found["network"](images), expected.eval()(images), rtol=0, atol=0)


@pytest.mark.parametrize("names", ["timm", "own"])
@pytest.mark.xdist_group("ended")
def test_names_can_be_chosen(ended: Path, tmp_path: Path, names: str) -> None:
    out = tmp_path / "out.safetensors"
    assert export([str(ended), "-o", str(out), "--names", names]) == 0
    stored = read_state(out)
    own = torch.load(ended / "checkpoint.pt", weights_only=True)["ema"]
    assert ({*stored} == {*own}) == (names == "own")
    loaded = load(out, ended).state_dict()
    assert all(torch.equal(loaded[key], own[key]) for key in own)


@pytest.mark.xdist_group("ended")
def test_weights_of_another_network_are_refused(
    ended: Path, execution: ExecutionConfig, tmp_path: Path
) -> None:
    job = Job(tiny(**ONE_EPOCH), execution)
    assert job().status == "ok"
    out = tmp_path / "other.safetensors"
    assert export([str(job.store.run_dir(job.run.run_id)), "-o", str(out)]) == 0
    with pytest.raises(InputError, match=r"other\.safetensors is not the network of .*it lacks"):
        load(out, ended)
    with pytest.raises(InputError, match="is no state dict that can be read"):
        load(ended / "config.yaml", ended)


def test_timms_names_of_a_network_that_timm_does_not_have_are_refused(
    tmp_path: Path, execution: ExecutionConfig
) -> None:
    job = Job(tiny(**ONE_EPOCH), execution)
    assert job().status == "ok"
    run_dir, out = job.store.run_dir(job.run.run_id), tmp_path / "a.pth"
    words = [str(run_dir), "-o", str(out), "--names", "timm"]
    done = subprocess.run(
        [sys.executable, "-m", "scaling_study.export", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert (
        done.stderr == "error: model.stem=small: timm has no such network; it has plain, deep, rs\n"
    )
    assert not out.exists()
