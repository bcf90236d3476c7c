#!/usr/bin/env python3
"""Puts a model's layers on GGUF's grids by the gguf package and lets `nibble convert` find them again.

usage: check_native_grids.py NIBBLE MODEL      needs numpy and gguf; MODEL is an unquantized folder

For each type: weights -> gguf.quants.quantize -> dequantize -> BF16 and F32 -> a folder -> nibble convert OUT.gguf -> read
and dequantized by gguf. The weights, rounded to the folder's type, have to be the same bits but for the sign of zeros, and
the type the same or a smaller one. Exit code 1 where one is not.
"""
import json
import re
import shutil
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
from gguf import GGMLQuantizationType, GGUFReader
from gguf.quants import dequantize, quantize

TYPES = ["Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "TQ1_0", "TQ2_0", "MXFP4"]
NAMES = {"mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
         "self_attn.v_proj": "attn_v", "self_attn.o_proj": "attn_output"}  # q and k lie in another order


def read(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: (entry["dtype"], entry["shape"], data[slice(*entry["data_offsets"])])
            for name, entry in header.items()}


def write(path, tensors):
    header, offset = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [offset, offset + len(data)]}
        offset += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(data for _, _, data in tensors.values()))


def to_bf16(values):
    bits = numpy.ascontiguousarray(values, dtype=numpy.float32).view(numpy.uint32)
    return ((bits + 0x7FFF + (bits >> 16 & 1)) >> 16).astype(numpy.uint16)


def floats(dtype, shape, data):
    if dtype == "BF16":
        return (numpy.frombuffer(data, numpy.uint16).astype(numpy.uint32) << 16).view(numpy.float32).reshape(shape)
    return numpy.frombuffer(data, {"F16": "<f2", "F32": "<f4"}[dtype]).astype(numpy.float32).reshape(shape)


def stored(values, dtype):
    return to_bf16(values).tobytes() if dtype == "BF16" else values.astype("<f4").tobytes()


def check(nibble, model, name, dtype, folder):
    source = folder / "source"
    shutil.copytree(model, source)
    tensors = {}
    for path in source.glob("*.safetensors*"):
        if path.suffix == ".safetensors":
            tensors.update(read(path))
        path.unlink()
    (source / "SHA256SUMS").unlink(missing_ok=True)
    wanted = {}
    for tensor, (own, shape, data) in tensors.items():
        if not re.search(r"layers\.\d+\.(mlp|self_attn)\.\w+_proj\.weight$", tensor):
            continue
        kind = GGMLQuantizationType[name]
        weights = dequantize(quantize(floats(own, shape, data), kind), kind)
        tensors[tensor] = (dtype, shape, stored(weights, dtype))
        wanted[tensor] = floats(*tensors[tensor])
    write(source / "model.safetensors", tensors)
    output = folder / "out.gguf"
    run = subprocess.run([nibble, "convert", source, output], capture_output=True, text=True)
    if run.returncode != 0:
        print(f"{name:6} in {dtype:4}: {run.stderr}")
        return False
    found = {tensor.name: tensor for tensor in GGUFReader(output).tensors}
    kinds, wrong = set(), 0
    for tensor, weights in wanted.items():
        layer, part = re.search(r"layers\.(\d+)\.(.+)\.weight", tensor).groups()
        if part not in NAMES:
            continue
        entry = found[f"blk.{layer}.{NAMES[part]}.weight"]
        kinds.add(entry.tensor_type.name)
        again = dequantize(entry.data, entry.tensor_type).reshape(weights.shape)
        wrong += int((floats(dtype, weights.shape, stored(again, dtype)) != weights).sum())
    print(f"{name:6} in {dtype:4} -> {', '.join(sorted(kinds)):6} {wrong} weights differ")
    return wrong == 0


def main():
    nibble, model = Path(sys.argv[1]).resolve(), Path(sys.argv[2])
    good = True
    for name in TYPES:
        for dtype in ("BF16", "F32"):
            with tempfile.TemporaryDirectory() as folder:
                good &= check(nibble, model, name, dtype, Path(folder))
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
