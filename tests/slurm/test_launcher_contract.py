"""What every launcher does with runs, by SLURM."""

import pytest
from launch.test_contract import (  # noqa: F401
    test_a_run_that_fails_has_a_failed_result_and_touches_no_other,
    test_what_is_done_is_not_done_again,
)

from cluster import Cluster
from scaling_study.config.hydra_app import composed
from scaling_study.launch import registry
from scaling_study.launch.options import LauncherOptions

pytestmark = pytest.mark.slurm

WAITING = [
    *("launcher=slurm", "launcher.wait=true", "launcher.allow_dirty=true"),
    "launcher.fallback_memory_gb=1",
]


@pytest.fixture
def options(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> LauncherOptions:
    for name in ("PATH", "SLURM_CONF"):
        monkeypatch.setenv(name, cluster.environment[name])
    return registry.options_of(composed("sweep", WAITING))
