"""What a job's processes find of the cores and the memory that they asked a real SLURM for."""

import shlex
import sys
from pathlib import Path

import pytest

from study import Study

pytestmark = pytest.mark.slurm
ROOT = Path(__file__).resolve().parents[2]
SHOW = "from scaling_study.common.device import cpu_cores; print(cpu_cores())"


def test_a_job_knows_its_cores_and_asks_for_the_memory_of_its_run(study: Study) -> None:
    """The loader's workers are the job's cores, though the machine has others."""
    out = study.folder / "cores"
    python = f"PYTHONPATH={shlex.quote(str(ROOT))} {shlex.quote(sys.executable)}"
    setup = f"{python} -c {shlex.quote(SHOW)} > {shlex.quote(str(out))}"
    lines = ("launcher.cpus=1", "launcher.memory_gb_per_run=2", "loader.workers=auto")
    done = study.sweep("grid.axes.seed=[0]", *lines, f'launcher.setup=["{setup}"]')
    assert done.returncode == 0, done.stderr
    assert " 1 CPUs, 0 GPUs" in done.stdout
    study.wait(ok=1)
    assert out.read_text() == "1\n"  # the machine has two or more


def test_cores_of_the_loader_are_in_the_request(study: Study) -> None:
    held = ("launcher.lines=['--hold']", "grid.axes.seed=[0]")
    study.sweep(*held, "launcher.cpus=5", "launcher.gpus_per_run=2", "train.ghost_batch=4")
    text = study.cluster.run("squeue", "-h", "-r", "-o", "%c|%C|%b")
    assert text == "10|10|gres:gpu:2\n"  # five of each of two processes
