"""Runs that start from another run, and that train only a part of their network."""

from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.tiny import composed, tiny
from helpers.trained_runs import lines, same, stopped, trained, weights
from scaling_study.common.errors import InputError
from scaling_study.config.execution import ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.launch.job import Job
from scaling_study.models import network
from scaling_study.models.modules import build
from scaling_study.training import first_weights, transfer
from scaling_study.training.loop import train
from scaling_study.training.optimizers import optimizer_of
from scaling_study.training.seeds import seed_of

ONE_EPOCH = {"train.epochs": 1, "train.warmup_epochs": 0}
# Of other families than ResNet, words for a small network.
SMALL = {
    "resnet": (),
    "efficientnet": ("model.stem=small", "model.width=0.25", "model.depth=0.3"),
    "vit": ("model.depth=2", "model.width=1", "model.patch=8", "model.head_dim=8"),
}
# A rate so small that weights stay where they began.
STILL = {"train.lr_per_256": 1e-30, "train.weight_decay": 0.0, "train.ema_decay": 0.0}


def parent_of(execution: ExecutionConfig, run: RunConfig) -> Path:
    """The folder of a finished run."""
    job = Job(run, execution)
    assert job().status == "ok"
    return job.store.run_dir(run.run_id)


def test_the_parent_is_part_of_the_id_and_comes_back_from_config_yaml() -> None:
    ids = [tiny(init=init).run_id for init in ("none", "run:d14-a", "run:d14-b")]
    assert len(set(ids)) == 3
    run = tiny(init="run:d14-a")
    assert tiny(init={"run": "d14-a"}).run_id == run.run_id
    with pytest.raises(InputError, match="or run:RUN_ID of a finished run"):
        tiny(init="run:../d14")


@pytest.mark.slow
@pytest.mark.parametrize("family", SMALL)
def test_a_run_starts_from_the_averaged_weights_of_another(
    execution: ExecutionConfig, family: str
) -> None:
    def of(**changes: Any) -> RunConfig:
        if family == "resnet":
            return tiny(**ONE_EPOCH, **changes)
        small = ("data.resolution=16", "data.classes=4", "data.train_per_class=8", "seed=3")
        net = (f"model={family}", *SMALL[family])
        few = ("data.val_per_class=4", "train.batch_size=16", "train.epochs=1")
        own = [f"{key}={value}" for key, value in changes.items()]
        return composed(*net, *small, *few, "train.warmup_epochs=0", *own)

    parent = of()
    run_dir = parent_of(execution, parent)
    child = of(**STILL, init=f"run:{parent.run_id}")
    _, child_dir = trained(child, execution, "child")
    found, before = weights(child_dir), weights(run_dir)
    for key, tensor in found.items():
        part, _, name = key.partition(".")
        if part == "model" and not name.endswith(("running_mean", "running_var", "tracked")):
            # A rate of 1e-30 moves a weight of exactly 0 by a denormal number.
            assert torch.allclose(tensor, before[f"ema.{name}"], rtol=0, atol=1e-29), key
    assert not same(before, weights(child_dir))  # of the parent the raw weights differ


def test_another_number_of_classes_draws_the_classifier_anew(
    execution: ExecutionConfig, capsys: pytest.CaptureFixture[str]
) -> None:
    parent = tiny(**ONE_EPOCH)
    run_dir = parent_of(execution, parent)
    child = tiny(**ONE_EPOCH, **{"data.classes": 7}, init=f"run:{parent.run_id}")
    module = build(network(child.model, 7))
    drawn = module[-1].weight.clone()
    first_weights.load(module, child, Path(execution.results_dir))
    assert torch.equal(module[-1].weight, drawn)
    assert torch.equal(module.state_dict()["0.weight"], weights(run_dir)["ema.0.weight"])
    assert "has another number of classes: the classifier is drawn" in capsys.readouterr().out


def test_a_parent_that_cannot_be_used_is_refused(execution: ExecutionConfig) -> None:
    parent, results = tiny(**ONE_EPOCH), Path(execution.results_dir)
    deeper = tiny(**ONE_EPOCH, **{"model.depth": 26}, init=f"run:{parent.run_id}")
    child = tiny(**ONE_EPOCH, init=f"run:{parent.run_id}")
    with pytest.raises(InputError, match=r"no such run in .*; train that run first"):
        first_weights.check(child, results)
    run_dir = parent_of(execution, parent)
    first_weights.check(child, results)
    with pytest.raises(InputError, match="it is of another network: it lacks"):
        first_weights.check(deeper, results)
    (run_dir / "checkpoint.pt").write_bytes(b"PK torn")
    with pytest.raises(InputError, match="is no state dict that can be read"):
        first_weights.check(child, results)
    (run_dir / "checkpoint.pt").unlink()
    with pytest.raises(InputError, match=r"not kept; train it with checkpoint\.keep=final"):
        first_weights.check(child, results)


def test_a_linear_probe_trains_the_classifier_alone(execution: ExecutionConfig) -> None:
    """All else keeps every bit, running statistics too; the features are those of evaluation."""
    run = tiny(**{"train.freeze": ["backbone"], "train.weight_decay": 0.1})
    _, run_dir = trained(run, execution, "probe")
    torch.manual_seed(0)
    state = torch.load(run_dir / "checkpoint.pt", weights_only=True)["model"]
    start = drawn(run)
    classifier = f"{len(build(network(run.model, 4))) - 1}."
    moved = {key for key, tensor in state.items() if not torch.equal(tensor, start[key])}
    assert moved == {f"{classifier}weight", f"{classifier}bias"}


def drawn(run: RunConfig) -> dict[str, torch.Tensor]:
    """The weights that a run draws."""
    with torch.random.fork_rng([]):
        torch.manual_seed(seed_of(run.run_id, "init"))
        return build(network(run.model, 4)).state_dict()


@pytest.mark.slow
def test_a_frozen_stage_keeps_every_bit_and_the_rest_is_trained(
    execution: ExecutionConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny(
        **{"model.stem": "rs", "data.resolution": 32, "train.freeze": ["conv1*", "layer1.*"]}
    )
    whole, whole_dir = trained(run, execution, "whole")
    state, start = weights(whole_dir), drawn(run)
    frozen = {key for key, tensor in start.items() if torch.equal(state[f"model.{key}"], tensor)}
    names = {key.partition(".")[0] for key in frozen}
    # Seven layers of the stem before layer1, whose batch norm bn1 and maxpool are trained.
    assert {"0", "3", "6"} <= names
    assert f"{len(build(network(run.model, 4))) - 1}.weight" not in frozen
    run_dir = Path(execution.results_dir) / "resumed"
    run_dir.mkdir()
    stopped(run, run_dir, execution, monkeypatch, 10)
    assert train(run, run_dir, execution)["val_loss"] == whole["val_loss"]
    assert same(weights(run_dir), state)


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_a_layers_learning_rate_is_that_of_its_last_pattern(optimizer: str) -> None:
    scaled = ["backbone=0.5", "classifier=10", "0=0"]
    changes = {"train.lr_multipliers": scaled, "train.optimizer": optimizer}
    run, plain = tiny(**changes), tiny(**{"train.optimizer": optimizer})
    module = build(network(run.model, 4))
    made = optimizer_of(module, run.train)
    before = {id(p): g["weight_decay"] for g in made.param_groups for p in g["params"]}
    transfer.scale_learning_rates(made, module, run)
    found = {id(p): g for g in made.param_groups for p in g["params"]}
    last = f"{len(module) - 1}."
    for name, parameter in module.named_parameters():
        factor = 10 if name.startswith(last) else 0 if name.startswith("0.") else 0.5
        assert found[id(parameter)]["lr_multiplier"] == factor
        assert found[id(parameter)]["weight_decay"] == before[id(parameter)]
    assert len(found) == len(before)
    assert run.run_id != plain.run_id


@pytest.mark.slow
def test_records_have_the_rate_before_multipliers(execution: ExecutionConfig) -> None:
    plain, plain_dir = trained(tiny(**{"train.lr_per_256": 0.25}), execution, "plain")
    both = ["backbone=0.125", "classifier=0.125"]
    scaled, scaled_dir = trained(
        tiny(**{"train.lr_per_256": 2.0, "train.lr_multipliers": both}), execution, "scaled"
    )
    assert plain["status"] == scaled["status"] == "ok"
    rates = [[r["lr"] for r in lines(d) if "lr" in r] for d in (plain_dir, scaled_dir)]
    assert [8 * rate for rate in rates[0]] == rates[1]
