"""That the machine of `make test-other-machine` is another one."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from helpers.commands import environment

HERE = Path(__file__).parent
SAYS = """import torch
from scaling_study.common.device import best_precision
print(best_precision("cpu"), torch.backends.cpu.get_cpu_capability())"""


@pytest.mark.slow
def test_it_has_no_bf16_and_other_kernels() -> None:
    if "AVX2" not in (capability := torch.backends.cpu.get_cpu_capability()) and (
        "AVX512" not in capability
    ):
        pytest.skip("a processor without AVX2 cannot be made a lesser one")
    path = os.pathsep.join(map(str, (HERE / "other_machine", HERE.parent)))
    done = subprocess.run(
        [sys.executable, "-c", SAYS],
        env=environment() | {"PYTHONPATH": path, "ATEN_CPU_CAPABILITY": "avx2"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split() == ["fp32", "AVX2"]
