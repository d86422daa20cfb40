"""The training recipe of a run: which methods are on, and how strong. No torch."""

import math
from collections import Counter
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from scaling_study.common.validation import identity, later, require
from scaling_study.config.recipe_checks import check


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The recipe: every method has a key of its own that switches it off.

    `lr_per_256` is the peak learning rate per 256 images of batch. After `warmup_epochs` of linear
    warm-up it follows `schedule` (`training/schedule.py`): cosine; polynomial of
    `polynomial_power`; wsd, constant but for the last `decay_share`; these end at `end_lr`. step,
    times `decay_factor` at each epoch of `decay_epochs`; exponential, after every
    `decay_epochs[0]` epochs. `layer_decay`: times this for each block towards the image.

    `momentum` is Nesterov's with sgd, plain with rmsprop, whose squares are averaged with
    `rms_decay` and kept from zero by `rms_eps`, and beta 1 of adamw and lamb, beside `beta2` and
    `adam_eps`. `weight_decay` spares batch norm's scales and shifts, other biases, other norms,
    embeddings and layer scales unless `decay_batch_norm`, `decay_biases`, … include them.
    `clip_norm`: largest norm of all gradients together; 0 is off.
    `ema_decay` is the limit of the weight average's decay; 0 evaluates the weights themselves.

    `mixup` and `cutmix`: their alphas; a batch has one of them, at `mix_probability`. `loss`: the
    task's own, or bce, in which labels above `bce_threshold` (if it is not 0) count as 1.
    `repeats`: times that an image is in a batch. `drop_path`: stochastic depth of any family's
    residual blocks, linear in depth. `resolutions`: image sides of equal stages of the epochs.

    A step's batch is split over `accumulation` forward passes; batch norm sees one of them, or
    with `sync_batch_norm` that pass of all processes, or `ghost_batch` images of it at a time.
    `compile` is torch's, on a GPU.

    `evaluate_every` says when a run is evaluated while it trains: after every so many epochs, after
    those of a list, `auto` (`config.evaluation`), or `end`, once. With `early_stopping` a run ends
    after so many evaluations without a new least error; 0 never ends one early.

    `freeze` names layers that are not trained, `lr_multipliers` others with PATTERN=FACTOR of the
    learning rate (`models.layer_patterns`).

    `pseudo_share` of a batch are images of the data set's pool with the labels of the run's
    teacher, those whose label has a probability of `pseudo_threshold` or more by the teacher. An
    epoch is one pass over the images that have labels.

    With `common_random_numbers` runs of equal seed draw the same, whatever else differs: the order
    of the images, augmentation, and the weights of layers of equal shape. With `one_trunk` runs
    that differ in `epochs` alone do, so that they are the same run until the decay of the shorter
    one begins; the state at that step is kept.
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

    beta2: float = later(0.999)
    adam_eps: float = later(1e-8)
    clip_norm: float = later(0.0)
    decay_norms: bool = later(False)
    decay_embeddings: bool = later(False)
    decay_layer_scale: bool = later(False)
    layer_decay: float = later(1.0)
    end_lr: float = later(0.0)
    polynomial_power: float = later(1.0)
    decay_share: float = later(0.2)
    mixup: float = later(0.0)
    cutmix: float = later(0.0)
    mix_probability: float = later(1.0)
    loss: str = later("task")
    bce_threshold: float = later(0.0)
    repeats: int = later(1)
    drop_path: float = later(0.0)
    ghost_batch: int = later(0)
    resolutions: tuple[int, ...] = later(())
    pseudo_share: float = later(0.0)
    pseudo_threshold: float = later(0.0)
    one_trunk: bool = later(False)

    def __post_init__(self) -> None:
        check(self)
        if self.lr_multipliers:
            _ = self.multipliers

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

    @property
    def mixes(self) -> bool:
        """Whether images and their labels are mixed."""
        return self.mixup > 0 or self.cutmix > 0

    @property
    def soft_labels(self) -> bool:
        """Whether the loss is about a number for each class, not about a class."""
        return self.mixes or self.loss != "task"

    def side(self, epoch: int, resolution: int) -> int:
        """Side (px) of the training images in a 0-based epoch of a run at `resolution`."""
        stages = self.resolutions or (resolution,)
        return stages[epoch * len(stages) // self.epochs]

    def epochs_by_side(self, resolution: int) -> Counter[int]:
        """How many epochs have each `side`; programs may train for billions of their units."""
        stages, found = self.resolutions or (resolution,), Counter[int]()
        first = [-(-self.epochs * n // len(stages)) for n in range(len(stages) + 1)]
        for side, (begin, end) in zip(stages, pairwise(first), strict=True):
            found[side] += end - begin
        return +found

    @property
    def pseudo_batch(self) -> int:
        """Images of a batch that a teacher has labelled."""
        return round(self.pseudo_share * self.batch_size)

    @property
    def labelled_batch(self) -> int:
        """Images of a batch that have labels of their own."""
        return self.batch_size - self.pseudo_batch

    def steps_per_epoch(self, n_train: int) -> int:
        """Steps of a pass over `n_train` labelled images: whole batches."""
        return n_train // self.labelled_batch

    def steps(self, n_train: int) -> int:
        """Steps of the whole training on `n_train` labelled images."""
        return self.epochs * self.steps_per_epoch(n_train)

    def trained(self, n_train: int) -> int:
        """Images that an epoch on `n_train` labelled ones trains, those of the pool included.

        Its incomplete last batch is left out.
        """
        return self.steps_per_epoch(n_train) * self.batch_size

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
        if self.optimizer in ("adamw", "lamb"):  # two averages; lamb's updates and their roots
            return 2, 2 * (self.optimizer == "lamb")
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
        pairs = share % 2 == 0 or not self.mixes
        accepted = f"images are mixed in pairs, and each of {processes} processes has {share}"
        require(pairs, "train.batch_size", self.batch_size, accepted)
        ghosts = not self.ghost_batch or share // self.accumulation % self.ghost_batch == 0
        accepted = f"must divide the {share // self.accumulation} images of each of {parts}"
        require(ghosts, "train.ghost_batch", self.ghost_batch, accepted)
        return share
