"""Layers by our names, by timm's and by what they are."""

import pytest
import torch
from torch import nn

from helpers.tiny import composed, tiny
from helpers.weight_files import SMALL
from scaling_study.common.errors import InputError
from scaling_study.models import network
from scaling_study.models.layer_patterns import layer_aliases, matching
from scaling_study.models.modules import SqueezeExcite, build
from scaling_study.models.timm_names import names

MODELS = [
    tiny(**SMALL).model,
    tiny().model,
    composed("model=efficientnet", "model.width=0.25").model,
]


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_is_that_of_one_named_layer(model) -> None:  # type: ignore[no-untyped-def]
    with torch.device("meta"):
        module = build(network(model, 3))
    named = [module.get_submodule(name) for name in layer_aliases(model)]
    kinds = (nn.Conv2d, nn.BatchNorm2d, nn.Linear, SqueezeExcite)
    assert all(isinstance(part, kinds) for part in named)
    found = [id(parameter) for part in named for parameter in part.parameters()]
    assert sorted(found) == sorted(id(parameter) for parameter in module.parameters())


def test_patterns_are_our_names_timms_or_words() -> None:
    model = tiny(**SMALL).model
    table = names(model)
    first_stage = {
        o.removesuffix(".reduce").removesuffix(".expand")
        for o, t in table.items()
        if t.startswith("layer1.")
    }
    assert set(matching(model, "layer1.*")) == first_stage
    (last,) = matching(model, "classifier")
    assert table[last] == "fc"
    assert matching(model, "fc") == [last]
    assert matching(model, last) == [last]
    assert {*matching(model, "backbone"), last} == set(layer_aliases(model))
    assert matching(model, "nothing*") == []


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        (
            "freeze",
            ["layer9.*"],
            "layer9.*: matches no layer; known: classifier, backbone, or names",
        ),
        (
            "freeze",
            ["backbone", "classifier"],
            "nothing is left to train; backbone leaves the class",
        ),
        ("lr_multipliers", ["stem=2"], "stem: matches no layer"),
        ("lr_multipliers", ["classifier"], "must be PATTERN=FACTOR"),
        ("lr_multipliers", ["classifier=-1"], "must be PATTERN=FACTOR"),
        ("lr_multipliers", ["classifier=nan"], "must be PATTERN=FACTOR"),
    ],
)
def test_what_means_no_layer_is_refused(key: str, value: list[str], said: str) -> None:
    with pytest.raises(InputError) as raised:
        tiny(**SMALL, **{f"train.{key}": value})
    assert said in str(raised.value)
