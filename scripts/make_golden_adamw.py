#!/usr/bin/env python3
"""Writes tests/golden/train/adamw.json: fifty steps of torch.optim.AdamW in float64, once with decay and once without.
needs: pip install torch

The gradient of element i at step t is sin(t·(i + 1))·10^(i mod 5 − 2); the learning rate stays.
"""
import json
import math
from pathlib import Path

import torch

OUT = Path(__file__).parent.parent / "tests/golden/train/adamw.json"
COUNT, STEPS, RATE, BETA2, DECAY = 12, 50, 1e-2, 0.95, 0.1


def trained(start, decay):
    weight = torch.nn.Parameter(torch.tensor(start, dtype=torch.float64))
    optimizer = torch.optim.AdamW([weight], lr=RATE, betas=(0.9, BETA2), weight_decay=decay)
    for step in range(1, STEPS + 1):
        weight.grad = torch.tensor([math.sin(step * (i + 1)) * 10.0 ** (i % 5 - 2) for i in range(COUNT)],
                                   dtype=torch.float64)
        optimizer.step()
    return weight.tolist()


if __name__ == "__main__":
    start = [round(math.cos(i), 3) for i in range(COUNT)]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps({"start": start, "steps": STEPS, "learning_rate": RATE, "beta2": BETA2,
                               "weight_decay": DECAY, "decaying": trained(start, DECAY),
                               "other": trained(start, 0.0)}, indent=1) + "\n")
