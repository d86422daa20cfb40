"""What a SLURM says of itself: partitions, limits and accounts, in words and as settings."""

import getpass
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from scaling_study.launch.base import SchedulerError
from scaling_study.launch.slurm import commands


@dataclass(frozen=True)
class Partition:
    """Nodes alike of a partition: time limit as sinfo writes it, GPUs, CPUs and MB of each.

    `shared` says with whom its nodes are not: other jobs, or other users; empty: with anybody.
    """

    name: str
    default: bool
    limit: str
    gres: str
    cpus: str
    memory_mb: str
    nodes: str
    shared: str = ""


@dataclass(frozen=True)
class Site:
    """Answers of sinfo, scontrol and sacctmgr; `silent` says of those that gave none why.

    `config` are the controller's settings, `associations` rows of account, partition, qos and
    MaxSubmitJobs, `qos` of name and what a user may have of it: jobs in the queue, jobs at work,
    time of a job, and its flags.
    """

    partitions: tuple[Partition, ...]
    config: Mapping[str, str]
    associations: tuple[tuple[str, ...], ...]
    qos: tuple[tuple[str, ...], ...]
    silent: Mapping[str, str]


def asked() -> Site:
    """What this SLURM says; raises a SchedulerError if not even its partitions are told."""
    silent = dict[str, str]()

    def answer(program: str, *arguments: str) -> str:
        try:
            return commands.call(program, *arguments)
        except SchedulerError as error:
            silent[program] = str(error)
            return ""

    rows = commands.call("sinfo", "--noheader", "--format=%P|%l|%G|%c|%m|%D").splitlines()
    config = re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", answer("scontrol", "show", "config"), re.M)
    who = f"user={getpass.getuser()}"
    columns = "format=account,partition,qos,maxsubmit"
    accounts = _rows(answer("sacctmgr", "-nP", "show", "assoc", who, columns), 4)
    limits = "format=name,maxsubmitpu,maxjobspu,maxwall,flags"
    partitions = answer("scontrol", "--oneliner", "show", "partition")
    shared = {
        found["name"]: "jobs" if "OverSubscribe=EXCLUSIVE" in found[0] else "users"
        for found in re.finditer(r"^PartitionName=(?P<name>\S+) .*", partitions, re.M)
        if re.search("OverSubscribe=EXCLUSIVE|ExclusiveUser=YES", found[0])
    }
    return Site(
        tuple(_partition(row.split("|"), shared) for row in rows if row.count("|") == 5),
        dict(config),
        accounts,
        _rows(answer("sacctmgr", "-nP", "show", "qos", limits), 5),
        silent,
    )


def _rows(answer: str, columns: int) -> tuple[tuple[str, ...], ...]:
    rows = (tuple(line.split("|")) for line in answer.splitlines())
    return tuple(row for row in rows if len(row) == columns)


def _partition(parts: list[str], shared: Mapping[str, str]) -> Partition:
    name, limit, gres, cpus, memory_mb, nodes = parts
    plain, default = name.rstrip("*"), name.endswith("*")
    return Partition(plain, default, limit, gres, cpus, memory_mb, nodes, shared.get(plain, ""))


def settings_of(site: Site) -> dict[str, Any]:
    """Settings of `launcher` for it: those that the site leaves no choice about, or none."""
    found: dict[str, Any] = {}
    with_gpus = [p for p in site.partitions if "gpu" in p.gres]
    wanted = with_gpus or list(site.partitions)
    if wanted and not any(p.default for p in wanted):
        found["partition"] = wanted[0].name
    accounts = {account for account, *_ in site.associations if account}
    if len(accounts) == 1:
        found["account"] = accounts.pop()
    limits = [int(row[3]) for row in site.associations if row[3].isdecimal()]
    if limits:
        found["max_submit"] = min(limits)
    gpus = [int(n) for p in with_gpus for n in re.findall(r":(\d+)(?:\(|,|$)", p.gres)]
    if gpus:
        found["gpus_per_node"] = max(1, min(gpus))
    return found


def in_words(site: Site) -> Iterator[str]:
    """What matters to a study."""
    for p in site.partitions:
        kind = " (default)" if p.default else ""
        gres = p.gres if p.gres not in ("", "(null)") else "no GPUs"
        yield (
            f"partition {p.name}{kind}: {p.nodes} nodes of {p.cpus} CPUs, {p.memory_mb} MB, "
            f"{gres}; jobs of at most {p.limit}"
        )
    for program, why in site.silent.items():
        yield f"{program} does not answer ({why}): its limits are not known"
    config = site.config
    if config.get("JobRequeue") == "0":
        yield (
            "JobRequeue=0: the site restarts no job by itself; ours ask for it (--requeue), and "
            "where that is refused too the next call of the sweep submits what is missing"
        )
    if config.get("AccountingStorageType", "").endswith("none"):
        yield "no accounting: what became of a job that squeue has forgotten is told by files alone"
    for p in site.partitions:
        if p.shared:
            yield (
                f"partition {p.name}: a node is shared with no other {p.shared}: "
                "launcher.runs_per_job and slots pack several runs into a job"
            )
    if (plugins := config.get("JobSubmitPlugins", "(null)")) not in ("(null)", ""):
        yield (
            f"job_submit plugins ({plugins}) check each job: what they refuse is told in their "
            "words, and nothing of it is queued"
        )
    if (size := config.get("MaxArraySize")) is not None:
        yield f"arrays of at most {size} jobs: longer ones are cut"
    for account, partition, qos, most in site.associations:
        limit = f", at most {most} jobs in the queue" if most else ""
        where = f" on {partition}" if partition else ""
        yield f"account {account}{where}, qos {qos or 'none'}{limit}"
    for name, queued, running, time, flags in site.qos:
        parts = [f"{queued} jobs in the queue"] * bool(queued)
        parts += [f"{running} at work"] * bool(running) + [f"{time} each"] * bool(time)
        if parts:
            denied = "; more is refused at once" if "DenyOnLimit" in flags else ""
            yield f"qos {name}: at most {', '.join(parts)}{denied}"
