#!/usr/bin/env python3
"""Writes tests/golden/evaluate/expected.json: what the demo model makes of prose.txt by transformers in float32.

usage: make_golden_evaluate.py      needs torch, transformers, tokenizers

Every protocol is computed the plain way, one window at a time; divergences in float64. The model to compare with is
the demo model with another rope_theta, so that no second set of weights is needed.
"""
import json
import math
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer
from transformers import AutoConfig, AutoModelForCausalLM

ROOT = Path(__file__).resolve().parent.parent
MODEL = ROOT / "assets/demo"
FOLDER = ROOT / "tests/golden/evaluate"
OTHER_THETA = 9000.0
CONTEXT = 256  # of hf-stride


def load(**changes):
    config = AutoConfig.from_pretrained(MODEL)
    for key, value in changes.items():
        setattr(config, key, value)
    if getattr(config, "rope_parameters", None) and "rope_theta" in changes:
        config.rope_parameters = {"rope_type": "default", "rope_theta": changes["rope_theta"]}
    model = AutoModelForCausalLM.from_pretrained(MODEL, config=config, torch_dtype=torch.float32).eval()
    return model


def log_probabilities(model, ids):
    with torch.no_grad():
        return torch.log_softmax(model(torch.tensor([ids])).logits[0].double(), -1)


def gptq(ids, number):
    return [(ids[i : i + number], 1) for i in range(0, len(ids) - number + 1, number)]


def llamacpp(ids, number):
    # The demo's tokenizer adds no BOS, so none replaces a window's first token.
    return [(window, number // 2 + 1) for window, _ in gptq(ids, number)]


def hf_stride(ids, stride):
    windows, previous_end = [], 1
    for begin in range(0, len(ids), stride):
        end = min(begin + CONTEXT, len(ids))
        windows.append((ids[begin:end], previous_end - begin))
        previous_end = end
        if end == len(ids):
            break
    return windows


def losses(model, windows):
    values = []
    for ids, first in windows:
        rows = log_probabilities(model, ids)
        values += [-rows[i - 1, ids[i]].item() for i in range(first, len(ids))]
    return values


def perplexity(values):
    mean = sum(values) / len(values)
    variance = sum((v - mean) ** 2 for v in values) / len(values)
    return {
        "perplexity": math.exp(mean),
        "stderr": math.exp(mean) * math.sqrt(variance / (len(values) - 1)),
        "tokens": len(values),
    }


def compare(base, other, windows):
    kl, same, delta, ratio = [], [], [], []
    for ids, first in windows:
        p, q = log_probabilities(base, ids), log_probabilities(other, ids)
        for i in range(first, len(ids)):
            a, b, token = p[i - 1], q[i - 1], ids[i]
            kl.append((a.exp() * (a - b)).sum().item())
            same.append(float(a.argmax() == b.argmax()))
            delta.append((b[token].exp() - a[token].exp()).item())
            ratio.append((a[token] - b[token]).item())
    values = torch.tensor(kl, dtype=torch.float64)
    return {
        "mean_kl": values.mean().item(),
        "kl_median": values.quantile(0.5).item(),
        "kl_p99": values.quantile(0.99).item(),
        "kl_max": values.max().item(),
        "top1": sum(same) / len(same),
        "delta_p_mean": sum(delta) / len(delta),
        "delta_p_rms": math.sqrt(sum(d * d for d in delta) / len(delta)),
        "ln_ratio": sum(ratio) / len(ratio),
        "ln_ratio_stderr": torch.tensor(ratio, dtype=torch.float64).std().item() / math.sqrt(len(ratio)),
    }


def main():
    ids = Tokenizer.from_file(str(MODEL / "tokenizer.json")).encode((FOLDER / "prose.txt").read_text()).ids
    base, other = load(), load(rope_theta=OTHER_THETA)
    expected = {
        "made_by": f"transformers {transformers.__version__}, torch {torch.__version__}",
        "text_tokens": len(ids),
        "stride_context": CONTEXT,
        "protocols": {
            "gptq-128": perplexity(losses(base, gptq(ids, 128))),
            "llamacpp-128": perplexity(losses(base, llamacpp(ids, 128))),
            "hf-stride-96": perplexity(losses(base, hf_stride(ids, 96))),
        },
        "other_rope_theta": OTHER_THETA,
        "compare_gptq-128": compare(base, other, gptq(ids, 128)),
    }
    (FOLDER / "expected.json").write_text(json.dumps(expected, indent=1) + "\n")


if __name__ == "__main__":
    main()
