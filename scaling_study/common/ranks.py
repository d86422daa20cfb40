"""Which of several processes this is, as torchrun or SLURM's srun tells it. No torch."""

import os
import re
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

from scaling_study.common.errors import InputError

# Ports of a rendezvous: above the system's, below those that connections get by themselves.
FIRST_PORT, PORTS = 15_000, 10_000


@dataclass(frozen=True)
class World:
    """The processes that train one run together; `rank` 0 claims the run and writes its files.

    `local_rank` counts within the machine and picks the GPU. Rank 0 is reached at `address`.
    """

    rank: int
    size: int
    local_rank: int
    address: str
    port: int


ALONE = World(rank=0, size=1, local_rank=0, address="", port=0)


def world_of(environment: Mapping[str, str]) -> World:
    """The world of torchrun, else of a step of srun, else `ALONE`; InputError for odd variables.

    A world of one process needs no other variable, and an empty one counts as missing.
    """
    if environment.get("WORLD_SIZE"):
        names = ("RANK", "WORLD_SIZE", "LOCAL_RANK")
    elif environment.get("SLURM_STEP_NUM_TASKS"):  # a batch script is no step: it stands alone
        names = ("SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID")
    else:
        return ALONE
    if (size := _number(environment.get(names[1]), names[1])) == 1:
        return ALONE
    rank, local_rank = (_number(environment.get(name), name) for name in (names[0], names[2]))
    if names[0] == "RANK":
        address, port = environment.get("MASTER_ADDR", ""), environment.get("MASTER_PORT", "")
    else:
        address, port = _of_slurm(environment)
    if not (address and rank < size):
        raise InputError(
            f"{names[0]}={rank}, {names[1]}={size}, MASTER_ADDR={address!r}: no rendezvous; start "
            "with torchrun --nproc-per-node N -m scaling_study.train …, or with srun"
        )
    return World(rank, size, local_rank, address, _number(port, "MASTER_PORT"))


def alone_all_the_same(environment: Mapping[str, str]) -> str:
    """What a command that is one process says where the environment tells of several, else ''."""
    for name in ("WORLD_SIZE", "SLURM_STEP_NUM_TASKS"):
        if environment.get(name, "1") not in ("", "1"):
            return (
                f"note: {name}={environment[name]} in the environment is not about this sweep, "
                "whose runs train in one process each; several train one run with "
                "scaling_study.train under torchrun or srun, or with launcher.gpus_per_run on SLURM"
            )
    return ""


def leave_if_of_several(code: int) -> None:
    """End one of several processes here, without taking Python down in order.

    Gloo's threads outlive the process group once DistributedDataParallel has used it, and now and
    then abort an interpreter that is ending, after the result has been written.
    """
    with suppress(InputError):
        if world_of(os.environ).size > 1:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)


def _of_slurm(environment: Mapping[str, str]) -> tuple[str, str]:
    """Address and port of rank 0: the step's first node, and a port that the job's steps share."""
    nodes = environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST", "")
    address = environment.get("MASTER_ADDR") or first_node(nodes)
    job = _number(environment.get("SLURM_JOB_ID"), "SLURM_JOB_ID")
    step = _number(environment.get("SLURM_STEP_ID", "0"), "SLURM_STEP_ID")
    port = FIRST_PORT + (job * 61 + step) % PORTS
    return address, environment.get("MASTER_PORT") or str(port)


def first_node(nodes: str) -> str:
    """The first host of a SLURM node list: gpu[003-010,17],cpu1 begins with gpu003."""
    found = re.match(r"([^\[,]*)(?:\[(\d+)[^\]]*\])?([^,]*)", nodes)
    return "".join(part or "" for part in found.groups()) if found else ""


def _number(text: str | None, name: str) -> int:
    if text is None or not text.isdigit():
        raise InputError(f"{name}={text!r}: must be a number; torchrun and srun set it")
    return int(text)
