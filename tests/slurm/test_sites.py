"""Sites with their own ways, on a real SLURM: checks, containers, no requeue."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from study import LONG, SMALL, Study, until

pytestmark = pytest.mark.slurm


def test_a_site_is_checked_with_a_run(study: Study) -> None:
    more = ("launcher.fallback_memory_gb=1", f"cache_dir={study.cache}", *SMALL)
    done = study.run("launch.slurm.site_check", "check", "--run", *more)
    assert done.returncode == 0, done.stderr
    assert "partition main (default): 2 nodes of 8 CPUs, 64000 MB, gpu:2" in done.stdout
    assert "arrays of at most 1001 jobs" in done.stdout
    assert "a run was submitted, trained and ended well" in done.stdout


def test_python_starts_in_a_container(study: Study) -> None:
    """A stand-in for apptainer, which notes how it is called and starts what it is given."""
    calls, program = study.folder / "contained", study.folder / "apptainer"
    program.write_text(f'#!/bin/sh\necho "$1 $2 $3" >> {calls}\nshift 3\nexec "$@"\n')
    program.chmod(0o755)
    python = f"{program} exec --nv IMAGE.sif {sys.executable}"
    done = study.sweep("grid.axes.seed=[0]", f"launcher.python='{python}'")
    assert done.returncode == 0, done.stderr
    study.wait(ok=1)
    assert calls.read_text() == "exec --nv IMAGE.sif\n"


@pytest.fixture
def no_requeue(study: Study) -> Iterator[Study]:
    """A site that restarts no job by itself."""
    conf = Path(study.cluster.environment["SLURM_CONF"])
    text = conf.read_text()
    conf.write_text(re.sub("JobRequeue=.*", "JobRequeue=0", text))
    study.cluster.run("scontrol", "reconfigure")
    yield study
    conf.write_text(text)
    study.cluster.run("scontrol", "reconfigure")


def test_without_requeue_of_the_site_our_jobs_are_requeued_all_the_same(no_requeue: Study) -> None:
    study = no_requeue
    assert "JobRequeue=0: the site" in study.run("launch.slurm.site_check", "check").stdout
    study.sweep(*LONG, small=False)
    run = study.checkpoint()
    (job,) = study.queue()
    study.cluster.run("scontrol", "requeue", job.split()[0])
    study.wait(ok=1)
    log = until(lambda: (run / "log.txt").read_text() or None, "a log")
    assert "resuming at step" in log
