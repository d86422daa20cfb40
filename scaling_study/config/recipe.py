"""The training recipe of a run: which methods are on, and how strong. No torch."""

import math
from dataclasses import dataclass
from typing import Any

from scaling_study.common.validation import identity, later, require

EVALUATE = ("end", "auto")
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

    `evaluate_every` says when a run is evaluated while it trains: after every so many epochs, after
    those of a list, `auto` (`config.evaluation`), or `end`, once. With `early_stopping` a run ends
    after so many evaluations without a new least error; 0 never ends one early.

    `freeze` names layers that are not trained, `lr_multipliers` others with PATTERN=FACTOR of the
    learning rate (`models.layer_patterns`).

    With `common_random_numbers` runs of equal seed draw the same, whatever else differs: the order
    of the images, augmentation, and the weights of layers of equal shape.
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
    evaluate_every: str | int | tuple[int, ...] = later("end")
    early_stopping: int = later(0)
    freeze: tuple[str, ...] = later(())
    lr_multipliers: tuple[str, ...] = later(())
    common_random_numbers: bool = later(False)

    def __post_init__(self) -> None:
        batch, passes, epochs = self.batch_size, self.accumulation, list(self.decay_epochs)
        split = passes >= 1 and batch % passes == 0 and batch // passes >= 2
        split_as = f"must divide train.batch_size={batch} into parts of 2 images or more"
        warm = 0 <= self.warmup_epochs <= self.epochs
        shorter = "give a shorter warm-up or more epochs"
        warm_as = f"must be in [0, train.epochs={self.epochs}]; {shorter}"
        schedules, optimizers = (f"must be of {', '.join(n)}" for n in (SCHEDULES, OPTIMIZERS))
        rates = ("momentum", "rms_decay", "label_smoothing", "ema_decay")
        for name, good, accepted in (
            ("epochs", self.epochs >= 1, "must be at least 1"),
            ("batch_size", batch >= 2, "must be at least 2"),
            ("accumulation", split, split_as),
            ("lr_per_256", self.lr_per_256 > 0, "must be above 0"),
            ("warmup_epochs", warm, warm_as),
            ("schedule", self.schedule in SCHEDULES, schedules),
            ("decay_factor", 0 < self.decay_factor <= 1, "must be in (0, 1]"),
            ("optimizer", self.optimizer in OPTIMIZERS, optimizers),
            *((rate, 0 <= getattr(self, rate) < 1, "must be in [0, 1)") for rate in rates),
            ("rms_eps", self.rms_eps > 0, "must be above 0"),
            ("weight_decay", self.weight_decay >= 0, "must be >= 0"),
        ):
            require(good, f"train.{name}", getattr(self, name), accepted)
        rising = all(epoch > 0 for epoch in epochs) and epochs == sorted(epochs)
        require(rising, "train.decay_epochs", epochs, "must be rising numbers of epochs above 0")
        one = self.schedule != "exponential" or len(epochs) == 1
        require(one, "train.decay_epochs", epochs, "schedule=exponential takes one number")
        self._check_evaluation()
        if self.lr_multipliers:
            _ = self.multipliers

    def _check_evaluation(self) -> None:
        every, patience = self.evaluate_every, self.early_stopping
        listed = list(every) if isinstance(every, tuple) else [every]
        numbers = [epoch for epoch in listed if isinstance(epoch, int)]
        known = every in EVALUATE or len(numbers) == len(listed) > 0
        rising = all(epoch >= 1 for epoch in numbers) and numbers == sorted(set(numbers))
        accepted = "must be end, auto, a whole number of epochs, or a rising list of such"
        require(known and rising, "train.evaluate_every", every, accepted)
        require(patience >= 0, "train.early_stopping", patience, "must be 0 (off) or more")
        curve = not patience or every != "end"
        accepted = "stops by evaluations while training; give train.evaluate_every=1 or auto"
        require(curve, "train.early_stopping", patience, accepted)

    def identity(self) -> dict[str, Any]:
        """What its id has; when a run is evaluated matters only where that may stop it."""
        plain = identity(self)
        if not self.early_stopping:
            plain.pop("evaluate_every", None)
        return plain

    @property
    def lr(self) -> float:
        """Peak learning rate at this batch size."""
        return self.lr_per_256 * self.batch_size / 256

    def steps(self, n_train: int) -> int:
        """Steps of the whole training on `n_train` images: whole batches in every epoch."""
        return self.epochs * (n_train // self.batch_size)

    @property
    def multipliers(self) -> list[tuple[str, float]]:
        """Patterns of `lr_multipliers`, each with its factor; InputError for what is none."""
        found = []
        for text in self.lr_multipliers:
            pattern, equals, number = text.rpartition("=")
            try:
                factor = float(number)
            except ValueError:
                factor = -1.0
            good = bool(pattern and equals) and 0 <= factor < math.inf
            accepted = "must be PATTERN=FACTOR with a factor of 0 or more, as in classifier=10"
            require(good, "train.lr_multipliers", text, accepted)
            found.append((pattern, factor))
        return found

    @property
    def optimizer_tensors(self) -> tuple[int, int]:
        """How many tensors of the weights' size the optimizer keeps, and needs while it works."""
        if self.optimizer == "rmsprop":  # squares and momenta; decayed gradients and roots
            return 2, 1 + (self.weight_decay > 0)
        return int(self.momentum > 0), 0

    def share(self, processes: int) -> int:
        """Images of a batch that each of so many processes takes.

        InputError if not all can take the same number, or a forward pass would see less than two.
        """
        share, rest = divmod(self.batch_size, processes)
        good = rest == 0 and share % self.accumulation == 0 and share // self.accumulation >= 2
        parts = f"{processes} processes and train.accumulation={self.accumulation} passes"
        accepted = f"must be the same 2 images or more for each of {parts}"
        require(good, "train.batch_size", self.batch_size, accepted)
        return share
