"""A run that two processes train from the trunk that two kept is what two train alone."""

from pathlib import Path
from typing import Any

import pytest

from helpers.joint_runs import PLAIN, trained
from helpers.tiny import tiny
from helpers.trained_runs import lines, same, weights

# Each process has running statistics, masks of dropped images and dropout of its own. A run of two
# epochs begins its decay behind 6 steps, in the middle of one.
OWN: dict[str, Any] = {
    "train.schedule": "wsd",
    "train.one_trunk": True,
    "train.decay_share": 0.3,
    "train.sync_batch_norm": False,
    "data.train_per_class": 16,
    "model.dropout": 0.3,
    "model.stochastic_depth": 0.2,
}
SHORT, LONG = OWN | {"train.epochs": 2}, OWN | {"train.epochs": 3}
SHORT_ID, LONG_ID = (tiny(**PLAIN | changes).run_id for changes in (SHORT, LONG))
ON_TRUNK = LONG | {"trunk": {"run": SHORT_ID, "epochs": 2}}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, cache_dir: Path) -> Path:
    """A store with the short run, which two processes trained."""
    results = tmp_path_factory.mktemp("together")
    trained(2, results, cache_dir, SHORT)
    return results


@pytest.mark.slow
def test_two_processes_go_on_from_a_trunk_as_two_train_alone(
    store: Path, tmp_path: Path, cache_dir: Path
) -> None:
    _, alone, _ = trained(2, tmp_path / "alone", cache_dir, LONG)
    # Stopped on its own part of the way, it goes on from its own checkpoint.
    _, nothing, said = trained(2, store, cache_dir, ON_TRUNK, stop_at=8)
    assert nothing is None
    assert said.count(f"going on from the trunk of {SHORT_ID}") == 2
    records, child, said = trained(2, store, cache_dir, ON_TRUNK)
    assert "resuming at step 9 of 12" in said
    assert (child.world_size, child.val_loss) == (2, alone.val_loss)
    alone_dir, child_dir = tmp_path / "alone/runs" / LONG_ID, store / "runs" / LONG_ID
    assert same(weights(child_dir), weights(alone_dir))
    assert same(*(weights(folder, "trunk.pt") for folder in (child_dir, alone_dir)))
    assert lines(child_dir)[-1] == lines(alone_dir)[-1]
    assert [record["step"] for record in records][:1] == [7]


@pytest.mark.slow
def test_another_number_of_processes_does_not_go_on_from_a_trunk(
    store: Path, cache_dir: Path
) -> None:
    _, refused, _ = trained(1, store, cache_dir, ON_TRUNK | {"train.epochs": 4})
    assert refused.status == "failed"
    assert str(refused.error).startswith("InputError: ")
    assert "trunk.pt is of 2 processes, not 1; give this one as many, or" in str(refused.error)
