"""What `site check` does: asks, proposes settings, and tries a run of seconds."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

from scaling_study.common.errors import InputError
from scaling_study.common.files import replace_file
from scaling_study.common.validation import require
from scaling_study.config.site_folders import user_folder
from scaling_study.launch.base import SchedulerError
from scaling_study.launch.slurm import commands, site

# A run of seconds waits in a queue; longer than this nobody looks on.
PATIENCE_S = 1800
# One run of the grid that asks whether everything works.
TRIAL = ("+grid=smoke", "grid.name=site_check", "grid.axes.seed=[0]", "grid.axes.depth=[14]")


def check(name: str, write: bool, trial: bool, settings: list[str]) -> Iterator[str]:
    """The report, line by line.

    InputError without a SLURM that answers, for a name that makes no file, or for settings that
    are there already.
    """
    plain = re.fullmatch(r"[A-Za-z0-9_-]+", name) is not None
    require(plain, "--name", name, "must be letters, digits, '_' and '-'")
    if not commands.available():
        raise InputError("site check: no SLURM here (squeue and sbatch are not on PATH)")
    try:
        found = site.asked()
    except SchedulerError as error:
        raise InputError(f"site check: {error}") from None
    yield from site.in_words(found)
    launcher = {"defaults": ["slurm", "_self_"], **site.settings_of(found)}
    text = yaml.safe_dump(launcher, sort_keys=False)
    path = user_folder() / "launcher" / f"{name}.yaml"
    if write:
        if path.exists():
            raise InputError(f"{path} is there already; give another --name, or remove it")
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, text)
        yield f"written: {path}; launcher={name} uses it"
    else:
        yield f"settings for it, which --write puts into {path}:"
        yield from (f"  {line}" for line in text.splitlines())
    if trial:
        own = [f"launcher.{k}={v}" for k, v in launcher.items() if k != "defaults"]
        yield from _trial([*own, *settings])


def _trial(settings: list[str]) -> Iterator[str]:
    """Submit one run of seconds, wait for it, and say how it went."""
    words = [*TRIAL, "launcher=slurm", "launcher.wait=true", "launcher.allow_dirty=true", *settings]
    command = [sys.executable, "-m", "scaling_study.sweep", *words]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
    except subprocess.TimeoutExpired:
        yield f"the run has not ended within {PATIENCE_S // 60} minutes: it waits in the queue; "
        yield f"python -m scaling_study.status {Path('results') / 'site_check'} says why"
        return
    if done.returncode == 0:
        yield "a run was submitted, trained and ended well: studies can be submitted here"
        return
    lines = (done.stderr.strip() or done.stdout.strip()).splitlines()
    yield "the run did not end well:"
    yield from (f"  {line}" for line in lines[-5:])
