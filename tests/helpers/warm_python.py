"""`python -m MODULE` without the seconds in which Python imports what all commands need.

A server (`warm_server`) has the libraries and our packages loaded; each command is a fork of it,
with arguments, folder, environment and files of its own. Where these would change what Python
itself does or what it imports, a command begins as a user's: with an interpreter of its own.
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import IO, Any

from helpers.commands import environment

OURS = ("analysis", "scaling_study")
TESTS = Path(__file__).resolve().parents[1]
# Read by Python, the dynamic linker or libraries when they start.
AT_START = (
    *("PYTHON", "LD_", "LC_", "LANG", "OMP_", "MKL_", "OPENBLAS_", "NPY_"),
    *("ATEN_", "ONEDNN_", "TORCH", "MPL"),
)
# The server's: a test may change that of this process.
ENVIRONMENT = environment()
# Where the process that started this one has put the address of a server for all.
SHARED = "SCALING_STUDY_TESTS_WARM_SERVER"
# Its forks are known as processes of ours by the name in it.
START = "import sys; sys.path.insert(1, {tests!r}); import scaling_study, helpers.warm_server as w"


def run(
    module: str, *arguments: str, cwd: Path, env: Mapping[str, str], timeout_s: float = 300
) -> "subprocess.CompletedProcess[str]":
    """`python -m MODULE ARGUMENTS` to its end, as `subprocess.run` with captured text would."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = start(module, *arguments, cwd=cwd, env=env, stdout=out, stderr=err)
        try:
            code = process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        texts = []
        for file in (out, err):
            file.seek(0)
            texts.append(file.read())
    return subprocess.CompletedProcess(process.args, code, *texts)


def start(
    module: str,
    *arguments: str,
    cwd: Path,
    env: Mapping[str, str],
    stdin: int = subprocess.DEVNULL,
    stdout: int | IO[str] = subprocess.PIPE,
    stderr: int | IO[str] = subprocess.PIPE,
    start_new_session: bool = False,
) -> "subprocess.Popen[str]":
    """`python -m MODULE ARGUMENTS`, as `subprocess.Popen` with text would start it.

    Modules of `helpers` are found from every folder.
    """
    words = [sys.executable, "-m", module, *arguments]
    files = {"stdin": stdin, "stdout": stdout, "stderr": stderr}
    if _is_plain(cwd, env):
        return Fork(words, cwd, env, files, start_new_session)
    if module.startswith("helpers."):
        env = {**env, "PYTHONPATH": f"{TESTS.parent}{os.pathsep}{TESTS}"}
    return subprocess.Popen(
        words, cwd=cwd, env=env, text=True, start_new_session=start_new_session, **files
    )


def _is_plain(cwd: Path, env: Mapping[str, str]) -> bool:
    """Whether a fork of the server would be what a new interpreter is."""
    places = {cwd, *map(Path, filter(None, env.get("PYTHONPATH", "").split(os.pathsep)))}
    shadows = any(
        (place / name / "__init__.py").exists() or (place / f"{name}.py").exists()
        for place in places - {TESTS.parent}
        for name in (*OURS, "sitecustomize")
    )
    return not shadows and _at_start(env) == _at_start(ENVIRONMENT) and hasattr(os, "pidfd_open")


def _at_start(env: Mapping[str, str]) -> dict[str, str]:
    variables = {**env}
    variables.pop("PYTHONPATH", None)  # a fork follows it
    return {name: value for name, value in variables.items() if name.startswith(AT_START)}


class Fork(subprocess.Popen[str]):
    """A fork of the server, with what tests use of `subprocess.Popen`."""

    def __init__(
        self,
        words: list[str],
        cwd: Path,
        env: Mapping[str, str],
        files: dict[str, int | IO[str]],
        new_session: bool,
    ) -> None:
        self.args, self.returncode = words, None
        self._child_created = False  # of this process
        self.stdin = self.stdout = self.stderr = None
        self._said: list[Any] | None = None
        request = {"words": words[2:], "cwd": str(cwd), "env": dict(env)}
        self._connection = socket.socket(socket.AF_UNIX)
        self._connection.connect(_server())
        given = [self._file(name, file) for name, file in files.items()]
        if files["stderr"] == subprocess.STDOUT:
            given[2] = os.dup(given[1])
        socket.send_fds(self._connection, [b"."], given)
        for number in given:
            os.close(number)
        self._lines = self._connection.makefile("rw")
        self._lines.write(json.dumps(request | {"new_session": new_session}) + "\n")
        self._lines.flush()
        self.pid = int(self._lines.readline())

    def _file(self, name: str, file: int | IO[str]) -> int:
        """A descriptor for the fork, which this process closes."""
        if file == subprocess.PIPE:
            reader, writer = os.pipe()
            setattr(self, name, os.fdopen(reader))
            return writer
        if file in (subprocess.DEVNULL, subprocess.STDOUT):
            return os.open(os.devnull, os.O_RDWR)
        return os.dup(file if isinstance(file, int) else file.fileno())

    def poll(self) -> int | None:
        if self.returncode is None and select.select([self._connection], [], [], 0)[0]:
            self.returncode = int(self._lines.readline() or -signal.SIGKILL)
            self._lines.close()
            self._connection.close()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        if self.returncode is None and not select.select([self._connection], [], [], timeout)[0]:
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def communicate(self, input: Any = None, timeout: float | None = None) -> tuple[Any, Any]:
        if self._said is None:
            readers = ThreadPoolExecutor(2)
            reading = [file and readers.submit(file.read) for file in (self.stdout, self.stderr)]
            readers.shutdown(wait=False)
            try:
                self._said = [text and text.result(timeout) for text in reading]
            except NotYet:
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            for file in filter(None, (self.stdout, self.stderr)):
                file.close()
        self.wait(timeout)
        return self._said[0], self._said[1]

    def send_signal(self, sig: int) -> None:
        if self.poll() is None:
            with suppress(ProcessLookupError):
                os.kill(self.pid, sig)


def share() -> None:
    """Start a server for the processes that this one will start."""
    os.environ[SHARED] = _server()


@cache
def _server() -> str:
    """The address of a server: that of the process which started this one, or an own."""
    return os.environ.get(SHARED) or _started()


def _started() -> str:
    """The address of a new server, which ends with this process."""
    address = str(Path(tempfile.mkdtemp(prefix="warm")) / "server")
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(address)
    listening.listen()
    command = f"{START.format(tests=str(TESTS))}; w.serve()"
    server = subprocess.Popen(
        [sys.executable, "-c", command, str(listening.fileno())],
        stdin=subprocess.PIPE,
        env=ENVIRONMENT,
        pass_fds=[listening.fileno()],
    )
    listening.close()
    atexit.register(server.kill)
    return address
