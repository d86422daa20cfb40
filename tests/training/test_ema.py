"""The average of weights, against a float64 loop."""

import pytest
import torch
from torch import nn

from scaling_study.training.ema import Ema
from scaling_study.training.schedule import ema_decay


@pytest.mark.parametrize("limit", [0.9999, 0.5, 0.0])
def test_ema_follows_a_float64_loop_and_covers_batch_norm_statistics(limit: float) -> None:
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))
    ema = Ema(module, limit)
    expected = {k: v.double().clone() for k, v in module.state_dict().items()}
    for update in range(50):
        module(torch.randn(8, 3, 2, 2))
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.add_(torch.randn_like(parameter))
        decay = ema_decay(update, limit)
        assert decay == min(limit, (1 + update) / (10 + update))
        ema.update(update)
        for name, live in module.state_dict().items():
            expected[name] = decay * expected[name] + (1 - decay) * live.double()
    state = ema.state_dict()
    for name in ("0.weight", "1.weight", "1.running_mean", "1.running_var"):
        torch.testing.assert_close(state[name].double(), expected[name], rtol=1e-5, atol=1e-6)
        if limit:
            assert not torch.equal(state[name], module.state_dict()[name])
