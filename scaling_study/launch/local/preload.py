"""Cheaper forks: a fork copies the table of a process's pages, and huge pages need 512 times fewer.

With torch loaded that table is most of what a fork and the end of its process cost.
"""

import ctypes
import gc
from pathlib import Path

from scaling_study.common.device import device_name
from scaling_study.common.provenance import versions

# Of <linux/mman.h>, since Linux 6.1: merge now, whatever the setting for huge pages is.
MADV_COLLAPSE = 25
HUGE_BYTES = 2 << 20


def collapse() -> None:
    """Merge this process's private memory into huge pages, where the kernel can; else nothing."""
    try:
        maps = Path("/proc/self/maps").read_text(encoding="ascii", errors="replace")
        advise = ctypes.CDLL(None).madvise
    except (OSError, AttributeError):
        return
    advise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)
    for line in maps.splitlines():
        span, mode, *rest = line.split()
        file = rest[3] if len(rest) > 3 else ""
        first, last = (int(end, 16) for end in span.split("-"))
        start, end = -(-first // HUGE_BYTES) * HUGE_BYTES, last // HUGE_BYTES * HUGE_BYTES
        if mode == "rw-p" and file in ("", "[heap]") and start < end:
            advise(start, end - start, MADV_COLLAPSE)


versions()
for device in ("cpu", "cuda"):
    device_name(device)
# Collections in the runs would copy all that they share with the server.
gc.collect()
gc.freeze()
collapse()
