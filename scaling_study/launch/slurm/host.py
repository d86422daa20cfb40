"""What a run needs of its node besides GPUs: CPU cores and memory of each of its processes."""

from scaling_study.config.execution import AUTO_WORKERS, ExecutionConfig
from scaling_study.config.run import RunConfig
from scaling_study.cost.closed_form import run_cost
from scaling_study.data import data_info
from scaling_study.data.base import encoded
from scaling_study.launch.job import Request
from scaling_study.launch.slurm.config import SlurmOptions

# CPU cores for a GPU where the loader takes all that it gets (`loader.workers=auto`).
CPUS_OF_GPU = 8
# Memory of a process beyond the tensors of its run: Python and torch; with a GPU also the context
# of CUDA and its libraries, which differ between versions.
PROCESS_BYTES, CUDA_BYTES = 600_000_000, 2_500_000_000
# A process that decodes images: what it does not share with the one that trains.
WORKER_BYTES = 250_000_000
# Batches on their way to a GPU: parts in workers and in the queue, joined ones, one being copied.
IN_FLIGHT = 6


def cpus_of(run: RunConfig, execution: ExecutionConfig, options: SlurmOptions) -> int:
    """CPU cores of each process that trains `run`."""
    if options.cpus is not None:
        return options.cpus
    if run.device != "cuda" or run.program is not None:
        return options.threads
    if not encoded(run.data):
        return options.threads + 1  # a thread makes the batches
    workers = execution.loader_workers
    return (
        max(options.threads, CPUS_OF_GPU) if workers == AUTO_WORKERS else options.threads + workers
    )


def memory_of(request: Request, options: SlurmOptions) -> int | None:
    """Bytes of host memory of each process that trains the run; None if nothing is known.

    On a CPU it is the run's memory; with a GPU the images that wait for it, and what decodes them.
    """
    run, execution = request.job.run, request.job.execution
    if run.program is not None:
        return None
    if run.device != "cuda":
        return None if request.memory_bytes is None else request.memory_bytes + PROCESS_BYTES
    info, side = data_info(run.data), run.data.resolution
    if execution.augment_on == "device":
        side = max(side, getattr(run.data, "stored_side", 0))  # the device cuts crops out of them
    share = -(-run.train.batch_size // max(request.processes, options.processes))
    waiting = IN_FLIGHT * share * side**2 * info.channels
    if not encoded(run.data):
        return PROCESS_BYTES + CUDA_BYTES + waiting + (run_cost(run).data_bytes or 0)
    workers = execution.loader_workers
    if workers == AUTO_WORKERS:
        workers = cpus_of(run, execution, options)
    return PROCESS_BYTES + CUDA_BYTES + waiting + workers * WORKER_BYTES
