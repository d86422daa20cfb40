"""The process that has torch, and counts one network after another for one that has not."""

import atexit
import json
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.own_process import calling

SERVER = "scaling_study.models.counting.server"

_servers: list[subprocess.Popen[str]] = []


def count(asked: Mapping[str, Any]) -> dict[str, Any]:
    """The counts of a network, or `refused` with the reason, by the process that is running.

    It is started by the first call, and anew once modules are looked for elsewhere. InputError if
    it ends without an answer.
    """
    for _ in range(2):
        server = _server()
        assert server.stdin is not None
        assert server.stdout is not None
        with suppress(OSError):  # it had ended since the last question
            server.stdin.write(json.dumps(asked) + "\n")
            server.stdin.flush()
            if answer := server.stdout.readline():
                found: dict[str, Any] = json.loads(answer)
                return found
        end()
    family = asked["model"]["family"]
    raise InputError(f"model.family={family}: the process that counts its costs was killed")


def end() -> None:
    """End the process, if one is running."""
    while _servers:
        server = _servers.pop()
        server.kill()  # it has nothing to lose
        for pipe in (server.stdin, server.stdout):
            with suppress(OSError):
                if pipe is not None:
                    pipe.close()
        server.wait()


def _server() -> subprocess.Popen[str]:
    if _servers and _servers[0].args != calling(SERVER, "main"):
        end()
    if not _servers:
        _servers.append(_start())
    return _servers[0]


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        calling(SERVER, "main"),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # what modules print goes nowhere
        text=True,
    )


atexit.register(end)
