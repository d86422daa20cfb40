"""Sites with their own ways, on a real SLURM: checks, containers, limits, refusals, no requeue."""

import getpass
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cluster import Cluster
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


LIMITS = (
    ("add", "account", "lab"),
    ("add", "user", getpass.getuser(), "account=lab"),
    ("modify", "user", getpass.getuser(), "set", "MaxSubmitJobs=3"),
    ("add", "qos", "small"),
    ("modify", "qos", "small", "set", "MaxSubmitJobsPerUser=2", "MaxJobsPerUser=1"),
    ("add", "qos", "denying"),
    ("modify", "qos", "denying", "set", "Flags=DenyOnLimit", "MaxWall=20"),
    ("modify", "user", getpass.getuser(), "set", "qos+=small,denying"),
)
# As some sites do: what may be asked for is decided by a script.
NO_REQUEUE = """\
function slurm_job_submit(job, partitions, user)
  if job.requeue == 1 then
    slurm.log_user("no job is requeued here, ask with --no-requeue")
    return slurm.ERROR
  end
  return slurm.SUCCESS
end
function slurm_job_modify(job, old, partitions, user) return slurm.SUCCESS end
"""


@pytest.fixture(scope="module")
def strict(cluster: Cluster) -> Iterator[Cluster]:
    """A site that enforces limits of users and QOS, gives nodes to a user, and checks requests."""
    conf = Path(cluster.environment["SLURM_CONF"])
    before, script = conf.read_text(encoding="utf-8"), conf.with_name("job_submit.lua")
    for words in LIMITS:
        cluster.run("sacctmgr", "-i", *words)
    cluster.stop_controller()
    enforced = before.replace("PartitionName=main", "PartitionName=main ExclusiveUser=YES")
    more = "AccountingStorageEnforce=associations,limits,qos\nJobSubmitPlugins=lua\n"
    script.write_text(NO_REQUEUE, encoding="utf-8")
    conf.write_text(f"{enforced}{more}", encoding="utf-8")
    cluster.start_controller()
    yield cluster
    cluster.stop_controller()
    conf.write_text(before, encoding="utf-8")
    cluster.start_controller()


HELD = ("launcher.account=lab", "launcher.lines=['--hold','--no-requeue']")
ALLOWED = ("launcher.account=lab", "launcher.lines=['--no-requeue']")


@pytest.mark.usefixtures("strict")
def test_the_limit_of_submitted_jobs_leaves_the_rest_planned(study: Study) -> None:
    done = study.sweep("grid.axes.seed='range(5)'", *HELD)
    assert done.returncode == 0, done.stderr
    assert "2 runs wait for room in the queue: launcher.max_submit, or the site" in done.stdout
    assert "SubmitJob" not in done.stderr
    assert study.counts() == {"queued": 3, "planned": 2}


@pytest.mark.usefixtures("strict")
def test_what_a_site_refuses_is_told_in_its_words_and_the_same_command_goes_on(
    study: Study,
) -> None:
    """Refused by a script, then two at a time by a QOS, one at work, on nodes of one user."""
    seeds = "grid.axes.seed=[0,1,2]"
    refused = study.sweep(seeds, "launcher.account=lab")
    assert (refused.returncode, study.queue()) == (2, [])
    assert refused.stderr == (
        "error: launcher=slurm: sbatch: no job is requeued here, ask with --no-requeue; "
        "Batch job submission failed: Unspecified error\n"
    )
    assert study.counts() == {"planned": 3}
    first = study.sweep(seeds, *ALLOWED, "launcher.qos=small")
    assert first.returncode == 0, first.stderr
    assert "1 runs wait for room in the queue" in first.stdout
    # Right after its start the controller may wait for the nodes.
    limited = "QOSMaxJobsPerUserLimit"
    until(lambda: limited in study.status()["reasons"] or None, "the limit as the reason")
    study.wait(ok=2, planned=1)
    again = study.sweep(seeds, *ALLOWED, "launcher.qos=small")
    assert again.returncode == 0, again.stderr
    study.wait(ok=3)
    said = study.run("launch.slurm.site_check", "check").stdout
    assert "partition main: a node is shared with no other users" in said
    assert "job_submit plugins (lua) check each job" in said
    assert "qos small: at most 2 jobs in the queue, 1 at work" in said


@pytest.mark.usefixtures("strict")
def test_what_a_qos_denies_at_once_is_told_in_a_sentence_and_the_same_command_goes_on(
    study: Study,
) -> None:
    """DenyOnLimit: what other sites leave waiting for ever is refused when it is submitted."""
    words = ("grid.axes.seed=[0,1]", *ALLOWED, "launcher.qos=denying")
    refused = study.sweep(*words, "launcher.time_min=30")
    assert (refused.returncode, study.queue()) == (2, [])
    reason, _, asked = refused.stderr.partition("; Batch job submission failed: ")
    assert reason == "error: launcher=slurm: sbatch: QOSMaxWallDurationPerJobLimit"
    assert asked.endswith(
        "; a job asked for 30 min, 2 GB on each of 1 nodes, 1 CPUs and 0 GPUs; launcher.time_min, "
        "memory_gb_per_run, cpus, gpus_per_run or another launcher.qos change that\n"
    )
    assert study.counts() == {"planned": 2}
    again = study.sweep(*words, "launcher.time_min=15")
    assert again.returncode == 0, again.stderr
    study.wait(ok=2)
    said = study.run("launch.slurm.site_check", "check").stdout
    assert "qos denying: at most 00:20:00 each; more is refused at once" in said
