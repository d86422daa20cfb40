"""A sweep's progress on a terminal, with real runs."""

import re
import signal
import time
from pathlib import Path

import pytest

from helpers import warm_python
from helpers.commands import Command, environment
from helpers.terminal import Terminal

SWEEP = "scaling_study.sweep"
ONE = ("+grid=smoke", "grid.axes.depth=[14]", "launcher.slots=1")
TIME = r"([\d.:]+(?:s| min| h))"
HEAD = re.compile(rf"(\d+)/(\d+) runs  ([\d.]+) %  {TIME}(?:, {TIME} left)?\s")
RUN = re.compile(r"d14-w0\.125-r16-e\d+-s\d-\w{10}  epoch ([\d.]+) of \d+(?:  loss ([\d.]+))?")


@pytest.mark.slow
def test_the_bar_moves_within_a_run_and_says_what_has_finished_after_ctrl_c(
    command: Command, cache_dir: Path, tmp_path: Path
) -> None:
    cache = f"cache_dir={cache_dir}"
    short = (*ONE, "grid.axes.seed=[0]", "grid.name=short", "checkpoint.every_s=0")
    assert command(SWEEP, *short).returncode == 0
    long = (*ONE, "train.epochs=4000", "report.every=1s", cache)
    page = tmp_path / "figures/smoke/report.html"
    with Terminal(tmp_path, SWEEP, *long) as terminal:
        # The first run has told how long a step takes: a forecast, so an ETA at once.
        first = HEAD.search(terminal.until(HEAD.search))
        assert first is not None
        assert (first[1], first[2]) == ("0", "2")
        assert first[5] is not None
        terminal.until(lambda text: len({m[2] for m in RUN.finditer(text) if m[2]}) > 3)
        epochs = [float(m[1]) for m in RUN.finditer(terminal.text)]
        assert epochs == sorted(epochs)
        assert epochs[0] < epochs[-1] < 4000
        shown = terminal.text.replace("─", "").split("\n")
        assert max(map(len, shown)) <= 80
        terminal.until(lambda _: page.exists())
        assert '"live_s":1.0' in page.read_text()
        terminal.send(signal.SIGINT)
        assert terminal.wait() == 130, terminal.text
        said = " ".join(terminal.text.split())
    parts = "1 stopped, to continue from their checkpoints; 1 to do"
    assert re.search(rf"0 of 2 runs finished in {TIME}; {parts}", said), said[-500:]
    assert "100.0 %" not in said
    assert "To continue: python -m scaling_study.sweep +grid=smoke" in said
    # The page does not load itself anew, as if the sweep went on.
    assert '"live_s":null' in page.read_text()


@pytest.mark.slow
def test_without_forecasts_the_time_is_told_after_the_first_epochs(
    cache_dir: Path, tmp_path: Path
) -> None:
    words = (*ONE, "train.epochs=300", f"cache_dir={cache_dir}")
    with Terminal(tmp_path, SWEEP, *words) as terminal:
        frames = HEAD.findall(terminal.until(lambda text: " left" in text))
        assert frames[0][4] == ""
        assert frames[-1][4] != ""
        assert frames[-1][0] == "0"
        terminal.send(signal.SIGINT)
        terminal.send(signal.SIGINT)
        assert terminal.wait() == 130


@pytest.mark.slow
def test_when_all_is_done_it_says_so(cache_dir: Path, tmp_path: Path) -> None:
    words = (*ONE, f"cache_dir={cache_dir}")
    with Terminal(tmp_path, SWEEP, *words) as terminal:
        assert terminal.wait() == 0, terminal.text
        assert re.search(r"^2 of 2 runs finished in [\d.]+s$", terminal.text, re.M)
        assert "stopped" not in terminal.text


@pytest.mark.slow
def test_in_a_log_each_run_is_a_line(command: Command) -> None:
    done = command(SWEEP, *ONE)
    assert re.search(r"^\[2/2\] .* ok, error .*, 0\.0s left$", done.stdout, re.M)
    assert "\n2 of 2 runs finished in " in done.stdout


@pytest.mark.slow
def test_in_a_log_stopped_runs_are_not_counted(cache_dir: Path, tmp_path: Path) -> None:
    words = (*ONE, "train.epochs=4000", f"cache_dir={cache_dir}")
    with warm_python.start(SWEEP, *words, cwd=tmp_path, env=environment()) as sweep:
        end = time.monotonic() + 120
        while not [*tmp_path.glob("results/runs/*/checkpoint.pt")] and time.monotonic() < end:
            time.sleep(0.05)
        sweep.send_signal(signal.SIGINT)
        said, _ = sweep.communicate(timeout=120)
    assert re.search(r"^\[0/2\] .* stopped .*, to continue from its checkpoint$", said, re.M)
    assert "0 of 2 runs finished in " in said
