"""Nodes of a real SLURM that die or are broken."""

import json
import time

import pytest

from study import LONG, Study, until

pytestmark = pytest.mark.slurm


def test_the_death_of_a_node_is_told_and_survived(study: Study) -> None:
    study.sweep(*LONG, small=False)
    run = study.checkpoint()
    node = study.note(run)["node"]
    study.cluster.kill_node(node)
    study.cluster.run("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=power")
    status = study.wait(ok=1)
    note = study.note(run)
    assert [a["cause"] for a in note["attempts"]] == ["node"]
    assert note["node"] != node
    assert status["runs"][0]["attempts"] == 1
    assert "resuming at step" in (run / "log.txt").read_text()


# What Python imports first on the broken node, by how that is broken: its GPU fails when a
# checkpoint is to be written, or is not there at all.
BREAKS = {
    "fails": """\
from concurrent.futures import ThreadPoolExecutor


def fail(*arguments):
    raise RuntimeError("CUDA error: uncorrectable ECC error encountered")


ThreadPoolExecutor.submit = fail
""",
    "hides": """\
import os

os.environ["CUDA_VISIBLE_DEVICES"] = ""
""",
}
# The node where a job starts first is the broken one.
SETUP = """\
[ -e {folder}/broken ] || echo $SLURMD_NODENAME >{folder}/broken
[ $(cat {folder}/broken) != $SLURMD_NODENAME ] || export PYTHONPATH={folder}
"""


def break_first_node(study: Study, how: str) -> str:
    """The launcher's setting that breaks the node where a job starts first."""
    (study.folder / "sitecustomize.py").write_text(BREAKS[how])
    (study.folder / "setup.sh").write_text(SETUP.format(folder=study.folder))
    return f"launcher.setup=['. {study.folder}/setup.sh']"


@pytest.mark.parametrize("how", BREAKS)
def test_a_broken_node_stops_no_sweep(study: Study, how: str) -> None:
    setup = break_first_node(study, how)
    gpu = () if how == "fails" else ("launcher.gpus_per_run=1",)
    seeds = "grid.axes.seed='range(4)'"
    study.sweep(seeds, setup, "launcher.max_running=2", *gpu)
    status = study.wait(ok=4)
    broken = (study.folder / "broken").read_text().strip()
    attempts = [a for run in study.runs() for a in study.note(run)["attempts"]]
    assert {(a["cause"], a["node"]) for a in attempts} == {("node", broken)}
    assert {study.note(run)["node"] for run in study.runs()} == set(study.cluster.nodes) - {broken}
    assert (status["stopped"], len(study.submissions())) == (None, 1)


def test_a_broken_node_is_avoided_from_then_on(study: Study) -> None:
    setup = break_first_node(study, "fails")
    study.sweep("grid.axes.seed=[0]", setup)
    study.wait(ok=1)
    (run,) = study.runs()
    note, broken = study.note(run), (study.folder / "broken").read_text().strip()
    assert [(a["cause"], a["node"]) for a in note["attempts"]] == [("node", broken)]
    assert (note["node"] != broken, len(study.submissions())) == (True, 1)
    # What the person has excluded stays excluded; here nothing is left then.
    study.sweep("grid.axes.seed=[1]", setup, f"launcher.exclude={note['node']}")
    until(lambda: True if "n[1-2]" in study.cluster.run("squeue", "-ho%x") else None, "the requeue")
    assert sum(study.status()["reasons"].values()) == 1


def test_nodes_that_are_all_avoided_are_used_all_the_same(study: Study) -> None:
    one = "grid.axes.seed=[0]"
    study.sweep(one, "launcher.lines=['--hold']")
    study.run("cancel", "results/smoke")
    (run,) = study.runs()
    ended = {"job": "1", "ended": time.time(), "cause": "node"}
    attempts = [ended | {"node": node} for node in study.cluster.nodes]
    (run / "job.json").write_text(json.dumps({"attempts": attempts}))
    done = study.sweep(one)
    assert done.returncode == 0, done.stderr
    assert "avoiding n1" in done.stdout
    assert "no other node fits" in done.stdout
    study.wait(ok=1)
