"""Mixup, CutMix and labels as shares, against their definitions in float64."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy, log_softmax

from helpers.recipes import recipe
from helpers.tiny import tiny
from scaling_study.common.errors import InputError
from scaling_study.config.recipe import TrainConfig
from scaling_study.tasks import task_of
from scaling_study.training.mixing import mixed

N, SIDE, CLASSES = 8, 16, 5


def batch() -> tuple[Tensor, Tensor]:
    # An image is one number everywhere, another one in each.
    values = torch.arange(1.0, N + 1, dtype=torch.float64) ** 2
    return values[:, None, None, None].expand(N, 3, SIDE, SIDE), torch.arange(N) % CLASSES


def drawn(plan: TrainConfig, draws: int = 200) -> list[tuple[Tensor, Tensor]]:
    return [mixed(*batch(), CLASSES, plan, seed) for seed in range(draws)]


def one_hot(labels: Tensor) -> Tensor:
    return torch.eye(CLASSES, dtype=torch.float64)[labels]


PARTNER = torch.tensor([1, 0, 3, 2, 5, 4, 7, 6])


def test_mixup_blends_images_and_labels_of_neighbours_by_one_share() -> None:
    images, labels = batch()
    shares = []
    for found, targets in drawn(recipe(mixup=0.4, label_smoothing=0.0)):
        own = float((found[0, 0, 0, 0] - 4) / (1 - 4))  # images 0 and 1 are 1 and 4
        shares.append(own)
        expected = own * images + (1 - own) * images[PARTNER]
        torch.testing.assert_close(found, expected)
        mix = own * one_hot(labels) + (1 - own) * one_hot(labels[PARTNER])
        torch.testing.assert_close(targets, mix)
    # Beta(a, a): mean 1/2, variance 1 / (4 (2a + 1)).
    assert np.mean(shares) == pytest.approx(0.5, abs=0.09)
    assert np.var(shares) == pytest.approx(1 / (4 * 1.8), rel=0.2)


def test_cutmix_replaces_a_box_and_labels_by_its_area() -> None:
    images, labels = batch()
    areas = []
    for found, targets in drawn(recipe(cutmix=1.0, label_smoothing=0.0)):
        replaced = found != images
        assert torch.equal(found[replaced], images[PARTNER][replaced])
        rows, columns = replaced[0, 0].any(1), replaced[0, 0].any(0)
        assert torch.equal(replaced[0, 0], rows[:, None] & columns)  # a box
        assert all(torch.equal(replaced[i], replaced[0]) for i in range(N))  # the same in all
        area = int(rows.sum() * columns.sum()) / SIDE**2
        areas.append(area)
        mix = (1 - area) * one_hot(labels) + area * one_hot(labels[PARTNER])
        torch.testing.assert_close(targets, mix)
    assert min(areas) < 0.05
    assert max(areas) > 0.6
    assert 0.2 < np.mean(areas) < 0.5  # of a uniform share, less what lies outside


def test_with_both_a_batch_has_either_at_one_half() -> None:
    images, _ = batch()
    plan = recipe(mixup=1.0, cutmix=1.0)
    cut = [bool((found == images).any()) for found, _ in drawn(plan, 400)]
    assert np.mean(cut) == pytest.approx(0.5, abs=0.08)


def test_the_probability_is_that_of_a_mixed_batch() -> None:
    images, _ = batch()
    plan = recipe(mixup=1.0, mix_probability=0.3)
    changed = [not torch.equal(found, images) for found, _ in drawn(plan, 400)]
    assert np.mean(changed) == pytest.approx(0.3, abs=0.07)


def test_a_seed_repeats_and_shares_of_two_processes_are_the_batch() -> None:
    images, labels = batch()
    plan = recipe(mixup=0.5, cutmix=1.0)
    for seed in range(20):
        whole = mixed(images, labels, CLASSES, plan, seed)
        halves = [
            mixed(images[part], labels[part], CLASSES, plan, seed)
            for part in (slice(0, 4), slice(4, 8))
        ]
        for a, b in zip(whole, zip(*halves, strict=True), strict=True):
            torch.testing.assert_close(a, torch.cat(b))


def test_soft_cross_entropy_is_that_of_both_labels_with_smoothing() -> None:
    torch.manual_seed(0)
    logits = torch.randn(N, CLASSES, dtype=torch.float64)
    _, labels = batch()
    plan = recipe(mixup=1.0, label_smoothing=0.2)
    images, targets = mixed(*batch(), CLASSES, plan, 3)
    own = float((images[0, 0, 0, 0] - 4) / (1 - 4))
    log_p = log_softmax(logits, 1)

    def of(classes: Tensor) -> Tensor:
        right = log_p.gather(1, classes[:, None])[:, 0]
        return -(0.8 * right + 0.2 * log_p.mean(1)).mean()

    expected = own * of(labels) + (1 - own) * of(labels[PARTNER])
    found = task_of("classification").soft_losses["task"](logits, targets)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("threshold", [0.0, 0.2])
def test_bce_is_about_each_class_by_itself(threshold: float) -> None:
    torch.manual_seed(0)
    logits = torch.randn(N, CLASSES, dtype=torch.float64)
    _, labels = batch()
    plan = recipe(loss="bce", mixup=1.0, bce_threshold=threshold, label_smoothing=0.0)
    images, targets = mixed(*batch(), CLASSES, plan, 5)
    own = float((images[0, 0, 0, 0] - 4) / (1 - 4))
    shares = own * one_hot(labels) + (1 - own) * one_hot(labels[PARTNER])
    wanted = (shares > threshold).double() if threshold else shares
    torch.testing.assert_close(targets, wanted)
    found = task_of("classification").soft_losses["bce"](logits, targets)
    torch.testing.assert_close(found, binary_cross_entropy(logits.sigmoid(), wanted))


@pytest.mark.parametrize("changes", [{"train.mixup": 0.1}, {"train.loss": "bce"}])
def test_a_task_without_such_a_loss_is_not_mixed(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="has no such loss of mixed labels"):
        tiny(task="helpers.ordinal_task", **changes)
