"""Layers that a user names by patterns: by our names, by timm's, or by what they are. No torch."""

from collections.abc import Mapping, Sequence
from functools import lru_cache

from scaling_study.common.errors import InputError
from scaling_study.common.validation import require
from scaling_study.models import network
from scaling_study.models.family import ModelConfig
from scaling_study.models.layer_names import (
    BACKBONE,
    CLASSIFIER,
    classifier_of,
    matches,
    named_layers,
)
from scaling_study.models.timm_names import names

SHOWN = 4


@lru_cache(maxsize=256)
def layer_aliases(model: ModelConfig) -> Mapping[str, Sequence[str]]:
    """Our name of each layer with weights, in order, to all names that patterns may match."""
    try:
        theirs = names(model)
    except InputError:  # timm has no such network
        theirs = {}
    return {
        own: (own, *(name for part, name in theirs.items() if f"{part}.".startswith(f"{own}.")))
        for own, _ in named_layers(network(model, 1).layers)
    }


def matching(model: ModelConfig, pattern: str) -> list[str]:
    """Our names of the layers that a pattern means, in order; see `layer_names.matches`."""
    last = classifier_of(network(model, 1).layers)
    found = layer_aliases(model).items()
    return [own for own, known in found if matches(pattern, known, own == last)]


def check_patterns(key: str, model: ModelConfig, patterns: Sequence[str]) -> None:
    """Raise an InputError for a pattern of the setting `key` that means no layer of the model."""
    for pattern in patterns:
        known = [aliases[-1] for aliases in layer_aliases(model).values()]
        some = f"{', '.join(known[:SHOWN])} to {known[-1]}"
        accepted = f"matches no layer; known: {CLASSIFIER}, {BACKBONE}, or names such as {some}"
        require(bool(matching(model, pattern)), key, pattern, accepted)
