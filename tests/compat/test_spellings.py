"""Every `python -m …` that is written down for users answers, from a fresh import."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from helpers.commands import environment

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("README.md", "Makefile", "docs/*.md", "conf/**/*.yaml", "sweeps/**/*.yaml")
SPELLING = re.compile(r"-m ((?:scaling_study|analysis)(?:\.\w+)*)")
# Those of the version whose store is kept here.
BEFORE = {
    *("scaling_study.cancel", "scaling_study.export", "scaling_study.measure"),
    *("scaling_study.status", "scaling_study.sweep", "scaling_study.sync", "scaling_study.train"),
    *("analysis", "analysis.dashboard", "analysis.importers", "analysis.power"),
    *("analysis.published", "analysis.recommend"),
}
# What all commands import is loaded once; each command is a child with an import of its own.
PROBE = """
import os, runpy, sys
import hydra, matplotlib.backends.backend_pdf, matplotlib.backends.backend_svg, pandas, rich.live
import scipy.optimize, scipy.stats
assert not {"scaling_study", "analysis"} & set(sys.modules)
for module in sys.argv[1:]:
    if (child := os.fork()) == 0:
        for stream, name in ((1, "out"), (2, "err")):
            os.dup2(os.open(f"{module}.{name}", os.O_CREAT | os.O_WRONLY), stream)
        sys.argv = [module, "--help"]
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        sys.exit(0)
    print(module, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def documented() -> set[str]:
    """The modules after `python -m` in what users read."""
    files = [path for pattern in PAGES for path in ROOT.glob(pattern)]
    return {name for path in files for name in SPELLING.findall(path.read_text(encoding="utf-8"))}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[int, str, str]]:
    """Exit code, output and errors of each command, asked for help."""
    folder = tmp_path_factory.mktemp("spellings")
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *sorted(documented() | BEFORE)],
        cwd=folder,
        env=environment() | {"OPENBLAS_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    found = {}
    for line in done.stdout.splitlines():
        name, code = line.split()
        out, err = (
            (folder / f"{name}.{kind}").read_text(encoding="utf-8") for kind in ("out", "err")
        )
        found[name] = (int(code), out, err)
    return found


def test_no_spelling_is_lost() -> None:
    assert documented() >= BEFORE


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(documented() | BEFORE))
def test_every_spelling_answers(name: str, answers: dict[str, tuple[int, str, str]]) -> None:
    code, out, err = answers[name]
    assert (code, err) == (0, "")
    assert f"python -m {name}" in out or "powered by Hydra" in out
