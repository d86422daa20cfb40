"""One run, fully resolved: frozen dataclasses, their checks, and the run's identity.

YAML says values, these classes say types and bounds; there are no defaults here. Everything that
can change a number is in `RunConfig` and therefore in the run id, and nothing else.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from functools import cached_property, lru_cache
from typing import Any, TypeVar, cast

from scaling_study.common.device import DEVICES
from scaling_study.common.validation import from_values, group, identity, one_value, require
from scaling_study.config import program
from scaling_study.config.recipe import TrainConfig
from scaling_study.config.scale_dependent import resolve
from scaling_study.config.trunks import Trunk, constant_steps
from scaling_study.data import data_set
from scaling_study.data.base import MINIVAL, DataConfig
from scaling_study.models import family, family_sources, timm_names
from scaling_study.models.family import ModelConfig
from scaling_study.models.initial_weights import (
    Init,
    InitialWeights,
    ParentRun,
    initial_weights,
    teacher_run,
)
from scaling_study.models.layer_patterns import check_patterns, layer_aliases, matching
from scaling_study.study.axes import CELL_AXES, KEYS
from scaling_study.tasks import DEFAULT as DEFAULT_TASK
from scaling_study.tasks import task_of
from scaling_study.tasks.program import KINDS, Program

T = TypeVar("T")
# Settings by which a run names others that it needs.
REFERENCES = ("init", "teacher")
# Settings of the recipe that a run has because of a teacher, or of runs of other lengths, and what
# a run without them has.
OF_OTHERS = {"pseudo_share": 0.0, "pseudo_threshold": 0.0, "one_trunk": False}
# Begins the name of a program's run that none of the axes every study has.
OF_PROGRAM = "program"
# fp16 is for GPUs that do not multiply bf16; its gradients are scaled.
PRECISIONS = ("fp32", "bf16", "fp16")


@dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that decides a run's numbers. `seed` is the replicate number.

    `init` is a file that the first weights come from: its content is part of the run's id, where it
    lies is not; or a run, whose id is. None: they are drawn. `teacher` is a run that labels the
    data set's pool of images without labels, for a share of each batch. `trunk` is a shorter run
    from whose constant part it goes on: who trains that part changes no number, so it is no part of
    the id. `task` names a task as
    `tasks.task_of` does, or is a program of the user's own, which has its own model, data and
    recipe (`config.program`). `code` are the digests of the sources of what is not of this package,
    by their modules: a run is trained by the code that it was planned with.
    """

    model: ModelConfig
    data: DataConfig
    train: TrainConfig
    init: Init
    task: str | Program
    code: Mapping[str, str]
    seed: int
    device: str
    precision: str
    teacher: ParentRun | None = None
    trunk: Trunk | None = None

    def __post_init__(self) -> None:
        require(self.seed >= 0, "seed", self.seed, "must be 0 or more")
        require(self.device in DEVICES, "device", self.device, f"must be of {', '.join(DEVICES)}")
        if isinstance(self.task, Program):
            return
        known = ", ".join(PRECISIONS)
        require(self.precision in PRECISIONS, "precision", self.precision, f"must be of {known}")
        fits = self.device != "mps" or self.precision == "fp32"
        require(fits, "precision", self.precision, "must be fp32, or auto, with device=mps")
        fits = not self.train.compile or self.device == "cuda"
        advice = "compiles for a GPU; give device=cuda, or train.compile=false"
        require(fits, "train.compile", "true", advice)
        recipe, task = self.train, task_of(self.task)
        able = not recipe.soft_labels or recipe.loss in task.soft_losses
        advice = f"task={self.task} has no such loss of mixed labels; give no mixup, cutmix or bce"
        require(able, "train.loss", recipe.loss, advice)
        largest = not recipe.resolutions or recipe.resolutions[-1] == self.data.resolution
        ends = f"must end with data.resolution={self.data.resolution}"
        require(largest, "train.resolutions", list(recipe.resolutions), ends)
        held_out = not self.train.early_stopping or self.data.split == MINIVAL
        advice = f"stops by images that are held out to select on; give data.split={MINIVAL}"
        require(held_out, "train.early_stopping", self.train.early_stopping, advice)
        layers = family(self.model.family).network is not None
        drawn = layers or not self.train.common_random_numbers
        advice = "needs a family of layers: those of a module are not drawn by shape"
        require(drawn, "train.common_random_numbers", "true", advice)
        able = layers or not recipe.drop_path or hasattr(self.model, "stochastic_depth")
        advice = "this family builds modules that have no stochastic_depth; give 0"
        require(able, "train.drop_path", recipe.drop_path, advice)
        advice = "a family that builds modules builds them for one resolution; give none"
        one_size = layers or not recipe.resolutions
        require(one_size, "train.resolutions", list(recipe.resolutions), advice)
        self._check_layers()
        self._check_teacher()
        self._check_trunk()
        if isinstance(self.init, InitialWeights):
            timm_names.names(self.model)

    def _check_layers(self) -> None:
        """InputError for a pattern that means no layer, or if every layer is frozen."""
        recipe, model = self.train, self.model
        named = family(model.family).network is not None
        advice = f"model.family={model.family} builds modules, whose layers have no such names"
        for key, patterns in (("freeze", recipe.freeze), ("lr_multipliers", recipe.lr_multipliers)):
            require(named or not patterns, f"train.{key}", list(patterns), f"{advice}; give none")
        check_patterns("train.freeze", model, recipe.freeze)
        scaled = [pattern for pattern, _ in recipe.multipliers]
        check_patterns("train.lr_multipliers", model, scaled)
        frozen = {layer for pattern in recipe.freeze for layer in matching(model, pattern)}
        some = not frozen or len(frozen) < len(layer_aliases(model))
        advice = "nothing is left to train; backbone leaves the classifier"
        require(some, "train.freeze", list(recipe.freeze), advice)

    def _check_teacher(self) -> None:
        """InputError for a teacher without a share of the batch, or a share without a teacher."""
        recipe = self.train
        share, threshold = recipe.pseudo_share, recipe.pseudo_threshold
        if self.teacher is None:
            advice = "nothing labels a pool; give teacher=run:RUN_ID, or 0"
            require(share == 0, "train.pseudo_share", share, advice)
            require(threshold == 0, "train.pseudo_threshold", threshold, advice)
            return
        advice = f"with teacher={self.teacher} must be in (0, 1), the share of each batch"
        require(share > 0, "train.pseudo_share", share, advice)
        classes = self.task == DEFAULT_TASK
        accepted = f"labels classes, which task={self.task} may not have; give none"
        require(classes, "teacher", self.teacher, accepted)
        advice = f"images of a pool, which teacher={self.teacher} labels, stay the same; give false"
        require(not self.data.fresh, "data.fresh", "true", advice)

    def _check_trunk(self) -> None:
        """InputError for a trunk that does not end before the decay of this run begins."""
        if self.trunk is None:
            return
        accepted = "must be a shorter run of the same settings, train.one_trunk=true among them"
        good = self.train.one_trunk and 0 < self.trunk.epochs < self.train.epochs
        require(good, "trunk", self.trunk.run, accepted)

    @property
    def program(self) -> Program | None:
        """The user's own program that the run is; None if our trainer trains it."""
        return self.task if isinstance(self.task, Program) else None

    @property
    def parents(self) -> tuple[str, ...]:
        """Ids of the runs that must have ended well before this one begins."""
        named = (getattr(self, key) for key in (*REFERENCES, "trunk"))
        return tuple(dict.fromkeys(one.run for one in named if isinstance(one, ParentRun | Trunk)))

    def shared_steps(self, n_train: int) -> int:
        """Steps of a training on `n_train` images that the run of its trunk has done; else 0."""
        if self.trunk is None:
            return 0
        return constant_steps(self.train, self.trunk.epochs, self.train.steps_per_epoch(n_train))

    @cached_property
    def config_id(self) -> str:
        """Name of the cell: runs that share it differ only in `seed`."""
        return f"{self._prefix()}-{_digest(self._canonical(seed=None))}"

    @cached_property
    def run_id(self) -> str:
        """Name of the run and of its folder: readable prefix, then a hash of the whole config."""
        return f"{self._prefix()}-s{self.seed}-{_digest(self._canonical(seed=self.seed))}"

    @cached_property
    def trunk_id(self) -> str:
        """Name of the trunk of its cell: cells that share it differ only in the length."""
        return f"trunk-{_digest(self._canonical(seed=None, length=False))}"

    @property
    def on_trunk(self) -> bool:
        """Whether it shares steps with other lengths; a program trains by a schedule of its own."""
        return self.program is None and self.train.one_trunk

    @cached_property
    def random_key(self) -> str:
        """What its random numbers are drawn by: its id, which says its length, or what is shared.

        That is the seed with common random numbers, and all but the length with one trunk.
        """
        if self.train.common_random_numbers:
            return f"common random numbers, seed {self.seed}"
        if self.train.one_trunk:
            return f"one trunk, {_digest(self._canonical(seed=self.seed, length=False))}"
        return self.run_id

    def _prefix(self) -> str:
        asks = self.program.asks or () if self.program else None
        axes = [axis for axis in CELL_AXES if asks is None or axis.name in asks]
        return "-".join(axis.short(axis.of(self)) for axis in axes) or OF_PROGRAM

    @property
    def values(self) -> dict[str, Any]:
        """What a program may ask for: the axes, the device, its own settings; not the seed."""
        own = dict(self.program.settings) if self.program else {}
        if self.program and self.program.length:
            own[self.program.length] = self.train.epochs
        return {axis.name: axis.of(self) for axis in CELL_AXES} | {"device": self.device} | own

    def _canonical(self, seed: int | None, length: bool = True) -> str:
        """JSON of the whole config, keys sorted, or of all but the `length` of training.

        Thousands of runs share its parts.
        """
        if self.program is not None:
            own = program.identity(self.values, self.program) | {"seed": seed}
            return json.dumps(own, sort_keys=True, separators=(",", ":"), allow_nan=False)
        parts = {name: _json(getattr(self, name)) for name in NAMES} | {"seed": _json(seed)}
        if not length:
            shared = {k: v for k, v in self.train.identity().items() if k != "epochs"}
            parts["train"] = _plain_json(shared)
        if self.code:
            parts["code"] = _plain_json(dict(self.code))
        if self.init is not None:
            parts["init"] = _plain_json(_origin(self.init, of_a_cell=seed is None))
        if self.teacher is not None:
            parts["teacher"] = _plain_json(_origin(self.teacher, of_a_cell=seed is None))
        if self.task == DEFAULT_TASK:
            del parts["task"]  # ids from before there were tasks stay
        return "{" + ",".join(f'"{name}":{parts[name]}' for name in sorted(parts)) + "}"


def _origin(init: InitialWeights | ParentRun, of_a_cell: bool) -> dict[str, Any]:
    """What identifies first weights: not where a file lies; of a cell, not its parents' seeds."""
    if isinstance(init, InitialWeights):
        return {"names": init.names, "sha256": init.sha256}
    return {"cell": init.cell} if of_a_cell and init.cell else {"run": init.run}


# In the identity only where there is one: code that is not of this package, and a teacher; a trunk
# never.
OPTIONAL = ("code", "teacher", "trunk")
NAMES = sorted(field.name for field in fields(RunConfig) if field.name not in OPTIONAL)


@lru_cache(maxsize=2**16, typed=True)
def _json(value: Any) -> str:
    if isinstance(value, TrainConfig):
        plain = value.identity()
    else:
        plain = identity(value) if is_dataclass(value) else value
    return _plain_json(plain)


def _plain_json(plain: Any) -> str:
    return json.dumps(plain, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _digest(canonical: str) -> str:
    return hashlib.sha256(canonical.encode()).hexdigest()[:10]


def run_config(values: Mapping[str, Any]) -> RunConfig:
    """A checked run from plain nested mappings; other top-level keys than the run's are ignored.

    InputError for a value of the wrong type or out of bounds, an unknown or a missing key.
    """
    if isinstance(values.get("task"), Mapping):
        return _program_run(values)
    known_kind = "takes settings: give task a group, task: {name: …, …}"
    require(values.get("task") not in KINDS, "task", values.get("task"), known_kind)
    parts: dict[str, Any] = {
        "model": family(group(values, "model").get("family")).config,
        "data": data_set(group(values, "data").get("name")).config,
        "train": TrainConfig,
    }
    known = {name: [field.name for field in fields(part)] for name, part in parts.items()}
    values = resolve(values, KEYS, known)
    task = one_value(str, values.get("task", DEFAULT_TASK), "task")
    if (code := values.get("code")) is None:
        code = sources(values["model"]["family"], values["data"]["name"], task)
    return RunConfig(
        **{name: _part(part, values[name], f"{name}.") for name, part in parts.items()},
        init=initial_weights(values.get("init")),
        teacher=teacher_run(values.get("teacher")),
        trunk=_trunk(values.get("trunk")),
        task=task,
        code=one_value(Mapping[str, str], code, "code"),
        seed=one_value(int, values.get("seed"), "seed"),
        **{key: one_value(str, values.get(key), key) for key in ("device", "precision")},
    )


def _trunk(value: object) -> Trunk | None:
    """The trunk that a run's config.yaml names; InputError for anything else."""
    if value is None:
        return None
    require(isinstance(value, Mapping), "trunk", repr(value), "is set by grid.one_trunk")
    return from_values(Trunk, cast(Mapping[str, Any], value), "trunk.")


def _program_run(values: Mapping[str, Any]) -> RunConfig:
    """A run of the user's own program; its parts have what axes and columns need, and no more.

    InputError as `run_config` has, or for one that is to start from another run.
    """
    for key in REFERENCES:
        given = values.get(key)
        advice = "is for runs of our own training; a program begins as its command says"
        require(given in (None, "none"), key, given, advice)
    parts = program.parts_of(values)
    return RunConfig(
        model=parts.model,
        data=cast(DataConfig, parts.data),
        train=cast(TrainConfig, parts.train),
        init=None,
        task=parts.task,
        code={},  # a program's own source is part of it
        seed=one_value(int, values.get("seed"), "seed"),
        device=one_value(str, values.get("device"), "device"),
        precision=program.OWN,
    )


def stored_run(values: Mapping[str, Any]) -> RunConfig:
    """The run that the config.yaml of its folder describes; raises as `run_config` does.

    One from before code was part of identities has none.
    """
    return run_config({"code": {}, **values})


def sources(family: str, data: str, task: str) -> dict[str, str]:
    """Digests of the sources, as they are now, of what of these is not of this package."""
    found: dict[str, str] = {}
    for name in (family, data, task):
        if ":" in name or "." in name:
            found |= family_sources(name)
    return found


def changed_code(run: RunConfig) -> list[str]:
    """The modules that train a run and are not what they were when it was planned."""
    if isinstance(run.task, Program):
        return []  # looked at where it is started
    now = sources(run.model.family, run.data.name, run.task)
    return [name for name, digest in now.items() if run.code.get(name) != digest]


def _part(cls: type[T], values: Mapping[str, Any], path: str) -> T:
    """`from_values`, once for equal values: the cells of a grid share most of their parts."""
    # The types, because 1 == True and only one of them is a number.
    items = tuple((k, tuple(v) if isinstance(v, list) else v, type(v)) for k, v in values.items())
    try:
        return _shared_part(cls, path, items)  # type: ignore[arg-type, no-any-return]
    except TypeError:  # a mapping is among the values
        return from_values(cls, values, path)


@lru_cache(maxsize=2**16)
def _shared_part(cls: type[T], path: str, items: tuple[tuple[str, Any, type], ...]) -> T:
    values = {k: list(v) if kind is list else v for k, v, kind in items}
    return from_values(cls, values, path)
