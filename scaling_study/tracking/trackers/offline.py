"""`tracking=offline`: W&B's own files in RUN/wandb, for `wandb sync`."""

from scaling_study.tracking import wandb_client
from scaling_study.tracking.base import Tracker

TRACKER = Tracker(
    title="W&B",
    open=lambda run: wandb_client.upload_of(run, offline=True),
    options=("system_metrics", "checkpoints"),
)
