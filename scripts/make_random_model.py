#!/usr/bin/env python3
"""Writes a Llama checkpoint with random BF16 weights, for measuring time and memory.

usage: make_random_model.py FOLDER [--shape tinyllama|tiny|llama-7b|llama-70b] [--filled N] [--tokenizer FOLDER] [--seed N]
--filled: only so many layers have weights; the others are zeros that take no room on the disk.
needs: numpy. The tokenizer files are copied from --tokenizer (default: assets/demo of this repository).
"""
import argparse
import json
import shutil
from pathlib import Path

import numpy as np

SHAPES = {
    # TinyLlama-1.1B: hidden, mlp, layers, heads, kv heads, vocabulary, context
    "tinyllama": (2048, 5632, 22, 32, 4, 32000, 2048),
    "llama-7b": (4096, 11008, 32, 32, 32, 32000, 4096),
    "llama-70b": (8192, 28672, 80, 64, 8, 32000, 4096),
    "tiny": (256, 768, 4, 4, 2, 4096, 512),
}


ROWS = 1024  # made at once


def bfloat16(values):
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def tensor_shapes(hidden, mlp, layers, heads, kv_heads, vocabulary):
    head = hidden // heads
    yield "model.embed_tokens.weight", (vocabulary, hidden)
    for i in range(layers):
        p = f"model.layers.{i}."
        yield p + "input_layernorm.weight", (hidden,)
        yield p + "self_attn.q_proj.weight", (hidden, hidden)
        yield p + "self_attn.k_proj.weight", (kv_heads * head, hidden)
        yield p + "self_attn.v_proj.weight", (kv_heads * head, hidden)
        yield p + "self_attn.o_proj.weight", (hidden, hidden)
        yield p + "post_attention_layernorm.weight", (hidden,)
        yield p + "mlp.gate_proj.weight", (mlp, hidden)
        yield p + "mlp.up_proj.weight", (mlp, hidden)
        yield p + "mlp.down_proj.weight", (hidden, mlp)
    yield "model.norm.weight", (hidden,)
    yield "lm_head.weight", (vocabulary, hidden)


def layer_of(name):
    return int(name.split(".")[2]) if name.startswith("model.layers.") else -1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--shape", choices=SHAPES, default="tinyllama")
    parser.add_argument("--filled", type=int, help="layers with weights; default: all")
    parser.add_argument("--tokenizer", type=Path, default=Path(__file__).parent.parent / "assets" / "demo")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    hidden, mlp, layers, heads, kv_heads, vocabulary, context = SHAPES[args.shape]
    args.folder.mkdir(parents=True, exist_ok=True)

    shapes = list(tensor_shapes(hidden, mlp, layers, heads, kv_heads, vocabulary))
    header, offset = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in shapes:
        end = offset + 2 * int(np.prod(shape))
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    random = np.random.default_rng(args.seed)
    with open(args.folder / "model.safetensors", "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes:
            if args.filled is not None and layer_of(name) >= args.filled:
                file.seek(2 * int(np.prod(shape)), 1)
                continue
            if len(shape) == 1:
                file.write(bfloat16(np.ones(shape, np.float32)).tobytes())
                continue
            for first in range(0, shape[0], ROWS):
                part = (min(ROWS, shape[0] - first), shape[1])
                file.write(bfloat16(random.standard_normal(part, np.float32) * 0.02).tobytes())
        file.truncate(8 + len(text) + offset)

    config = {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": hidden, "intermediate_size": mlp, "num_hidden_layers": layers,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "vocab_size": vocabulary,
        "max_position_embeddings": context, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
        "tie_word_embeddings": False, "torch_dtype": "bfloat16",
    }
    (args.folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copyfile(args.tokenizer / name, args.folder / name)
    print(f"{offset / 2 / 1e6:.0f} M parameters, {offset / 2**30:.2f} GiB -> {args.folder}")


if __name__ == "__main__":
    main()
