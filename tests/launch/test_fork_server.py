"""What a process that is forked for a run has from the first moment."""

import signal

import pytest

from scaling_study.launch.local.fork_server import start_fork_server

# The server has trained a little, with one thread.
TRAINS = """
import os, torch
assert len(os.listdir("/proc/self/task")) == 1
network = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3), torch.nn.Conv2d(64, 64, 3, 2))
network(torch.ones(8, 3, 16, 16)).sum().backward()
assert network[0].weight.grad.isfinite().all()
"""


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_to_all_processes_changes_nothing_before_the_runs_own_code(number: int) -> None:
    context = start_fork_server(threads=1)
    process = context.Process(target=signal.raise_signal, args=(number,))
    process.start()
    process.join(60)
    assert process.exitcode == 0


@pytest.mark.slow
def test_a_fork_trains_after_its_server_has_trained() -> None:
    process = start_fork_server(threads=1).Process(target=exec, args=(TRAINS,))
    process.start()
    process.join(120)
    assert process.exitcode == 0
