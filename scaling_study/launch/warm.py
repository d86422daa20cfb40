"""Imported by the pool's server: what every run would find out about this machine for itself."""

import gc

from scaling_study.device import device_name
from scaling_study.launch.pages import collapse
from scaling_study.provenance import versions

versions()
for device in ("cpu", "cuda"):
    device_name(device)
# Collections in the runs would copy all that they share with the server.
gc.collect()
gc.freeze()
collapse()
