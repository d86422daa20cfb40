"""Several processes that train one run: process group, collective operations, DDP.

Gloo on CPUs, NCCL on GPUs. Each process takes its share of every batch; gradients are averaged.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from scaling_study.common import stop_request
from scaling_study.common.errors import InputError
from scaling_study.common.ranks import World

# One rank may fill a data set's cache for long, while the others wait in a collective operation.
TIMEOUT = timedelta(hours=2)


@contextmanager
def process_group(world: World, device: str) -> Iterator[None]:
    """The two or more processes of `world` as torch's process group, which ends with the block.

    On GPUs each process uses the one of its local rank, or the only one that it sees. InputError
    for device=mps.
    """
    if device == "mps":
        raise InputError("device=mps: a Mac has one GPU, and one process trains a run there")
    os.environ["MASTER_ADDR"], os.environ["MASTER_PORT"] = world.address, str(world.port)
    if device == "cuda":
        torch.cuda.set_device(world.local_rank % torch.cuda.device_count())
    backend = "nccl" if device == "cuda" else "gloo"
    dist.init_process_group(backend, rank=world.rank, world_size=world.size, timeout=TIMEOUT)
    try:
        yield
    finally:
        dist.destroy_process_group()


def from_rank_0(value: float, device: str) -> float:
    """Rank 0's `value` on every rank; `device` is that of the process group's backend."""
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    dist.broadcast(shared, 0)
    return float(shared)


def total(values: Tensor, world: World) -> Tensor:
    """The sum of `values` over all ranks, on every rank."""
    if world.size > 1:
        dist.all_reduce(values)
    return values


def average(tensors: Sequence[Tensor], world: World) -> None:
    """Make `tensors` on every rank their mean over all ranks, in one operation."""
    if world.size > 1 and tensors:
        together = torch.cat([tensor.flatten() for tensor in tensors])
        dist.all_reduce(together)
        parts = torch.split(together / world.size, [tensor.numel() for tensor in tensors])
        for tensor, part in zip(tensors, parts, strict=True):
            tensor.copy_(part.reshape(tensor.shape))


def copy_from_rank_0(tensors: Iterable[Tensor], world: World) -> None:
    """Make `tensors` on every rank those of rank 0."""
    if world.size > 1:
        for tensor in tensors:
            dist.broadcast(tensor, 0)


def parallel(module: nn.Module, world: World, device: str, sync_batch_norm: bool) -> nn.Module:
    """The module to call for forward passes whose gradients are averaged over `world`.

    Synchronised batch norm, torch's on GPUs and our own on CPUs, replaces that of `module`; its
    parameters and buffers stay the same tensors.
    """
    if world.size == 1:
        return module
    if sync_batch_norm and device == "cuda":
        nn.SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
    elif sync_batch_norm:
        # A sixth of a second, which the start of every other run is spared.
        from scaling_study.training.sync_batch_norm import SyncBatchNorm

        SyncBatchNorm.convert(module)
    # broadcast_buffers would send rank 0's running statistics with every forward pass, but only
    # rank 0's are scored.
    return DistributedDataParallel(module, broadcast_buffers=False, gradient_as_bucket_view=True)


def without_averaging(network: nn.Module) -> AbstractContextManager[None]:
    """Backward passes inside add up gradients on this rank alone: for all but a step's last."""
    return network.no_sync() if isinstance(network, DistributedDataParallel) else nullcontext()


def agree(loss: Tensor, stop: str | None, world: World) -> tuple[float, str | None]:
    """The mean loss of all ranks, and the reason to stop if one of them has one."""
    if world.size == 1:
        return float(loss), stop
    flags = torch.tensor([stop == reason for reason in stop_request.REASONS], device=loss.device)
    shared = total(torch.cat([loss.double()[None], flags.double()]), world).tolist()
    reasons = [r for r, n in zip(stop_request.REASONS, shared[1:], strict=True) if n]
    return shared[0] / world.size, reasons[0] if reasons else None
