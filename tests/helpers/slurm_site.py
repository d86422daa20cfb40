"""The settings of a cluster, all as they are by default."""

from scaling_study.launch.slurm.config import Cluster

CLUSTER = Cluster(
    runs_per_job=1,
    max_running=64,
    max_array=None,
    max_submit=None,
    gpus_per_run=None,
    nodes=1,
    whole_node=False,
    time_min=None,
    memory_gb_per_run=None,
    fallback_time_min=60,
    fallback_memory_gb=4,
    safety=1.5,
    notice_s=120,
    partition=None,
    account=None,
    qos=None,
    constraint=None,
    gres=None,
    exclude=None,
    lines=(),
    setup=(),
    python=None,
    wait=False,
    allow_dirty=False,
)
