"""A run that goes on from another's trunk is, bit for bit, the same run trained alone."""

import shutil
from dataclasses import asdict, replace
from pathlib import Path

import pytest
import torch

from helpers.tiny import tiny
from helpers.trained_runs import MEASURED, lines, same, stopped, trained, weights
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig, run_config
from scaling_study.config.trunks import Trunk, constant_steps
from scaling_study.study.overrides import overrides
from scaling_study.training.loop import train
from scaling_study.training.schedule import learning_rate

# 4 steps an epoch; a run of two epochs begins its decay behind 6 steps, in the middle of one.
IMAGES = 64
WSD = {
    "train.schedule": "wsd",
    "train.one_trunk": True,
    "train.decay_share": 0.3,
    "data.train_per_class": IMAGES // 4,
}
SHARED = 6


def of_length(epochs: int, **changes: object) -> RunConfig:
    return tiny(**{**WSD, "train.epochs": epochs, **changes})


def on_trunk(run: RunConfig, parent: RunConfig) -> RunConfig:
    return replace(run, trunk=Trunk(run=parent.run_id, epochs=parent.train.epochs))


def test_lengths_share_random_numbers_and_who_trains_the_trunk_changes_no_id() -> None:
    short, long, other = of_length(2), of_length(3), of_length(3, seed=1)
    assert short.random_key == long.random_key != other.random_key
    assert short.trunk_id == long.trunk_id == other.trunk_id
    wider = of_length(3, **{"model.width": 0.25})
    assert wider.trunk_id != long.trunk_id
    child = on_trunk(long, short)
    assert (child.run_id, child.config_id) == (long.run_id, long.config_id)
    assert (child.parents, long.parents) == ((short.run_id,), ())
    assert child.shared_steps(IMAGES) == constant_steps(short.train, 2, 4) == SHARED
    # As config.yaml has it, and without the setting ids are those of before.
    assert run_config({**vars(tiny()), **asdict(child)}) == child
    # The command that repeats it trains it alone, which is the same run.
    assert overrides(asdict(child)) == overrides(asdict(long) | {"trunk": None})
    plain = of_length(2, **{"train.one_trunk": False})
    assert plain.random_key == plain.run_id != short.run_id


@pytest.mark.parametrize("share", [0.05, 0.2, 0.3, 0.99])
@pytest.mark.parametrize("warmup", [0.0, 0.7, 2.5])
def test_rates_of_all_lengths_agree_until_the_decay_of_the_shorter_begins(
    share: float, warmup: float
) -> None:
    changes = {"train.decay_share": share, "train.warmup_epochs": warmup}
    short, long = (of_length(epochs, **changes).train for epochs in (3, 7))
    rates = [[learning_rate(step, 8, recipe) for step in range(24)] for recipe in (short, long)]
    agree = [a == b for a, b in zip(*rates, strict=True)]
    shared = constant_steps(short, 3, 8)
    assert all(agree[:shared])
    # What is behind it is the decay, but for a step that the warm-up ends within.
    assert not any(agree[shared + (warmup == 2.5) :])


def test_what_goes_on_from_a_trunk_is_what_was_trained_alone(
    execution: ExecutionConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    short, long = of_length(2), of_length(3)
    alone, alone_dir = trained(long, execution, "alone")
    parent, parent_dir = trained(short, execution, f"runs/{short.run_id}")
    child, child_dir = trained(on_trunk(long, short), execution, "child")
    assert f"going on from the trunk of {short.run_id}" in capsys.readouterr().out
    assert same(weights(child_dir), weights(alone_dir))
    assert [child[k] for k in MEASURED] == [alone[k] for k in MEASURED]
    assert child["val_loss"] != parent["val_loss"]
    assert lines(child_dir) == [line for line in lines(alone_dir) if line["step"] > SHARED]
    # Its times are its own, not those of the steps that it did not train.
    kept = torch.load(parent_dir / "trunk.pt", weights_only=True)
    assert (kept["step"], kept["wall_s"], kept["step_times"]) == (SHARED, 0.0, [])


@pytest.mark.slow
def test_runs_killed_before_and_behind_the_end_of_their_trunk_are_those_that_were_not(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = of_length(2), of_length(3)
    whole = {run.run_id: trained(run, execution, f"whole-{run.run_id}") for run in (short, long)}
    for run, step in ((short, 2), (short, 6), (on_trunk(long, short), 9)):
        run_dir = Path(execution.results_dir) / "runs" / run.run_id
        shutil.rmtree(run_dir, ignore_errors=True)
        run_dir.mkdir(parents=True)
        stopped(run, run_dir, execution, monkeypatch, step)
        ends = constant_steps(run.train, run.train.epochs, 4)
        assert (run_dir / "trunk.pt").exists() == (step + 1 >= ends)
        again, (measured, whole_dir) = train(run, run_dir, execution), whole[run.run_id]
        assert [again[k] for k in MEASURED] == [measured[k] for k in MEASURED]
        assert same(weights(run_dir), weights(whole_dir))
        assert same(*(weights(folder, "trunk.pt") for folder in (run_dir, whole_dir)))


@pytest.mark.parametrize("how", ["gone", "damaged", "another"])
def test_a_trunk_that_cannot_be_used_is_named(execution: ExecutionConfig, how: str) -> None:
    short, long = of_length(2), of_length(3)
    file = Path(execution.results_dir) / "runs" / short.run_id / "trunk.pt"
    if how != "gone":
        file.parent.mkdir(parents=True)
        file.write_bytes(b"PK" + bytes(100))
    if how == "another":
        other = of_length(2, seed=3)
        trained(other, execution, "other")
        (Path(execution.results_dir) / "other/trunk.pt").replace(file)
    why = {"gone": "not there", "damaged": "unreadable", "another": "of another run"}[how]
    with pytest.raises(InputError, match=rf"trunk\.pt is {why}.*; remove .* to train that run"):
        trained(on_trunk(long, short), execution, "child")


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"train.schedule": "cosine"}, "train.schedule=cosine: has no constant part"),
        ({"train.decay_share": 1.0}, "train.decay_share=1.0: leaves no constant part"),
        ({"train.resolutions": [8, 16]}, "train.resolutions=.*change with the length"),
        (
            {"train.early_stopping": 2, "train.evaluate_every": 1, "data.split": "minival"},
            "train.early_stopping=2: ends a run before its schedule does",
        ),
        ({"trunk": {"run": "d14", "epochs": 2}}, "trunk=d14: must be a shorter run"),
        ({"trunk": "d14"}, "trunk='d14': is set by grid.one_trunk"),
    ],
)
def test_settings_that_leave_nothing_to_share_are_refused(changes: dict, why: str) -> None:
    with pytest.raises(InputError, match=why):
        of_length(2, **changes)
