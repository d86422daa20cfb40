"""What needs a package of an extra says so in one sentence, which names an extra that there is."""

import re
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis.importing.read_other import parquet_rows, tensorboard_rows
from helpers.data_settings import values
from scaling_study.common.errors import InputError
from scaling_study.common.validation import from_values
from scaling_study.data import data_set

EXTRAS = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text("utf-8"))


def sizes(name: str, **more: str) -> Callable[[], object]:
    def ask() -> object:
        config = from_values(data_set(name).config, values(name) | more, "data.")
        return data_set(name).sizes(config, None)

    return ask


@pytest.mark.parametrize(
    ("call", "what"),
    [
        (sizes("digits"), "data=digits: sklearn"),
        (sizes("icons"), "data=icons: resvg_py"),
        (sizes("parquet", root="nowhere"), "data=parquet: pyarrow"),
        (lambda: parquet_rows(Path("runs.parquet")), "--format parquet: pyarrow"),
        (lambda: tensorboard_rows(Path("runs")), "--format tensorboard: tensorboard"),
    ],
)
def test_what_is_not_installed_is_named(
    call: Callable[[], object], what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError) as found:
        call()
    said = re.fullmatch(
        rf"{what} is not installed; pip install 'scaling-study\[(\w+)\]' installs it",
        str(found.value),
    )
    assert said
    assert said[1] in EXTRAS["project"]["optional-dependencies"]
