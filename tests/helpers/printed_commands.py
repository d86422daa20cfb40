"""Runs that printed commands lead to."""

import shlex

import hydra
from omegaconf import OmegaConf

from scaling_study.common.paths import data_dir
from scaling_study.grid.run_at_point import run_at


def composed(line):
    """The run that a printed command leads to, composed as its entry point does."""
    program = ["python", "-m", "scaling_study.train"]
    words = shlex.split(line)
    assert words[:3] == program
    with hydra.initialize_config_dir(str(data_dir("conf")), version_base="1.3"):
        settings = OmegaConf.to_container(hydra.compose("train", words[3:]), resolve=True)
    run = run_at(settings, {})
    return run, settings["results_dir"]
