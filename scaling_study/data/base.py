"""What a data set is to the rest: a config class, its sizes, and its images."""

from dataclasses import dataclass

from scaling_study.values import require


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
