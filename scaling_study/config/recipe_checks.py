"""What a training recipe may say: bounds of its settings, and which of them exclude each other."""

from typing import Any

from scaling_study.common.validation import require

# The recipe's class imports this file.
TrainConfig = Any
SCHEDULES = ("cosine", "step", "exponential", "polynomial", "wsd")
OPTIMIZERS = ("sgd", "rmsprop", "adamw", "lamb")
LOSSES = ("task", "bce")
EVALUATE = ("end", "auto")


def check(train: TrainConfig) -> None:
    """InputError for the first value that is out of bounds or does not go with another."""
    for rule in (_batches, _rates, _schedule, _labels, _teacher, _resolutions, _evaluation):
        rule(train)
    if train.one_trunk:
        _one_trunk(train)


def _batches(train: TrainConfig) -> None:
    batch, passes, ghost = train.batch_size, train.accumulation, train.ghost_batch
    split = passes >= 1 and batch % passes == 0 and batch // passes >= 2
    split_as = f"must divide train.batch_size={batch} into parts of 2 images or more"
    ghosts = ghost == 0 or (ghost >= 2 and split and batch // passes % ghost == 0)
    ghosts_as = "must be 0 (off), or 2 images or more that divide a forward pass"
    repeats_as = f"must be at least 1 and at most train.batch_size={batch}"
    for name, good, accepted in (
        ("epochs", train.epochs >= 1, "must be at least 1"),
        ("batch_size", batch >= 2, "must be at least 2"),
        ("accumulation", split, split_as),
        ("ghost_batch", ghosts, ghosts_as),
        ("repeats", 1 <= train.repeats <= batch, repeats_as),
    ):
        require(good, f"train.{name}", getattr(train, name), accepted)
    one = not (ghost and train.sync_batch_norm)
    require(one, "train.ghost_batch", ghost, "does not go with train.sync_batch_norm=true")


def _rates(train: TrainConfig) -> None:
    optimizers = f"must be of {', '.join(OPTIMIZERS)}"
    shares = ("momentum", "rms_decay", "beta2", "label_smoothing", "ema_decay", "drop_path")
    for name, good, accepted in (
        ("lr_per_256", train.lr_per_256 > 0, "must be above 0"),
        ("optimizer", train.optimizer in OPTIMIZERS, optimizers),
        *((name, 0 <= getattr(train, name) < 1, "must be in [0, 1)") for name in shares),
        ("rms_eps", train.rms_eps > 0, "must be above 0"),
        ("adam_eps", train.adam_eps > 0, "must be above 0"),
        ("weight_decay", train.weight_decay >= 0, "must be >= 0"),
        ("clip_norm", train.clip_norm >= 0, "must be 0 (off) or more"),
        ("layer_decay", 0 < train.layer_decay <= 1, "must be in (0, 1]"),
    ):
        require(good, f"train.{name}", getattr(train, name), accepted)


def _schedule(train: TrainConfig) -> None:
    epochs = list(train.decay_epochs)
    warm = 0 <= train.warmup_epochs <= train.epochs
    warm_as = f"must be in [0, train.epochs={train.epochs}]; give a shorter warm-up or more epochs"
    end_as = f"must be in [0, the peak of {train.lr:g}]"
    for name, good, accepted in (
        ("warmup_epochs", warm, warm_as),
        ("schedule", train.schedule in SCHEDULES, f"must be of {', '.join(SCHEDULES)}"),
        ("decay_factor", 0 < train.decay_factor <= 1, "must be in (0, 1]"),
        ("polynomial_power", train.polynomial_power > 0, "must be above 0"),
        ("decay_share", 0 < train.decay_share <= 1, "must be in (0, 1]"),
        ("end_lr", 0 <= train.end_lr <= train.lr, end_as),
    ):
        require(good, f"train.{name}", getattr(train, name), accepted)
    rising = all(epoch > 0 for epoch in epochs) and epochs == sorted(epochs)
    require(rising, "train.decay_epochs", epochs, "must be rising numbers of epochs above 0")
    one = train.schedule != "exponential" or len(epochs) == 1
    require(one, "train.decay_epochs", epochs, "schedule=exponential takes one number")


def _labels(train: TrainConfig) -> None:
    for name, good, accepted in (
        ("mixup", train.mixup >= 0, "must be 0 (off) or more"),
        ("cutmix", train.cutmix >= 0, "must be 0 (off) or more"),
        ("mix_probability", 0 < train.mix_probability <= 1, "must be in (0, 1]"),
        ("loss", train.loss in LOSSES, f"must be of {', '.join(LOSSES)}"),
        ("bce_threshold", 0 <= train.bce_threshold < 1, "must be in [0, 1)"),
    ):
        require(good, f"train.{name}", getattr(train, name), accepted)
    even = train.batch_size % 2 == 0 or not train.mixes
    require(even, "train.batch_size", train.batch_size, "must be even: images are mixed in pairs")


def _teacher(train: TrainConfig) -> None:
    share, batch, threshold = train.pseudo_share, train.batch_size, train.pseudo_threshold
    accepted = "must be in (0, 1), the share of each batch, or 0 without a teacher"
    require(0 <= share < 1, "train.pseudo_share", share, accepted)
    both = share == 0 or 0 < train.pseudo_batch < batch
    accepted = f"is {train.pseudo_batch} of {batch} images; a batch must have images of both kinds"
    require(both, "train.pseudo_share", share, accepted)
    known = 0 <= threshold <= 1
    require(known, "train.pseudo_threshold", threshold, "must be in [0, 1], a probability")
    once = share == 0 or train.repeats == 1
    require(once, "train.repeats", train.repeats, "does not go with train.pseudo_share; give 1")


def _resolutions(train: TrainConfig) -> None:
    sides = list(train.resolutions)
    good = all(side >= 1 for side in sides) and sides == sorted(sides)
    require(good, "train.resolutions", sides, "must be rising sides in px, or an empty list")
    few = len(sides) <= train.epochs
    require(few, "train.resolutions", sides, f"must be at most train.epochs={train.epochs} stages")


def _evaluation(train: TrainConfig) -> None:
    every, patience = train.evaluate_every, train.early_stopping
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


def _one_trunk(train: TrainConfig) -> None:
    constant = "has no constant part that lengths could share, as train.one_trunk asks; give wsd"
    some = "leaves no constant part to share; give less than 1"
    own = "change with the length, and train.one_trunk shares a part among lengths; give none"
    whole = "ends a run before its schedule does, whose trunk other lengths share; give 0"
    for name, good, accepted in (
        ("schedule", train.schedule == "wsd", constant),
        ("decay_share", train.decay_share < 1, some),
        ("resolutions", not train.resolutions, own),
        ("early_stopping", not train.early_stopping, whole),
    ):
        value = getattr(train, name)
        require(good, f"train.{name}", list(value) if name == "resolutions" else value, accepted)
