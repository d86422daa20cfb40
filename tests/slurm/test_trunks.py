"""Lengths that share a trunk, on a real SLURM: in order, interrupted, failed, of several nodes."""

import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
import yaml

from helpers.study import read_plan
from helpers.tiny import plain_execution
from helpers.trained_runs import same, weights
from scaling_study.config.run import stored_run
from scaling_study.training.loop import train
from study import TWO_NODES, Study, until

pytestmark = pytest.mark.slurm

ANCHORS = "anchors: [{{epochs: {0}}}, {{epochs: {1}}}]"


def of_lengths(*lengths: int) -> tuple[str, ...]:
    """What makes the tests' grid one of these lengths, with its two anchors by cosine."""
    ends = ANCHORS.format(lengths[0], lengths[-1])
    return (
        *("train.schedule=wsd", "train.warmup_epochs=0", "train.batch_size=8"),
        *("data.train_per_class=8", "data.val_per_class=4", "grid.axes.seed=[0]"),
        f"+grid.axes.epochs={[*lengths]}".replace(" ", ""),
        f"+grid.one_trunk={{{ends}, margin: 0.5}}",
    )


def lengths(study: Study) -> dict[int, Path]:
    """The folders of the runs that share the trunk, by their lengths."""
    found = {}
    for file in study.folder.glob("results/runs/*/config.yaml"):
        run = stored_run(yaml.safe_load(file.read_text()))
        if run.on_trunk:
            found[run.train.epochs] = file.parent
    return found


def test_an_interrupted_trunk_goes_on_and_its_runs_are_what_they_are_alone(study: Study) -> None:
    sweep = study.start(*of_lengths(40, 60, 80), "launcher.wait=true")
    until(lambda: lengths(study).get(40), "the trunk")
    trunk = lengths(study)[40]
    until(lambda: (trunk / "checkpoint.pt").exists() or None, "a checkpoint")
    assert not (trunk / "trunk.pt").exists()
    assert "error" not in study.cluster.run("scontrol", "requeue", study.note(trunk)["job"])
    said, errors = sweep.communicate(timeout=300)
    assert sweep.returncode == 0, errors
    assert "results/smoke: 5 ok" in said
    assert "resuming at step" in (trunk / "log.txt").read_text()
    # One after the other: each job was submitted once the shorter run had ended.
    notes = [study.note(run) for _, run in sorted(lengths(study).items())]
    assert all(a["ended"] <= b["began"] for a, b in pairwise(notes))
    longest = lengths(study)[80]
    run = stored_run(yaml.safe_load((longest / "config.yaml").read_text()))
    assert run.parents == (lengths(study)[60].name,)
    alone_dir = study.folder / "alone"
    alone_dir.mkdir()
    alone = replace(run, trunk=None)
    measured = train(alone, alone_dir, plain_execution(study.folder, study.cache))
    result = json.loads((longest / "result.json").read_text())
    assert measured["val_loss"] == result["val_loss"]
    assert same(weights(longest), weights(alone_dir))


def test_a_trunk_that_failed_blocks_what_goes_on_from_it(study: Study) -> None:
    command = (*of_lengths(1, 2, 3), "launcher.wait=true")
    held = study.sweep(*of_lengths(1, 2, 3), "launcher.lines=['--hold']", small=False)
    assert held.returncode == 0, held.stderr
    assert "2 runs wait for those that they start from" in held.stdout
    assert study.counts() == {"queued": 3, "blocked": 2}
    study.run("cancel", "results/smoke")
    (trunk,) = (run for run in study.runs() if "e1-" in run.name and run.name in on_trunk(study))
    (trunk / "metrics.jsonl").mkdir()  # no line can be appended to a folder
    done = study.sweep(*command, small=False)
    assert done.returncode == 1
    status = study.status()
    assert {k: n for k, n in status["counts"].items() if n} == {"ok": 2, "failed": 1, "blocked": 2}
    assert f"it starts from {trunk.name}, which is failed (error): IsADirectoryError" in done.stdout
    (trunk / "metrics.jsonl").rmdir()
    done = study.sweep(*command, small=False)
    assert done.returncode == 0, done.stderr
    assert "results/smoke: 5 ok" in done.stdout


def on_trunk(study: Study) -> set[str]:
    return {row["run_id"] for row in read_plan(study.folder / "results/smoke") if row["trunk"]}


def test_runs_of_two_nodes_go_on_from_the_trunk_of_two(study: Study) -> None:
    two = (*TWO_NODES, "launcher.wait=true")
    done = study.sweep(*of_lengths(1, 2), *two, small=False)
    assert done.returncode == 0, done.stderr
    assert "results/smoke: 4 ok" in done.stdout
    longest = lengths(study)[2]
    result = json.loads((longest / "result.json").read_text())
    assert (result["world_size"], bool(result["shared_flops"])) == (2, True)
    assert "going on from the trunk of" in (longest / "log.txt").read_text()
    refused = study.sweep(*of_lengths(1, 2, 3), TWO_NODES[-1], small=False)
    assert refused.returncode == 2
    assert f"{longest.name}: 2 process(es) trained it, and 1 would go on" in refused.stderr
