"""What Python imports first in `make test-other-machine`: a processor that multiplies no bf16."""

from scaling_study.common import device

here = device._cpuinfo
device._cpuinfo = lambda: here().replace("avx512_bf16", "").replace("amx_bf16", "")
