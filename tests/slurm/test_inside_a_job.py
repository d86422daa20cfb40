"""Sweeps that are started inside a job: in VS Code or Jupyter on a node, or from a pipeline."""

import shlex
import sys

import pytest

from study import SMALL, Study

pytestmark = pytest.mark.slurm


def test_jobs_of_a_job_are_jobs_like_any_other(study: Study) -> None:
    sweep = [sys.executable, "-m", "scaling_study.sweep", *study._common(), *SMALL]
    sweep += ["grid.axes.seed=[0]", f"results_dir={study.folder / 'results'}"]
    # The id of its array must not become that of the jobs that it submits.
    wrapped = ("sbatch", "-W", "--array=3", "--mem=1G", f"--chdir={study.folder}")
    study.cluster.run(*wrapped, "--output=outer.txt", "--wrap", shlex.join(sweep))
    assert "1 queued" in (study.folder / "outer.txt").read_text(encoding="utf-8")
    study.wait(ok=1)
    (run,) = study.status()["runs"]
    (submission,) = study.submissions()
    assert run["job"] == submission["job"]
