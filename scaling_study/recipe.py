"""The training recipe of a run: which methods are on, and how strong. No torch."""

from dataclasses import dataclass

from scaling_study.values import require


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The recipe: SGD with Nesterov momentum, linear warm-up, then cosine decay to zero.

    `lr_per_256` is the peak learning rate per 256 images of batch; `ema_decay` the limit of the
    weight average's decay; `weight_decay` is applied to all but batch norm.
    """

    recipe: str
    epochs: int
    batch_size: int
    lr_per_256: float
    warmup_epochs: float
    momentum: float
    weight_decay: float
    label_smoothing: float
    ema_decay: float
    channels_last: bool

    def __post_init__(self) -> None:
        require(self.epochs >= 1, "train.epochs", self.epochs, "must be at least 1")
        require(self.batch_size >= 2, "train.batch_size", self.batch_size, "must be at least 2")
        require(self.lr_per_256 > 0, "train.lr_per_256", self.lr_per_256, "must be above 0")
        require(
            0 <= self.warmup_epochs < self.epochs,
            "train.warmup_epochs",
            self.warmup_epochs,
            f"must be in [0, train.epochs={self.epochs})",
        )
        for name in ("momentum", "label_smoothing", "ema_decay"):
            rate = getattr(self, name)
            require(0 <= rate < 1, f"train.{name}", rate, "must be in [0, 1)")
        require(self.weight_decay >= 0, "train.weight_decay", self.weight_decay, "must be >= 0")

    @property
    def lr(self) -> float:
        """Peak learning rate at this batch size."""
        return self.lr_per_256 * self.batch_size / 256
