"""`python -m MODULE` without the seconds in which Python imports what all commands need.

A server has the libraries and our packages loaded; each command is a fork of it, with arguments,
folder, environment and files of its own. Where these would change what Python itself does or what
it imports, a command begins as a user's: with an interpreter of its own.
"""

import atexit
import gc
import json
import os
import runpy
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

from helpers.commands import environment

OURS = ("analysis", "scaling_study")
LOADED = (
    *("scaling_study.sweep.__main__", "scaling_study.training.loop", "analysis.report.command"),
    *("submitit.core.submission", "scaling_study.launch.local.preload"),
)
# Read by Python, the dynamic linker or libraries when they start.
AT_START = (
    *("PYTHON", "LD_", "LC_", "LANG", "OMP_", "MKL_", "OPENBLAS_", "NPY_"),
    *("ATEN_", "ONEDNN_", "TORCH", "MPL"),
)
# The server's: a test may change that of this process.
ENVIRONMENT = environment()
TESTS = Path(__file__).resolve().parents[1]
START = "import sys; sys.path.insert(1, {tests!r}); from helpers import warm_python as w; w.serve()"


def run(
    module: str, *arguments: str, cwd: Path, env: Mapping[str, str], timeout_s: float = 300
) -> "subprocess.CompletedProcess[str]":
    """`python -m MODULE ARGUMENTS` to its end, as `subprocess.run` with captured text would.

    Modules of `helpers` are found from every folder.
    """
    words = [sys.executable, "-m", module, *arguments]
    if not _is_plain(cwd, env):
        if module.startswith("helpers."):
            env = {**env, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
        return subprocess.run(
            words, cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    with ExitStack() as stack:
        out, err = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(2))
        null = stack.enter_context(open(os.devnull, "rb"))
        code = _forked(words, cwd, env, [null.fileno(), out.fileno(), err.fileno()], timeout_s)
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read().decode())
    return subprocess.CompletedProcess(words, code, *texts)


def _is_plain(cwd: Path, env: Mapping[str, str]) -> bool:
    """Whether a fork of the server would be what a new interpreter is."""
    shadows = any((cwd / name).exists() or (cwd / f"{name}.py").exists() for name in OURS)
    return not shadows and _at_start(env) == _at_start(ENVIRONMENT) and hasattr(os, "pidfd_open")


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(AT_START)}


def _forked(
    words: list[str], cwd: Path, env: Mapping[str, str], files: list[int], timeout_s: float
) -> int:
    request = {"words": words[2:], "cwd": str(cwd), "env": dict(env)}
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(_server())
        socket.send_fds(connection, [b"."], files)
        with connection.makefile("rw") as lines:
            lines.write(json.dumps(request) + "\n")
            lines.flush()
            pid = int(lines.readline())
            connection.settimeout(timeout_s)
            try:
                return int(lines.readline())
            except TimeoutError:
                os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(words, timeout_s) from None


@cache
def _server() -> str:
    """The address of this process's server, which ends with it."""
    address = str(Path(tempfile.mkdtemp(prefix="warm")) / "server")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    command = START.format(tests=str(TESTS))
    server = subprocess.Popen(
        [sys.executable, "-c", command, str(listening.fileno())],
        stdin=subprocess.PIPE,
        env=ENVIRONMENT,
        pass_fds=[listening.fileno()],
    )
    listening.close()
    atexit.register(server.kill)
    return address


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


def _become(words: list[str], cwd: str, env: dict[str, str]) -> None:
    """This process goes on as `python -m` with these words, to its end."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.chdir(cwd)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:2] = [cwd]
    module, *arguments = words
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
