"""A character-level transformer on the text of this project's own licence, in nats a character."""

import argparse
import json
import signal
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import cross_entropy

LENGTH, BATCH, EVERY = 32, 16, 20
TEXT = (Path(__file__).resolve().parents[2] / "LICENSE").read_text(encoding="utf-8").lower()


class Transformer(nn.Module):
    def __init__(self, n: int, depth: int, width: int) -> None:
        super().__init__()
        self.token, self.place = nn.Embedding(n, width), nn.Embedding(LENGTH, width)
        block = nn.TransformerEncoderLayer(
            width, max(1, width // 16), 4 * width, 0.0, batch_first=True, norm_first=True
        )
        self.blocks = nn.TransformerEncoder(block, depth, enable_nested_tensor=False)
        self.head = nn.Linear(width, n)
        self.mask = nn.Transformer.generate_square_subsequent_mask(LENGTH)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        h = self.token(x) + self.place.weight
        return self.head(self.blocks(h, mask=self.mask, is_causal=True))


def batch(data: torch.Tensor, random: torch.Generator, n: int = BATCH) -> torch.Tensor:
    starts = torch.randint(len(data) - LENGTH, (n, 1), generator=random)
    return data[starts + torch.arange(LENGTH + 1)]


def loss(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    return cross_entropy(model(x[:, :-1]).flatten(0, 1), x[:, 1:].flatten())


def main() -> int:
    parser = argparse.ArgumentParser()
    for name in ("layers", "dim", "steps", "seed"):
        parser.add_argument(f"--{name}", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    args, stop = parser.parse_args(), []
    signal.signal(signal.SIGUSR1, lambda *_: stop.append(True))
    torch.manual_seed(args.seed)
    letters = sorted(set(TEXT))
    data = torch.tensor([letters.index(c) for c in TEXT])
    train, held_out = data.tensor_split([int(0.9 * len(data))])
    model = Transformer(len(letters), args.layers, args.dim)
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    state, first = args.out / "checkpoint.pt", 0
    if state.exists():
        model_state, optimizer_state, first = torch.load(state)
        model.load_state_dict(model_state)
        optimizer.load_state_dict(optimizer_state)
    for step in range(first, args.steps):
        random = torch.Generator().manual_seed(args.seed * 1_000_003 + step)
        value = loss(model, batch(train, random))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        if (step + 1) % EVERY == 0:
            with (args.out / "metrics.jsonl").open("a", encoding="utf-8") as file:
                line = {"step": step + 1, "epoch": step + 1, "loss": value.item()}
                file.write(json.dumps(line) + "\n")
        if stop:
            torch.save((model.state_dict(), optimizer.state_dict(), step + 1), state)
            return 75
    with torch.no_grad():
        score = loss(model, batch(held_out, torch.Generator().manual_seed(0), 256)).item()
    (args.out / "outcome.json").write_text(json.dumps({"outcome": score}), encoding="utf-8")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
