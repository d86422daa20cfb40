"""Recipes by name: what their sources say, and that they train any family."""

from dataclasses import replace
from typing import Any

import pytest

from helpers.tiny import composed
from scaling_study.common.errors import InputError
from scaling_study.common.paths import data_dir
from scaling_study.cost.closed_form import run_cost
from scaling_study.models.modules import module_for
from scaling_study.models.networks.stochastic_depth import StochasticDepth

# Peak rate, batch, epochs, weight decay, mixup, RandAugment's magnitude, repeats, drop path.
SAID = {
    "timm_a1": (5e-3, 2048, 600, 0.01, 0.2, 7, 3, 0.05),
    "timm_a2": (5e-3, 2048, 300, 0.02, 0.1, 7, 3, 0.05),
    "timm_a3": (8e-3, 2048, 100, 0.02, 0.1, 6, 1, 0.0),
    "convnext": (4e-3, 4096, 300, 0.05, 0.8, 9, 1, 0.1),
    "deit": (1e-3, 1024, 300, 0.05, 0.8, 9, 3, 0.1),
}


@pytest.mark.parametrize("name", SAID)
def test_a_recipe_says_what_its_source_says(name: str) -> None:
    run = composed(f"train={name}", "model=resnet", "data=imagenet")
    train, data = run.train, run.data
    found = (train.lr, train.batch_size, train.epochs, train.weight_decay, train.mixup)
    found += (data.randaugment_magnitude, train.repeats, train.drop_path)
    assert found == pytest.approx(SAID[name])
    assert (train.recipe, train.cutmix, train.decay_biases) == (name, 1.0, False)
    assert (data.augment_ops, data.randaugment_sd) == ("timm_increasing", 0.5)
    timm = name.startswith("timm")
    assert (train.optimizer, train.loss) == (("lamb", "bce") if timm else ("adamw", "task"))
    assert (data.test_crop, data.erasing) == ((0.95, 0.0) if timm else (0.875, 0.25))


@pytest.mark.slow
@pytest.mark.parametrize("model", ["resnet_rs_small", "resnet", "efficientnet"])
@pytest.mark.parametrize("name", SAID)
def test_a_recipe_goes_with_every_family(name: str, model: str) -> None:
    side = () if model == "resnet_rs_small" else ("data.resolution=32",)
    run = composed(f"train={name}", f"model={model}", "train.batch_size=64", *side)
    assert run_cost(run).train_flops > 0


@pytest.mark.parametrize(
    ("name", "model", "width"), [("convnext", "convnext", 0.125), ("deit", "vit", 1)]
)
def test_a_recipe_drops_the_blocks_of_the_network_that_it_was_made_for(
    name: str, model: str, width: float
) -> None:
    small = ("data.resolution=32", "train.batch_size=64", f"model.width={width}")
    run = composed(f"train={name}", f"model={model}", *small)
    modules = module_for(run.model, 4, 32, run.train.drop_path).modules()
    rates = [m.rate for m in modules if isinstance(m, StochasticDepth)]
    depth = int(run.model.depth)
    assert rates == pytest.approx([0.1 * i / (depth - 1) for i in range(depth)])
    assert run.model.stochastic_depth == 0  # type: ignore[attr-defined]
    twice = replace(run.model, stochastic_depth=0.2)  # type: ignore[call-arg]
    with pytest.raises(InputError, match="the model drops blocks itself"):
        module_for(twice, 4, 32, run.train.drop_path)


@pytest.mark.slow
def test_every_recipe_file_names_itself_and_its_source() -> None:
    for path in (data_dir("conf") / "train").glob("*.yaml"):
        text = path.read_text(encoding="utf-8")
        values: Any = composed(f"train={path.stem}", "train.batch_size=32").train
        assert values.recipe == path.stem
        if path.stem not in ("fixed",):
            assert any(word in text for word in ("arXiv", "et al.", "paper", "tensorflow/tpu"))
