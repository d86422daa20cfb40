"""A SLURM of our own for the tests: every daemon, key, socket, database and log under one folder.

    python tests/slurm/cluster.py start FOLDER      then: export SLURM_CONF=FOLDER/etc/slurm.conf
    python tests/slurm/cluster.py wipe FOLDER

munged, MariaDB, slurmdbd, slurmctld and a slurmd for each node run on this host, without systemd
and without touching /etc. GPUs are links to /dev/null. Nodes are n1, n2, …; partitions are main,
grace (preempted after a notice of 10 s) and high, which preempts the two others.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import control_groups

PROGRAMS = ("munged", "mariadbd", "slurmdbd", "slurmctld", "slurmd", "sbatch", "sacct")
SEARCH = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
TABLES = [
    "/usr/share/mariadb/mariadb_system_tables.sql",
    "/usr/share/mysql/mysql_system_tables.sql",
]
# The longest that anything of the cluster may take; a busy machine needs some of it.
PATIENCE_S = 180
GPUS = 2

# What holds jobs to what they asked for: control groups, or a look at their memory each second.
CGROUPS = "ProctrackType=proctrack/cgroup\nTaskPlugin=task/cgroup,task/affinity"
NO_CGROUPS = (
    "ProctrackType=proctrack/linuxproc\nTaskPlugin=task/none\nJobAcctGatherParams=OverMemoryKill"
)
# Unless it is given, slurmd looks for a cgroup mount, which a cluster without limits does not use.
CGROUP_CONF = "CgroupPlugin=cgroup/v1\n"
CONSTRAINED = "ConstrainCores=yes\nConstrainRAMSpace=yes\n"

# cred_expire is also how long a requeued job waits before it may start; 5 s is the least allowed.
# All other times are long: a busy machine must not look like a dead node or a deaf process.
# Slurmctld hands out ids from a random first one: runs must not find a former cluster's files.
SLURM_CONF = """\
ClusterName=tests
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser={user}
SlurmdUser={user}
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket,cred_expire=5
SlurmctldPidFile={folder}/run/slurmctld.own
SlurmdPidFile={folder}/run/%n.own
SlurmctldLogFile={folder}/log/slurmctld.log
SlurmdLogFile={folder}/log/%n.log
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
AccountingStorageType=accounting_storage/slurmdbd
AccountingStorageHost=127.0.0.1
AccountingStoragePort={dbd_port}
AccountingStoragePass={folder}/munge/socket
{limits}
MpiDefault=none
PropagateResourceLimits=NONE
SlurmdParameters=config_overrides
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
DefMemPerCPU=500
GresTypes=gpu
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
ReturnToService=2
SlurmdTimeout=300
MessageTimeout=30
KillWait=30
MinJobAge=3600
FirstJobId={first_job}
MaxArraySize={max_array}
JobRequeue=1
SchedulerParameters=batch_sched_delay=0,sched_interval=1,sched_min_interval=0,bf_interval=1
PriorityType=priority/basic
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
SlurmctldParameters=preempt_send_user_signal
NodeName={nodes} NodeHostname={host} NodeAddr=127.0.0.1 Port={node_ports} CPUs={cpus} \
RealMemory=64000 Gres=gpu:{gpus}
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP PriorityTier=1
PartitionName=grace Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=1 GraceTime=10
PartitionName=high Nodes=ALL MaxTime=INFINITE State=UP PriorityTier=9 PreemptMode=OFF
"""

SLURMDBD_CONF = """\
AuthType=auth/munge
AuthInfo=socket={folder}/munge/socket
DbdHost={host}
DbdAddr=127.0.0.1
DbdPort={dbd_port}
SlurmUser={user}
PidFile={folder}/run/slurmdbd.own
LogFile={folder}/log/slurmdbd.log
StorageType=accounting_storage/mysql
StorageHost=localhost
StorageUser=root
StorageLoc=accounts
"""


class ClusterError(RuntimeError):
    """The cluster did not come up, or something of it did not go away."""


def missing() -> list[str]:
    """Programs that a cluster needs and this machine lacks."""
    return [name for name in PROGRAMS if shutil.which(name, path=SEARCH) is None]


@dataclass
class Cluster:
    """The daemons of one folder. Those of an earlier process are found by their pid files."""

    folder: Path
    nodes: tuple[str, ...] = ("n1", "n2")
    cpus: int = 8
    max_array: int = 1001
    cgroups: bool = False
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        if len(str(self.folder)) > 80:
            raise ClusterError(f"{self.folder}: too long for the sockets in it")
        conf = str(self.folder / "etc/slurm.conf")
        self.environment = {**os.environ, "PATH": SEARCH, "SLURM_CONF": conf}

    # Life of the cluster

    def start(self) -> None:
        """Bring everything up; what runs already stays."""
        if not (self.folder / "etc/slurm.conf").exists():
            self._configure()
        self._start_munge()
        self._start_accounting()
        self.start_controller()
        for node in self.nodes:
            self.start_node(node)
        self._until(self._nodes_idle, "nodes")

    def wipe(self) -> None:
        """Kill everything of the cluster, jobs included, and delete its folder."""
        for name in ("slurmctld", *self.nodes, "slurmdbd", "mariadb", "munged"):
            self._kill(name)
        self._until(lambda: not self._kill_all(self._processes()), "end of the jobs")
        for node in self.nodes if self.cgroups else ():
            self._until(partial(control_groups.remove, node), f"end of the groups of {node}")
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_controller(self) -> None:
        self._spawn("slurmctld", "slurmctld", "-D")
        self._until(lambda: "is UP" in self.run("scontrol", "ping"), "slurmctld")

    def stop_controller(self) -> None:
        """Jobs go on. Killed, it would forget what it last wrote down seconds before: it starts
        jobs a second time then, or gives their ids away again."""
        self._kill("slurmctld", signal.SIGTERM)

    def forget_after(self, seconds: int) -> None:
        """How long squeue tells of jobs that have ended; it may take a minute longer."""
        conf = self.folder / "etc/slurm.conf"
        text = re.sub("MinJobAge=.*", f"MinJobAge={seconds}", conf.read_text())
        conf.write_text(text)
        self.run("scontrol", "reconfigure")

    def start_node(self, node: str) -> None:
        self._spawn(node, "slurmd", "-D", "-N", node)

    def kill_node(self, node: str) -> None:
        """As a power cut: the daemon, its job steps and their processes die at once."""
        self._kill(node)
        self._until(lambda: not self._kill_all(self._processes(node)), f"end of {node}")

    def run(self, *command: str) -> str:
        """Output of one of SLURM's programs; its errors are part of it."""
        done = subprocess.run(
            command,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
            check=False,
        )
        return done.stdout + done.stderr

    # Configuration

    def _configure(self) -> None:
        for name in ("etc", "run", "log", "munge", "db", "state", "gpus"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / "db").chmod(0o700)
        port = free_ports(2 + len(self.nodes))
        last = port + 1 + len(self.nodes)
        values = {
            "folder": self.folder,
            "host": socket.gethostname().partition(".")[0],
            "user": subprocess.check_output(["id", "-un"], text=True).strip(),
            "port": port,
            "dbd_port": port + 1,
            "node_ports": f"[{port + 2}-{last}]",
            "nodes": ",".join(self.nodes),
            "limits": CGROUPS if self.cgroups else NO_CGROUPS,
            "cpus": self.cpus,
            "gpus": GPUS,
            "max_array": self.max_array,
            "first_job": 1000 + secrets.randbelow(50_000_000),
        }
        etc = self.folder / "etc"
        for node in self.nodes:
            (self.folder / "spool" / node).mkdir(parents=True)
            for gpu in range(GPUS):
                (self.folder / "gpus" / f"{node}-{gpu}").symlink_to("/dev/null")
        (etc / "gres.conf").write_text(
            "".join(
                f"NodeName={node} Name=gpu File={self.folder}/gpus/{node}-[0-{GPUS - 1}]\n"
                for node in self.nodes
            )
        )
        (etc / "cgroup.conf").write_text(CGROUP_CONF + (CONSTRAINED if self.cgroups else ""))
        (etc / "slurmdbd.conf").write_text(SLURMDBD_CONF.format(**values))
        (etc / "slurmdbd.conf").chmod(0o600)
        key = self.folder / "munge/key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        # Last: with it the folder counts as configured.
        (etc / "slurm.conf").write_text(SLURM_CONF.format(**values))

    def _start_munge(self) -> None:
        at = self.folder / "munge"
        self._spawn(
            *("munged", "munged", "--foreground", "--force", "--num-threads=2"),
            *(f"--key-file={at}/key", f"--socket={at}/socket", f"--pid-file={at}/pid"),
            *(f"--seed-file={at}/seed", f"--log-file={at}/log"),
        )
        self._until((at / "socket").is_socket, "munged")

    def _start_accounting(self) -> None:
        at = self.folder / "db"
        user = subprocess.check_output(["id", "-un"], text=True).strip()
        options = [
            *("--no-defaults", f"--datadir={at}", f"--user={user}", "--skip-networking"),
            *("--skip-log-bin", "--performance-schema=OFF", "--innodb-buffer-pool-size=64M"),
            *("--innodb-log-file-size=8M", "--innodb-flush-log-at-trx-commit=0"),
            "--innodb-lock-wait-timeout=900",
        ]
        if not (at / "mysql").exists():
            tables = next(path for path in map(Path, TABLES) if path.exists())
            ours = "create database accounts;\ncreate database mysql;\nuse mysql;\n"
            made = subprocess.run(
                ["mariadbd", *options, "--bootstrap"],
                input=ours + tables.read_text(),
                env=self.environment,
                text=True,
                capture_output=True,
                check=False,
            )
            if made.returncode:
                raise ClusterError(f"mariadbd --bootstrap: {made.stderr[-500:]}")
        database = [f"--socket={at}/socket", "--skip-grant-tables", f"--pid-file={at}/pid"]
        self._spawn("mariadb", "mariadbd", *options, *database)
        self._until((at / "socket").is_socket, "mariadbd")
        self.start_slurmdbd()
        if not self.run("sacctmgr", "-nP", "list", "cluster", "format=cluster").strip():
            self.run("sacctmgr", "-i", "add", "cluster", "tests")

    def start_slurmdbd(self) -> None:
        # The database client takes the socket from the environment, the daemon has no setting.
        socket_path = str(self.folder / "db/socket")
        self._spawn("slurmdbd", "slurmdbd", "-D", MYSQL_UNIX_PORT=socket_path)
        self._until(lambda: not self._fails("sacctmgr", "-n", "list", "cluster"), "slurmdbd")

    def kill_slurmdbd(self) -> None:
        self._kill("slurmdbd")

    # Processes

    def _spawn(self, name: str, *command: str, **environment: str) -> None:
        if self._pid(name) is not None:
            return
        log = (self.folder / "log" / f"{name}.out").open("ab")
        daemon = subprocess.Popen(
            command,
            env=self.environment | environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        log.close()
        daemon.returncode = 0  # it outlives this object, which is not to warn about that
        (self.folder / "run" / name).write_text(f"{daemon.pid} {started(daemon.pid)}")

    def _pid(self, name: str) -> int | None:
        try:
            pid, when = (self.folder / "run" / name).read_text().split()
        except (OSError, ValueError):
            return None
        return int(pid) if started(int(pid)) == when else None

    def _kill(self, name: str, number: int = signal.SIGKILL) -> None:
        if (pid := self._pid(name)) is not None:
            os.kill(pid, number)
            self._until(lambda: started(pid) is None, f"end of {name}")

    def _processes(self, node: str = "") -> Iterator[int]:
        """Steps and job processes of a node, or of all: told by environment, or by an open log."""
        conf = f"SLURM_CONF={self.environment['SLURM_CONF']}".encode()
        for process in Path("/proc").glob("[0-9]*"):
            pid = int(process.name)
            if pid == os.getpid() or started(pid) is None:
                continue
            try:
                variables = (process / "environ").read_bytes().split(b"\0")
                step = (process / "comm").read_text().startswith("slurmstepd")
                files = [os.readlink(link) for link in (process / "fd").iterdir()] if step else []
            except OSError:
                continue
            on = f"SLURMD_NODENAME={node}".encode()
            name = [v for v in variables if v.startswith(b"SLURMD_NODENAME=")]
            ours = conf in variables and bool(name) and (not node or on in name)
            logs = str(self.folder / "log" / (f"{node}.log" if node else ""))
            if ours or any(file.startswith(logs) for file in files):
                yield pid

    def left_over(self) -> list[str]:
        """Commands of live processes, daemons included, that know of the cluster's folder."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            if (pid := int(process.name)) == os.getpid() or started(pid) is None:
                continue
            try:
                command = (process / "cmdline").read_bytes()
                known = command + (process / "environ").read_bytes()
            except OSError:
                continue
            if f"{self.folder}/".encode() in known:
                found.append(command.replace(b"\0", b" ").decode(errors="replace"))
        return found

    def _kill_all(self, pids: Iterator[int]) -> bool:
        killed = False
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            killed = True
        return killed

    def _fails(self, *command: str) -> bool:
        done = subprocess.run(
            command, env=self.environment, capture_output=True, timeout=PATIENCE_S, check=False
        )
        return done.returncode != 0

    def _nodes_idle(self) -> bool:
        states = self.run("sinfo", "-h", "-N", "-p", "main", "-o", "%T").split()
        return len(states) == len(self.nodes) and all(
            state in ("idle", "mixed", "allocated") for state in states
        )

    def _until(self, ready: Callable[[], bool], what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not ready():
            if time.monotonic() > end:
                raise ClusterError(f"{what}: not within {PATIENCE_S} s; logs in {self.folder}/log")
            time.sleep(0.05)


def started(pid: int) -> str | None:
    """Start time of a live process; None for a zombie, which an init may leave for long."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nobody listens on."""
    first = 12_000 + secrets.randbelow(900) * 20
    while True:
        try:
            for port in range(first, first + count):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", port))
            return first
        except OSError:
            first += 20


if __name__ == "__main__":
    verb, where = sys.argv[1:]
    getattr(Cluster(Path(where)), verb)()
