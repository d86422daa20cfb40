# my_data/rings_dataset.py
import torch
from torch.utils.data import Dataset


class Rings(Dataset):
    """Class 0 is filled, class 1 is not; radius, place and noise are random."""

    def __init__(self, per_class, side, part):
        self.targets, self.side, self.part = [i % 2 for i in range(2 * per_class)], side, part

    def __len__(self):
        return len(self.targets)

    def __getitem__(self, i):
        at = torch.arange(self.side) / self.side - 0.5
        x, y, radius = torch.rand(3) * 0.2 + torch.tensor([-0.1, -0.1, 0.2])
        distance = ((at[:, None] - y) ** 2 + (at[None, :] - x) ** 2).sqrt()
        inside = distance < radius if self.targets[i] == 0 else (distance - radius).abs() < 0.08
        return 0.6 * inside + 0.4 * torch.rand(self.side, self.side), self.targets[i]
