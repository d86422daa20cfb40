"""Batch norm over a few images at a time, against torch's over each few."""

import pytest
import torch
from torch import nn

from helpers.tiny import tiny
from scaling_study.models import network
from scaling_study.models.modules import build
from scaling_study.training.ghost_batch_norm import GhostBatchNorm2d, use_ghost_batches


def pair(ghosts: int) -> tuple[nn.Module, nn.BatchNorm2d]:
    torch.manual_seed(0)
    plain = nn.BatchNorm2d(3, momentum=0.3).double()
    nn.init.normal_(plain.weight)
    nn.init.normal_(plain.bias)
    module = nn.Sequential(nn.BatchNorm2d(3, momentum=0.3)).double()
    module[0].load_state_dict(plain.state_dict())
    use_ghost_batches(module, ghosts)
    return module.double(), plain


@pytest.mark.parametrize("ghosts", [2, 4])
def test_each_few_images_have_their_own_statistics_and_gradients(ghosts: int) -> None:
    module, plain = pair(ghosts)
    x = torch.randn(8, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    y = x.detach().clone().requires_grad_()
    weights = torch.randn(8, 3, 5, 5, dtype=torch.float64)
    (module(x) * weights).sum().backward()
    before = plain.running_mean.clone(), plain.running_var.clone()
    parts, means, variances = [], [], []
    for part in y.split(ghosts):
        parts.append(plain(part))
        means.append(part.mean((0, 2, 3)))
        variances.append(part.var((0, 2, 3)))
    (torch.cat(parts) * weights).sum().backward()
    torch.testing.assert_close(x.grad, y.grad)
    torch.testing.assert_close(module[0].weight.grad, plain.weight.grad)
    mean = 0.7 * before[0] + 0.3 * torch.stack(means).mean(0)
    variance = 0.7 * before[1] + 0.3 * torch.stack(variances).mean(0)
    torch.testing.assert_close(module[0].running_mean, mean.detach())
    torch.testing.assert_close(module[0].running_var, variance.detach())


def test_in_evaluation_it_is_batch_norm() -> None:
    module, plain = pair(2)
    x = torch.randn(4, 3, 5, 5, dtype=torch.float64)
    torch.testing.assert_close(module.eval()(x), plain.eval()(x))


def test_every_batch_norm_of_a_network_is_replaced_under_its_name() -> None:
    module = build(network(tiny().model, 4))
    names = list(module.state_dict())
    use_ghost_batches(module, 0)
    assert not any(isinstance(part, GhostBatchNorm2d) for part in module.modules())
    use_ghost_batches(module, 4)
    norms = [part for part in module.modules() if isinstance(part, nn.BatchNorm2d)]
    assert norms
    assert all(isinstance(part, GhostBatchNorm2d) for part in norms)
    assert list(module.state_dict()) == names
    last = [part.weight for part in norms if not part.weight.any()]
    assert last  # the zero gammas are still there
