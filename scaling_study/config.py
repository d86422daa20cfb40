"""One run, fully resolved: frozen dataclasses, their checks, and the run's identity.

YAML says values, these classes say types and bounds; there are no defaults here. Everything that
can change a number is in `RunConfig` and therefore in the run id; where results lie, how many
workers there are and which grid asked for the run are not.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from difflib import get_close_matches
from typing import Any, TypeVar

from scaling_study.errors import InputError

# Short names of the study's axes, and the config keys that they stand for.
AXES = {
    "depth": "model.depth",
    "width": "model.width",
    "resolution": "data.resolution",
    "epochs": "train.epochs",
    "seed": "seed",
}


def require(ok: bool, key: str, value: object, accepted: str) -> None:
    """Raise an InputError that names the value and what is accepted, unless `ok`."""
    if not ok:
        raise InputError(f"{key}={value}: {accepted}")


@dataclass(frozen=True, kw_only=True)
class ModelConfig:
    """Which network. `dropout` (on the classifier's input) and `stochastic_depth` are rates."""

    family: str
    depth: int
    width: float
    stem: str
    se_ratio: float
    dropout: float
    stochastic_depth: float

    def __post_init__(self) -> None:
        require(self.width > 0, "model.width", f"{self.width:g}", "must be above 0")
        require(0 <= self.se_ratio <= 1, "model.se_ratio", self.se_ratio, "must be in [0, 1]")
        for name in ("dropout", "stochastic_depth"):
            rate = getattr(self, name)
            require(0 <= rate < 1, f"model.{name}", rate, "must be in [0, 1)")


@dataclass(frozen=True, kw_only=True)
class DataConfig:
    """What every data set has. `shift` is the largest random translation, as share of the side."""

    name: str
    resolution: int
    flip: bool
    shift: float

    def __post_init__(self) -> None:
        require(self.resolution >= 1, "data.resolution", self.resolution, "must be at least 1 px")
        require(0 <= self.shift < 0.5, "data.shift", self.shift, "must be in [0, 0.5)")


@dataclass(frozen=True, kw_only=True)
class FractalsConfig(DataConfig):
    """Difficulty of the rendered data set; `seed` draws its classes and images, not the runs.

    `perturbation` scales how far an image's map parameters lie from those of its class;
    `label_noise` is the share of training labels redrawn uniformly.
    """

    classes: int
    train_per_class: int
    val_per_class: int
    perturbation: float
    label_noise: float
    seed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.classes >= 2, "data.classes", self.classes, "must be at least 2")
        for name in ("train_per_class", "val_per_class"):
            images = getattr(self, name)
            require(images >= 1, f"data.{name}", images, "must be 1 or more")
        for name in ("perturbation", "label_noise"):
            rate = getattr(self, name)
            require(0 <= rate <= 1, f"data.{name}", rate, "must be in [0, 1]")
        require(self.seed >= 0, "data.seed", self.seed, "must be 0 or more")


@dataclass(frozen=True, kw_only=True)
class DigitsConfig(DataConfig):
    """scikit-learn's scans of digits; `seed` draws which of them are evaluated on."""

    seed: int

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.seed >= 0, "data.seed", self.seed, "must be 0 or more")


DATA_SETS: dict[str, type[DataConfig]] = {"fractals": FractalsConfig, "digits": DigitsConfig}


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


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides a run's numbers. `seed` is the replicate number."""

    model: ModelConfig
    data: DataConfig
    train: TrainConfig
    seed: int
    device: str
    precision: str

    def __post_init__(self) -> None:
        require(self.seed >= 0, "seed", self.seed, "must be 0 or more")
        require(self.device in ("cpu", "cuda"), "device", self.device, "must be cpu or cuda")
        require(
            self.precision in ("fp32", "bf16"), "precision", self.precision, "must be fp32 or bf16"
        )

    @property
    def config_id(self) -> str:
        """Name of the cell: runs that share it differ only in `seed`."""
        return f"{self._prefix()}-{_digest(asdict(self) | {'seed': None})}"

    @property
    def run_id(self) -> str:
        """Name of the run and of its folder: readable prefix, then a hash of the whole config."""
        return f"{self._prefix()}-s{self.seed}-{_digest(asdict(self))}"

    def _prefix(self) -> str:
        return (
            f"d{self.model.depth}-w{self.model.width:g}"
            f"-r{self.data.resolution}-e{self.train.epochs}"
        )


def _digest(record: Mapping[str, Any]) -> str:
    canonical = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def flat_keys(values: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Dotted names of all settings that are no groups."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from flat_keys(value, f"{prefix}{name}.")
        else:
            yield prefix + name


def suggest(name: str, known: list[str]) -> str:
    """' (did you mean ...?)' for the nearest known name, or an empty string."""
    near = get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


T = TypeVar("T")


def run_config(values: Mapping[str, Any]) -> RunConfig:
    """A checked run from plain nested mappings; other top-level keys than the run's are ignored.

    Raises:
        InputError: a value of the wrong type or out of bounds, an unknown or a missing key.
    """
    data = group(values, "data")
    name = data.get("name")
    if name not in DATA_SETS:
        raise InputError(f"data.name={name!r}: unknown data set; known: {', '.join(DATA_SETS)}")
    return RunConfig(
        model=from_values(ModelConfig, group(values, "model"), "model."),
        data=from_values(DATA_SETS[name], data, "data."),
        train=from_values(TrainConfig, group(values, "train"), "train."),
        seed=_value(int, values.get("seed"), "seed"),
        device=_value(str, values.get("device"), "device"),
        precision=_value(str, values.get("precision"), "precision"),
    )


def group(values: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The settings under `key`.

    Raises:
        InputError: it is one value, or missing.
    """
    if not isinstance(value := values.get(key), Mapping):
        raise InputError(f"{key}={value!r}: must be a group of settings")
    return value


def from_values(cls: type[T], values: Mapping[str, Any], path: str) -> T:
    """A dataclass of numbers, names and flags from plain values, whose keys begin with `path`.

    Raises:
        InputError: an unknown or missing key, or a value of the wrong type or out of bounds.
    """
    types = {field.name: field.type for field in fields(cls)}  # type: ignore[arg-type]
    for name in values:
        if name not in types:
            raise InputError(f"{path}{name}: no such setting{suggest(name, list(types))}")
    return cls(
        **{name: _value(kind, values.get(name), path + name) for name, kind in types.items()}
    )


def _value(kind: Any, value: object, key: str) -> Any:
    """`value` as `kind`, so that 1 and 1.0 name the same run; anything lossy is refused."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    number = number and math.isfinite(value)  # type: ignore[arg-type]
    if kind is float and number:
        return float(value)  # type: ignore[arg-type]
    if kind is int and number and float(value) == int(value):  # type: ignore[arg-type, call-overload]
        return int(value)  # type: ignore[call-overload]
    if kind in (bool, str) and isinstance(value, kind):
        return value
    names = {float: "a finite number", int: "a whole number", bool: "true or false", str: "a name"}
    raise InputError(f"{key}={value!r}: must be {names[kind]}")


@dataclass(frozen=True, kw_only=True)
class Setting:
    """Where and how a run executes: nothing here is part of its identity.

    A checkpoint is written at most every `checkpoint_every_s` seconds; `checkpoint_keep` says what
    stays when the result is there: final or none. `git_commit` and `git_dirty` describe the code.
    """

    results_dir: str
    cache_dir: str
    threads: int
    checkpoint_every_s: float
    checkpoint_keep: str
    git_commit: str | None
    git_dirty: bool | None

    def __post_init__(self) -> None:
        every, keep = self.checkpoint_every_s, self.checkpoint_keep
        require(self.threads >= 1, "launcher.threads", self.threads, "must be at least 1")
        require(every >= 0, "checkpoint.every_s", every, "must be 0 or more seconds")
        require(keep in ("final", "none"), "checkpoint.keep", keep, "must be final or none")
