"""The settings of a data set as its YAML file has them."""

from pathlib import Path
from typing import Any

from scaling_study.common.validation import from_values
from scaling_study.config.hydra_app import composed
from scaling_study.data import data_set


def values(name: str) -> dict[str, object]:
    """The settings of a data set, composed."""
    return dict(composed("train", [f"data={name}"])["data"])


def of_name(name: str) -> Any:
    """A data set's configuration with nothing changed."""
    return from_values(data_set(name).config, values(name), "data.")


def config(name: str, root: Path, **changes: Any) -> Any:
    settings = values(name) | {"root": str(root), "resolution": 32} | changes
    return from_values(data_set(name).config, settings, "data.")
