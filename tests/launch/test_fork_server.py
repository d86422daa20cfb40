"""What a process that is forked for a run has from the first moment."""

import signal

import pytest

from scaling_study.launch.local.fork_server import start_fork_server


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1])
def test_a_signal_to_all_processes_changes_nothing_before_the_runs_own_code(number: int) -> None:
    context = start_fork_server(threads=1)
    process = context.Process(target=signal.raise_signal, args=(number,))
    process.start()
    process.join(60)
    assert process.exitcode == 0
