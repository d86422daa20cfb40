"""Stochastic depth for any family's residual blocks."""

from pathlib import Path

import pytest

from helpers.networks import efficient, resnets
from helpers.tiny import plain_execution, tiny
from scaling_study.common.errors import InputError
from scaling_study.cost.closed_form import run_cost
from scaling_study.models import network
from scaling_study.models.drop_path import with_drop_path
from scaling_study.models.layers import Conv, Network, Residual
from scaling_study.models.modules import Residual as Block
from scaling_study.training import loop


def rates_of(net: Network) -> list[float]:
    return [r for layer in net.layers if isinstance(layer, Residual) for r in layer.drop_rates]


@pytest.mark.parametrize("make", [resnets, efficient], ids=["resnet", "efficientnet"])
def test_rates_rise_linearly_from_zero_over_the_blocks(make) -> None:
    net = network(make(stochastic_depth=0.0), 4)
    dropped = rates_of(with_drop_path(net, 0.3))
    n = len(dropped)
    assert n > 3
    assert dropped == pytest.approx([0.3 * i / (n - 1) for i in range(n)])
    assert with_drop_path(net, 0.0) is net


def test_what_it_cannot_drop_is_refused() -> None:
    with pytest.raises(InputError, match="no residual blocks"):
        with_drop_path(Network((Conv(3, 4, 3),), 1), 0.1)
    with pytest.raises(InputError, match=r"model\.stochastic_depth=0"):
        run_cost(tiny(**{"train.drop_path": 0.1}))


def test_the_loop_trains_the_network_with_these_rates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[float] = []
    forward = Block.forward

    def spy(self, x):
        seen.append(self.drop_rate)
        return forward(self, x)

    monkeypatch.setattr(Block, "forward", spy)
    run = tiny(**{"train.drop_path": 0.3, "model.stochastic_depth": 0.0, "train.epochs": 1})
    (tmp_path / "run").mkdir()
    loop.train(run, tmp_path / "run", plain_execution(tmp_path, tmp_path))
    assert seen[:4] == pytest.approx([0.0, 0.1, 0.2, 0.3])
