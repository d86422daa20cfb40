"""The loss of classification."""

import torch
from torch.nn.functional import log_softmax

from scaling_study.tasks.classification import TASK


def test_label_smoothed_loss_is_the_definition() -> None:
    torch.manual_seed(0)
    logits, labels = torch.randn(50, 7, dtype=torch.float64), torch.randint(7, (50,))
    smooth = 0.1
    target = torch.full((50, 7), smooth / 7, dtype=torch.float64)
    target[torch.arange(50), labels] += 1 - smooth
    expected = -(target * log_softmax(logits, 1)).sum(1).mean()
    torch.testing.assert_close(TASK.loss(logits, labels, smooth), expected)
