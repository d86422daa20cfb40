"""More learning rates at the ends of a grid's arms, and rates that follow an axis.

`tuned: {lr: [0.5, 1, 2]}` trains the first and the last cell of each arm at a lower and a higher
rate than their own too, so that a rule which says `tuned: lr` can compare arms at their best rates.
`transfer` names a rule by which own rates change along an axis from the base on.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scaling_study.common.errors import InputError
from scaling_study.common.validation import is_number, require, suggest
from scaling_study.config.axes import Settings
from scaling_study.config.run import RunConfig
from scaling_study.grid.declared import axis_keys
from scaling_study.grid.schema import Point, check_keys
from scaling_study.study.axes import CELL_AXES, Axis, own_axes

LR = "train.lr_per_256"
REGIMES = ("longest", "shortest", "every")
ARMS = {axis.name: axis for axis in CELL_AXES if axis.name != "epochs"}
FACTORS, DEPTH_WIDTH = (0.5, 1.0, 2.0), ("depth", "width")


@dataclass(frozen=True)
class Transfer:
    """Rates change with the `exponent`-th power of an axis, with these optimizers, by a source.

    Of a network's depth the source counts the shortest path of layers and additions; it grows in
    proportion to the depth that a family's networks are called by.
    """

    axis: Axis
    exponent: float
    optimizers: tuple[str, ...]
    source: str


TRANSFERS = {
    "depth^-3/2": Transfer(ARMS["depth"], -1.5, ("sgd", "rmsprop"), "arXiv 2602.07494"),
    # Hidden layers under Adam and RMSProp: MuAdam in the authors' mup/optim.py @0518b39; MuSGD
    # leaves the rate of layers that grow on both sides. Here it is that of all layers.
    "mup": Transfer(ARMS["width"], -1.0, ("rmsprop",), "arXiv 2203.03466"),
}


@dataclass(frozen=True)
class Tuned:
    """A grid's `tuned`: factors of rates, arms, the regime of their ends, and transfer rules.

    `base` has declared values of where arms start; elsewhere they start at the least.
    """

    factors: tuple[float, float, float]
    arms: tuple[Axis, Axis]
    regime: str
    transfers: tuple[Transfer, ...]
    base: Mapping[str, float]

    def starts(self, runs: Sequence[RunConfig]) -> dict[str, float]:
        """Where arms start on each axis."""
        return {
            name: float(self.base.get(name, min(axis.of(run) for run in runs)))
            for name, axis in ARMS.items()
        }

    def own_rate(self, run: RunConfig, starts: Mapping[str, float]) -> float:
        """What the transfer rules multiply the recipe's rate of a run by.

        Raises:
            InputError: a rule does not hold for the run's optimizer.
        """
        factor = 1.0
        for transfer in self.transfers:
            axis, optimizer = transfer.axis, run.train.optimizer
            if optimizer not in transfer.optimizers:
                raise InputError(
                    f"grid.tuned.transfer: with train.optimizer={optimizer} the learning rate does "
                    f"not follow {axis.name} by that rule ({transfer.source}), which is for "
                    f"{_list(transfer.optimizers)}"
                )
            factor *= (axis.of(run) / starts[axis.name]) ** transfer.exponent
        return rounded(factor)

    def ends(
        self, runs: Sequence[tuple[RunConfig, str | None]], grid: Mapping[str, Any]
    ) -> Iterator[str]:
        """Ids of the first and the last runs of each arm at each setting of all else.

        `runs` come with their variants.
        """
        starts, own = self.starts([run for run, _ in runs]), own_axes(grid)
        lengths, settings = {run.train.epochs for run, _ in runs}, Settings()
        wanted = {"longest": {max(lengths)}, "shortest": {min(lengths)}}.get(self.regime, lengths)
        groups = defaultdict[tuple[Any, ...], list[tuple[float, str]]](list)
        for run, variant in runs:
            if run.train.epochs not in wanted:
                continue
            values = settings.of(run) if own else {}
            rest = [a.of(run) for a in CELL_AXES if a not in self.arms]
            key = variant, *rest, *(str(values.get(axis.key)) for axis in own)
            for axis, across in (self.arms, self.arms[::-1]):
                value = axis.of(run)
                if across.of(run) == starts[across.name] and value >= starts[axis.name]:
                    groups[axis.name, *key].append((value, run.run_id))
        for members in groups.values():
            first, last = min(members)[0], max(members)[0]
            if first < last:
                yield from (run_id for value, run_id in members if value in (first, last))


def read_tuned(grid: Mapping[str, Any]) -> Tuned | None:
    """What the grid says under `tuned`; None without it.

    Raises:
        InputError: values that make no sense, or a grid that varies the learning rate itself.
    """
    if grid.get("tuned") is None:
        return None
    part = check_keys(grid["tuned"], ("lr", "arms", "regime", "transfer"), "grid.tuned")
    if LR in axis_keys(grid):
        raise InputError(f"grid.tuned: the grid varies {LR} itself; leave it in one of them")
    regime = part.get("regime", "longest")
    require(regime in REGIMES, "grid.tuned.regime", repr(regime), f"must be of {_list(REGIMES)}")
    rules = grid.get("rules") or {}
    base = rules.get("base") if isinstance(rules, Mapping) else None
    return Tuned(
        factors=_factors(part.get("lr", FACTORS)),
        arms=_arms(part.get("arms", DEPTH_WIDTH)),
        regime=regime,
        transfers=_transfers(part.get("transfer") or ()),
        base={k: v for k, v in base.items() if is_number(v)} if isinstance(base, Mapping) else {},
    )


def at_rate(point: Point, run: RunConfig, factor: float) -> Point:
    """The point of a run at another learning rate."""
    return {**point, LR: rounded(run.train.lr_per_256 * factor)}


def rounded(value: float) -> float:
    """Six digits: what a power is beyond them may differ between machines, and ids must not."""
    return float(f"{value:.6g}")


def _factors(value: Any) -> tuple[float, float, float]:
    good = isinstance(value, list | tuple) and len(value) == 3 and all(map(is_number, value))
    accepted = "must be three rising factors with 1 in the middle, as in [0.5, 1, 2]"
    require(good and 0 < value[0] < value[1] == 1 < value[2], "grid.tuned.lr", value, accepted)
    low, middle, high = map(float, value)
    return low, middle, high


def _arms(value: Any) -> tuple[Axis, Axis]:
    good = isinstance(value, list | tuple) and len(value) == 2 and value[0] != value[1]
    known = good and all(isinstance(name, str) and name in ARMS for name in value)
    require(known, "grid.tuned.arms", value, f"must be two of {_list(ARMS)}")
    return ARMS[value[0]], ARMS[value[1]]


def _transfers(value: Any) -> tuple[Transfer, ...]:
    names = [value] if isinstance(value, str) else value
    require(
        isinstance(names, list | tuple), "grid.tuned.transfer", value, "must be a list of names"
    )
    for name in names:
        near = suggest(str(name), [*TRANSFERS])
        accepted = f"must be of {_list(TRANSFERS)}{near}"
        require(name in TRANSFERS, "grid.tuned.transfer", repr(name), accepted)
    return tuple(TRANSFERS[name] for name in dict.fromkeys(names))


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
