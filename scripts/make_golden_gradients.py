#!/usr/bin/env python3
"""Writes tests/golden/train/gradients.json: what autograd says of the tiny models of tests/golden/model, in float64.
needs: pip install torch transformers

For each model the mean cross-entropy of predicting its 40 ids from those before, in two sequences of 25 and 15 that do
not see each other, and of the gradient of each parameter its shape, its norm, and four sums Σ g[i]·cos((k + 1)·(i + 1)),
k = 0 … 3, over its elements in the order they are stored: an error in any element shows in them.
"""
import json
import shutil
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

MODELS = Path(__file__).parent.parent / "tests/golden/model"
OUT = Path(__file__).parent.parent / "tests/golden/train/gradients.json"
LENGTHS = [25, 15]


def load(folder):
    """Transformers 5 overlooks the scaling of a Gemma 3 whose config names it "type", as older releases wrote it."""
    with tempfile.TemporaryDirectory() as copy:
        shutil.copytree(folder, copy, dirs_exist_ok=True)
        config = json.loads((folder / "config.json").read_text())
        scaling = config.get("rope_scaling") or {}
        if "type" in scaling:
            scaling["rope_type"] = scaling.pop("type")
        (Path(copy) / "config.json").write_text(json.dumps(config))
        return AutoModelForCausalLM.from_pretrained(copy, dtype=torch.float64, attn_implementation="eager").eval()


def gradients(folder):
    model = load(folder)
    expected = load_file(folder / "expected.safetensors")
    ids = expected["ids"]
    with torch.no_grad():
        assert (model(ids[None]).logits[0] - expected["logits"]).abs().max() < 1e-3, folder.name
    loss, at = 0, 0
    for length in LENGTHS:
        part = ids[at:at + length]
        logits = model(part[None]).logits[0, :-1]
        loss = loss + torch.nn.functional.cross_entropy(logits, part[1:], reduction="sum")
        at += length
    loss = loss / (len(ids) - len(LENGTHS))
    loss.backward()
    tensors = {}
    for name, parameter in model.named_parameters():
        flat = parameter.grad.flatten()
        index = torch.arange(1, flat.numel() + 1, dtype=torch.float64)
        sums = [float(flat @ torch.cos((k + 1) * index)) for k in range(4)]
        tensors[name] = {"shape": list(parameter.shape), "norm": float(flat.norm()), "sums": sums}
    return {"loss": loss.item(), "tensors": tensors}


if __name__ == "__main__":
    OUT.parent.mkdir(parents=True, exist_ok=True)
    cases = {path.parent.name: gradients(path.parent) for path in sorted(MODELS.glob("*/config.json"))}
    models = ",\n".join(f"{json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    OUT.write_text(f'{{"lengths": {json.dumps(LENGTHS)}, "models": {{\n{models}\n}}}}\n')
    for name, case in cases.items():
        print(f"{name}: loss {case['loss']:.5f}, {len(case['tensors'])} parameters")
