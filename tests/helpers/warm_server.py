"""The server of `warm_python`: a process that has everything loaded, and forks for each command."""

import gc
import json
import os
import runpy
import selectors
import signal
import socket
import sys
from contextlib import suppress
from importlib import import_module
from typing import Any

LOADED = (
    *("scaling_study.sweep.__main__", "scaling_study.training.loop", "analysis.report.command"),
    *("submitit.core.submission", "scaling_study.launch.local.preload"),
)


def serve() -> None:
    """Fork for each request until standard input ends; in a fork: become the command."""
    import torch

    from helpers import warm_fork_server

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # what is loaded trains a little, and threads would not outlive forks
    for name in LOADED:
        import_module(name)
    torch.set_num_threads(threads)
    warm_fork_server.install()
    del sys.modules["scaling_study.sweep.__main__"]
    gc.collect()
    gc.freeze()
    if (request := _next_request(socket.socket(fileno=int(sys.argv[1])))) is not None:
        _become(**request)


def _next_request(listening: socket.socket) -> dict[str, Any] | None:
    """In a fork: what to become; in the server, at its end: None."""
    watched = selectors.DefaultSelector()
    watched.register(0, selectors.EVENT_READ)
    watched.register(listening, selectors.EVENT_READ)
    while True:
        for key, _ in watched.select():
            if key.fd == 0:
                return None
            if key.fileobj is not listening:
                _tell_end(watched, key)
            elif (request := _accept(watched, listening)) is not None:
                return request


def _accept(watched: selectors.BaseSelector, listening: socket.socket) -> dict[str, Any] | None:
    """In the fork: what to become; in the server: None."""
    connection, _ = listening.accept()
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    with connection.makefile("r") as lines:
        request: dict[str, Any] = json.loads(lines.readline())
    if (pid := os.fork()) == 0:
        for number, file in enumerate(files):
            os.dup2(file, number)
        for key in [*watched.get_map().values()]:
            if key.data is not None:
                os.close(key.fd)
                key.data[1].close()
        watched.close()
        listening.close()
    else:
        connection.sendall(f"{pid}\n".encode())
        watched.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, connection))
    for file in files:
        os.close(file)
    if pid == 0:
        connection.close()
    return None if pid else request


def _tell_end(watched: selectors.BaseSelector, key: selectors.SelectorKey) -> None:
    pid, connection = key.data
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    watched.unregister(key.fd)
    os.close(key.fd)
    with connection, suppress(OSError):
        connection.sendall(f"{code}\n".encode())


def _become(words: list[str], cwd: str, env: dict[str, str], new_session: bool) -> None:
    """This process goes on as `python -m` with these words, to its end."""
    if new_session:
        os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _open_streams()
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:2] = [cwd, *filter(None, env.get("PYTHONPATH", "").split(os.pathsep))]
    module, *arguments = words
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def _open_streams() -> None:
    """Python's streams anew: what can be done to a terminal, a pipe and a file differs."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        before, terminal = getattr(sys, name), os.isatty(number)
        stream = os.fdopen(
            number,
            "w" if number else "r",
            encoding=before.encoding,
            errors=before.errors,
            closefd=False,
        )
        if number:
            stream.reconfigure(line_buffering=terminal or name == "stderr")
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
