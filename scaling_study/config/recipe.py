"""The training recipe of a run: which methods are on, and how strong. No torch."""

from dataclasses import dataclass

from scaling_study.common.validation import require

SCHEDULES = ("cosine", "step", "exponential")
OPTIMIZERS = ("sgd", "rmsprop")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The recipe: every method has a key of its own that switches it off.

    `lr_per_256` is the peak learning rate per 256 images of batch. After `warmup_epochs` of linear
    warm-up it follows `schedule`: cosine to zero; step, times `decay_factor` at each epoch of
    `decay_epochs`; exponential, times `decay_factor` after every `decay_epochs[0]` epochs.

    `momentum` is Nesterov's with sgd and plain with rmsprop, whose squares are averaged with
    `rms_decay` and kept from zero by `rms_eps`. `weight_decay` spares batch norm's scales and
    shifts, and other biases, unless `decay_batch_norm` and `decay_biases` include them.
    `ema_decay` is the limit of the weight average's decay; 0 evaluates the weights themselves.

    A step's batch is split over `accumulation` forward passes; batch norm sees one of them, or
    with `sync_batch_norm` that pass of all processes. `compile` is torch's, on a GPU.
    """

    recipe: str
    epochs: int
    batch_size: int
    accumulation: int
    lr_per_256: float
    warmup_epochs: float
    schedule: str
    decay_factor: float
    decay_epochs: tuple[float, ...]
    optimizer: str
    momentum: float
    rms_decay: float
    rms_eps: float
    weight_decay: float
    decay_batch_norm: bool
    decay_biases: bool
    label_smoothing: float
    ema_decay: float
    sync_batch_norm: bool
    channels_last: bool
    compile: bool

    def __post_init__(self) -> None:
        self._check_batch()
        self._check_schedule()
        known = ", ".join(OPTIMIZERS)
        require(
            self.optimizer in OPTIMIZERS, "train.optimizer", self.optimizer, f"must be of {known}"
        )
        for name in ("momentum", "rms_decay", "label_smoothing", "ema_decay"):
            rate = getattr(self, name)
            require(0 <= rate < 1, f"train.{name}", rate, "must be in [0, 1)")
        require(self.rms_eps > 0, "train.rms_eps", self.rms_eps, "must be above 0")
        require(self.weight_decay >= 0, "train.weight_decay", self.weight_decay, "must be >= 0")

    def _check_batch(self) -> None:
        require(self.epochs >= 1, "train.epochs", self.epochs, "must be at least 1")
        require(self.batch_size >= 2, "train.batch_size", self.batch_size, "must be at least 2")
        passes = self.accumulation
        require(
            passes >= 1 and self.batch_size % passes == 0 and self.batch_size // passes >= 2,
            "train.accumulation",
            passes,
            f"must divide train.batch_size={self.batch_size} into parts of 2 images or more",
        )

    def _check_schedule(self) -> None:
        require(self.lr_per_256 > 0, "train.lr_per_256", self.lr_per_256, "must be above 0")
        require(
            0 <= self.warmup_epochs < self.epochs,
            "train.warmup_epochs",
            self.warmup_epochs,
            f"must be in [0, train.epochs={self.epochs}); give a shorter warm-up or more epochs",
        )
        known = ", ".join(SCHEDULES)
        require(self.schedule in SCHEDULES, "train.schedule", self.schedule, f"must be of {known}")
        factor, epochs = self.decay_factor, list(self.decay_epochs)
        require(0 < factor <= 1, "train.decay_factor", factor, "must be in (0, 1]")
        rising = all(epoch > 0 for epoch in epochs) and epochs == sorted(epochs)
        require(rising, "train.decay_epochs", epochs, "must be rising numbers of epochs above 0")
        if self.schedule == "exponential":
            one = len(epochs) == 1
            require(one, "train.decay_epochs", epochs, "schedule=exponential takes one number")

    @property
    def lr(self) -> float:
        """Peak learning rate at this batch size."""
        return self.lr_per_256 * self.batch_size / 256

    @property
    def optimizer_tensors(self) -> tuple[int, int]:
        """How many tensors of the weights' size the optimizer keeps, and needs while it works."""
        if self.optimizer == "rmsprop":  # squares and momenta; decayed gradients and roots
            return 2, 1 + (self.weight_decay > 0)
        return int(self.momentum > 0), 0

    def share(self, processes: int) -> int:
        """Images of a batch that each of so many processes takes.

        Raises:
            InputError: not all can take the same number, or a forward pass would see less than two.
        """
        share, rest = divmod(self.batch_size, processes)
        require(
            rest == 0 and share % self.accumulation == 0 and share // self.accumulation >= 2,
            "train.batch_size",
            self.batch_size,
            f"must be the same 2 images or more for each of {processes} processes and "
            f"train.accumulation={self.accumulation} passes",
        )
        return share
