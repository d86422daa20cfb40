"""Commands as processes of their own, with input that nobody would type: how they end."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from helpers import warm_python
from helpers.commands import environment
from helpers.strange import LIMIT_S, TEXTS, seeded

pytestmark = pytest.mark.slow

# A word that a process can be given.
WORDS = [text for text in TEXTS if "\0" not in text and "\ud800" not in text]
COMMANDS = (
    ("scaling_study.sweep", "+grid=smoke", "dry_run=true"),
    ("scaling_study.train", "train.epochs=0"),
    ("scaling_study.status",),
    ("scaling_study.cancel",),
    ("scaling_study.export",),
    ("scaling_study.sync",),
    ("scaling_study", "studies"),
    ("scaling_study", "prune", "--results"),
    ("scaling_study", "unpack"),
    ("scaling_study", "pack"),
    ("analysis", "-o", "out"),
    ("analysis.importers", "-o", "out"),
    ("analysis.power", "+grid=smoke"),
    ("analysis.compare",),
    ("analysis.gate",),
)
PREFIXES = ("", "", "", "train.epochs=", "results_dir=", "grid.name=", "--", "-o", "seed=")


def test_any_words(tmp_path: Path) -> None:
    @seeded(30)
    @given(st.sampled_from(COMMANDS), st.sampled_from(PREFIXES), st.sampled_from(WORDS))
    def case(command: tuple[str, ...], prefix: str, word: str) -> None:
        module, *words = (*command, prefix + word)
        done = warm_python.run(module, *words, cwd=tmp_path, env=environment(), timeout_s=60)
        assert done.returncode in (0, 1, 2), (words, done.stderr)
        assert "Traceback" not in done.stdout + done.stderr, (words, done.stderr)
        if done.returncode == 2 and not done.stderr.startswith("usage: "):
            assert done.stderr.startswith("error: "), (words, done.stderr)
            assert done.stderr.count("\n") == 1, (words, done.stderr)

    case()
    assert not (tmp_path / "hacked").exists()


def limited() -> None:
    """A gigabyte of memory beside what Python and its libraries map, and seconds of a processor."""
    resource.setrlimit(resource.RLIMIT_DATA, (2_000_000_000, 2_000_000_000))
    resource.setrlimit(resource.RLIMIT_CPU, (LIMIT_S, LIMIT_S))


@pytest.mark.parametrize(
    "word",
    [
        *("grid.axes.seed=range(1000000000)",),
        *("train.epochs=9007199254740992", "model.depth=1000000000", "data.classes=1000000000"),
    ],
)
def test_memory_and_time_are_bounded(tmp_path: Path, word: str) -> None:
    key, _, value = word.partition("=")
    words = ["+grid=smoke", "dry_run=true", f'++{key}="{value}"' if "range" in value else word]
    if key == "model.depth":
        words[-1] = f"grid.axes.depth=[{value}]"
    done = subprocess.run(
        [sys.executable, "-m", "scaling_study.sweep", *words],
        cwd=tmp_path,
        env=environment(),
        capture_output=True,
        text=True,
        preexec_fn=limited,
        check=False,
    )
    assert done.returncode in (0, 2), done.stderr
    assert "Traceback" not in done.stderr
