#!/usr/bin/env python3
"""Reads a GPTQ folder with numpy alone, independently of nibble, and checks it.

usage: check_gptq.py FOLDER [--ids FILE] [--length 512] [--windows 64] [--expect PERPLEXITY]

1. unpacks the codes of every module and compares their SHA-256 with the passport's (nibble.json);
2. packs them again and compares the words;
3. with --ids (the output of `nibble tokenize MODEL --file F --json`): perplexity of a float32 Llama forward over
   non-overlapping windows, and its relative difference to --expect. Exits 1 when any check fails (tolerance 1e-3).
needs: numpy
"""
import argparse
import hashlib
import json
import sys
from pathlib import Path

import numpy as np

TYPES = {"F32": np.float32, "F16": np.float16, "BF16": np.uint16, "I32": np.int32, "I64": np.int64}


def load(folder):
    tensors = {}
    for path in sorted(folder.glob("*.safetensors")):
        raw = np.memmap(path, np.uint8, "r")
        size = int(raw[:8].view(np.uint64)[0])
        header = json.loads(bytes(raw[8:8 + size]))
        for name, info in header.items():
            if name == "__metadata__":
                continue
            begin, end = info["data_offsets"]
            values = np.frombuffer(bytes(raw[8 + size + begin:8 + size + end]), TYPES[info["dtype"]])
            if info["dtype"] == "BF16":
                values = (values.astype(np.uint32) << 16).view(np.float32)
            tensors[name] = values.reshape(info["shape"])
    return tensors


def unpack(words, bits, count):
    """words [n, m] of a dense stream along axis 0 -> codes [count, m]"""
    stream = (words.view(np.uint32)[:, None, :] >> np.arange(32, dtype=np.uint32)[None, :, None]) & 1
    stream = stream.reshape(-1, words.shape[1])[:count * bits].reshape(count, bits, -1)
    return (stream << np.arange(bits, dtype=np.uint32)[None, :, None]).sum(1).astype(np.uint8)


def pack(codes, bits):
    stream = (codes[:, None, :].astype(np.uint32) >> np.arange(bits, dtype=np.uint32)[None, :, None]) & 1
    stream = stream.reshape(-1, 32, codes.shape[1])
    return (stream << np.arange(32, dtype=np.uint32)[None, :, None]).sum(1, dtype=np.uint32).view(np.int32)


def settings(config, module):
    import re
    quantization = config["quantization_config"]
    for rule, own in quantization.get("dynamic", {}).items():
        if rule.startswith("-:"):
            continue
        if re.match(rule.removeprefix("+:"), module):
            return own.get("bits", quantization["bits"])
    return quantization["bits"]


def dequantize(tensors, config, module):
    bits = settings(config, module)
    version_2 = config["quantization_config"].get("checkpoint_format") == "gptq_v2"
    index = tensors[module + ".g_idx"]
    codes = unpack(tensors[module + ".qweight"], bits, len(index))
    zeros = unpack(np.ascontiguousarray(tensors[module + ".qzeros"].T), bits, codes.shape[1]).T.astype(np.int64)
    if not version_2:
        zeros = (zeros + 1) % 2 ** bits
    scales = tensors[module + ".scales"].astype(np.float32)
    weight = scales[index] * (codes.astype(np.float32) - zeros[index].astype(np.float32))
    return bits, codes, np.ascontiguousarray(weight.T)


def rms_norm(x, gain, epsilon):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + epsilon) * gain


def forward(weights, config, ids):
    hidden, heads = config["hidden_size"], config["num_attention_heads"]
    kv_heads = config.get("num_key_value_heads") or heads
    dim = config.get("head_dim") or hidden // heads
    epsilon = config["rms_norm_eps"]
    theta = config.get("rope_theta") or config.get("rope_parameters", {}).get("rope_theta", 10000.0)
    length = len(ids)
    angle = np.outer(np.arange(length), theta ** (-np.arange(0, dim, 2) / dim))
    cos, sin = np.cos(angle).astype(np.float32), np.sin(angle).astype(np.float32)

    def rotate(x):
        a, b = x[..., :dim // 2], x[..., dim // 2:]
        return np.concatenate([a * cos[:, None] - b * sin[:, None], b * cos[:, None] + a * sin[:, None]], -1)

    mask = np.triu(np.full((length, length), -np.inf, np.float32), 1)
    h = weights["model.embed_tokens.weight"][ids].astype(np.float32)
    for i in range(config["num_hidden_layers"]):
        p = f"model.layers.{i}."
        x = rms_norm(h, weights[p + "input_layernorm.weight"], epsilon)
        q = rotate((x @ weights[p + "self_attn.q_proj.weight"].T).reshape(length, heads, dim))
        k = rotate((x @ weights[p + "self_attn.k_proj.weight"].T).reshape(length, kv_heads, dim))
        v = (x @ weights[p + "self_attn.v_proj.weight"].T).reshape(length, kv_heads, dim)
        mixed = np.empty((length, heads, dim), np.float32)
        for head in range(heads):
            kv = head * kv_heads // heads
            scores = q[:, head] @ k[:, kv].T / np.sqrt(np.float32(dim)) + mask
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            mixed[:, head] = scores / scores.sum(-1, keepdims=True) @ v[:, kv]
        h = h + mixed.reshape(length, -1) @ weights[p + "self_attn.o_proj.weight"].T
        x = rms_norm(h, weights[p + "post_attention_layernorm.weight"], epsilon)
        gate = x @ weights[p + "mlp.gate_proj.weight"].T
        h = h + (gate / (1 + np.exp(-gate)) * (x @ weights[p + "mlp.up_proj.weight"].T)) @ weights[p + "mlp.down_proj.weight"].T
    head = weights.get("lm_head.weight", weights["model.embed_tokens.weight"])
    return rms_norm(h, weights["model.norm.weight"], epsilon) @ head.T


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--ids", type=Path)
    parser.add_argument("--length", type=int, default=512)
    parser.add_argument("--windows", type=int, default=64)
    parser.add_argument("--expect", type=float)
    args = parser.parse_args()
    config = json.loads((args.folder / "config.json").read_text())
    tensors = load(args.folder)
    passport_path = args.folder / "nibble.json"
    passport = json.loads(passport_path.read_text()) if passport_path.exists() else {"modules": []}
    hashes = {module["name"]: module["codes_sha256"] for module in passport["modules"]}

    weights, modules, failures = {}, 0, 0
    for name, values in tensors.items():
        if name.endswith(".qweight"):
            module = name.removesuffix(".qweight")
            bits, codes, weights[module + ".weight"] = dequantize(tensors, config, module)
            modules += 1
            digest = hashlib.sha256(np.ascontiguousarray(codes.T).tobytes()).hexdigest()
            if module in hashes and digest != hashes[module]:
                print(f"{module}: other codes than the passport's")
                failures += 1
            if not np.array_equal(pack(codes, bits), values):
                print(f"{module}: packing the codes again gives other words")
                failures += 1
        elif values.dtype in (np.float32, np.float16):
            weights[name] = values.astype(np.float32)
    print(f"{modules} modules, {len(hashes)} hashes of codes compared, {failures} differ")

    if args.ids:
        ids = np.array(json.loads(args.ids.read_text())["ids"])
        losses = []
        for window in range(min(args.windows, len(ids) // args.length)):
            part = ids[window * args.length:(window + 1) * args.length]
            logits = forward(weights, config, part)[:-1].astype(np.float64)
            top = logits.max(-1, keepdims=True)
            total = np.log(np.exp(logits - top).sum(-1)) + top[:, 0]
            losses.append((total - logits[np.arange(len(part) - 1), part[1:]]).mean())
        perplexity = float(np.exp(np.mean(losses)))
        print(f"perplexity {perplexity:.4f} over {len(losses)} windows of {args.length}")
        if args.expect:
            difference = abs(perplexity / args.expect - 1)
            print(f"relative difference {difference:.2e}")
            failures += difference > 1e-3
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
