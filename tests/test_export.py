"""The command that exports the weights of a run."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.tiny import plain_execution, tiny
from helpers.weight_files import ONE_EPOCH, SMALL
from scaling_study.config.execution import ExecutionConfig
from scaling_study.export import main as export
from scaling_study.launch.job import Job


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
