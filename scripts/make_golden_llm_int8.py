#!/usr/bin/env python3
"""Writes tests/golden/nn/llm_int8.json: what bitsandbytes' Linear8bitLt makes of small matrices, on the CPU.

usage: make_golden_llm_int8.py      needs torch, bitsandbytes

Inputs are float16 numbers given as float32, so that the library's rounding to float16 in front of that to bytes
changes nothing. Some columns are large in one of the rows (arXiv 2208.07339).
"""
import json
import warnings
from pathlib import Path

import torch
from bitsandbytes.nn import Int8Params, Linear8bitLt

FILE = Path(__file__).resolve().parent.parent / "tests/golden/nn/llm_int8.json"


def case(name, rows, columns, outputs, threshold, planted, seed):
    random = torch.Generator().manual_seed(seed)
    weight = (0.1 * torch.randn(outputs, columns, generator=random)).half()
    bias = torch.randn(outputs, generator=random).half().float()
    x = torch.randn(rows, columns, generator=random).clamp(-5, 5)
    for row, column, value in planted:
        x[row, column] = value
    x = x.half().float()
    layer = Linear8bitLt(columns, outputs, bias=True, has_fp16_weights=False, threshold=threshold)
    layer.weight = Int8Params(weight, requires_grad=False, has_fp16_weights=False)
    layer.bias.data = bias.clone()
    layer = layer.to("cpu").eval()
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the rounding to float16
        y = layer(x)
    codes, magnitudes = layer.state.CB, layer.state.SCB
    assert codes.dtype == torch.int8
    return {
        "name": name, "rows": rows, "columns": columns, "threshold": threshold, "x": x.flatten().tolist(),
        "codes": codes.flatten().tolist(), "magnitudes": magnitudes.float().tolist(), "bias": bias.tolist(),
        "y": y.float().flatten().tolist(),
    }


def main():
    planted = [(0, 3, 8.5), (2, 40, -20.0), (2, 41, 6.0), (4, 3, 70.0)]
    cases = [
        case("outliers in several rows", 5, 64, 24, 6.0, planted, 1),
        case("the same without a threshold", 5, 64, 24, 0.0, planted, 1),
        case("one row", 1, 64, 24, 6.0, [(0, 10, 9.0), (0, 63, -6.5)], 2),
        case("no outliers", 3, 64, 24, 6.0, [], 3),
        case("another threshold, an odd width", 12, 45, 17, 2.5, [(11, 44, 12.0)], 4),
    ]
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text("[\n" + ",\n".join(json.dumps(one) for one in cases) + "\n]\n")


main()
