"""`tracking=online`: runs at Weights & Biases while they train."""

from scaling_study.config.tracking import require_key
from scaling_study.tracking import wandb_client, wandb_project
from scaling_study.tracking.base import Tracker

TRACKER = Tracker(
    title="W&B",
    open=lambda run: wandb_client.upload_of(run, offline=False),
    check=lambda tracking: require_key("tracking=online"),
    options=("system_metrics", "checkpoints", "alerts"),
    later="`python -m scaling_study.sync` sends the rest",
    page=wandb_project.page,
    alert=wandb_client.send_alert,
)
