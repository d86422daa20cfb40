"""The wrapper around Hydra."""

import sys
from typing import Any

import pytest
from hydra._internal.config_loader_impl import ConfigLoaderImpl

from helpers.commands import Command
from scaling_study.config import hydra_app


def test_a_command_composes_its_configuration_once(
    command_here: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Hydra would compose it a second time, only to learn that it is a single run.
    composed = []
    original = ConfigLoaderImpl.load_configuration

    def counted(self: ConfigLoaderImpl, *arguments: Any, **named: Any) -> Any:
        composed.append(arguments)
        return original(self, *arguments, **named)

    monkeypatch.setattr(ConfigLoaderImpl, "load_configuration", counted)
    done = command_here("scaling_study.sweep", "+grid=smoke", "dry_run=true")
    assert done.returncode == 0
    assert len(composed) == 1


@pytest.mark.slow
@pytest.mark.parametrize("words", [["-m", "seed=3,4"], ["hydra.mode=MULTIRUN", "seed=3,4"]])
def test_several_runs_of_hydras_are_several(
    words: list[str], tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []

    def task(settings: dict[str, Any], overrides: list[str]) -> int:
        seen.append(settings["seed"])
        return 0

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["train", *words])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "0")
    with pytest.raises(SystemExit) as left:
        hydra_app.run(task, "train")
    assert left.value.code == 0
    assert seen == [3, 4]
