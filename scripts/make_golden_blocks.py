#!/usr/bin/env python3
"""Writes tests/golden/formats/NAME.bin: random blocks of each GGUF type and the float32 weights gguf makes of them.

usage: make_golden_blocks.py      needs numpy and gguf

A file is the blocks, then their weights. Every byte is random but the float16 fields, which are finite, of both signs
and of ordinary size; one block has the scale 0.
"""
from pathlib import Path

import numpy
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

FOLDER = Path(__file__).resolve().parent.parent / "tests/golden/formats"
# Where the float16 fields of a block begin.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
}


def make(name, random):
    kind = GGMLQuantizationType[name]
    weights, size = GGML_QUANT_SIZES[kind]
    count = 4 if weights == 32 else 2
    blocks = random.integers(0, 256, (count, size), dtype=numpy.uint8)
    for index, block in enumerate(blocks):
        for place in HALVES[name]:
            value = random.normal(0, 0.02) if index or weights == 256 else 0
            block[place:place + 2] = numpy.frombuffer(numpy.float16(value).tobytes(), numpy.uint8)
    floats = dequantize(blocks, kind).astype("<f4")
    assert floats.shape == (count, weights) and numpy.isfinite(floats).all()
    (FOLDER / f"{name}.bin").write_bytes(blocks.tobytes() + floats.tobytes())


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(9)
    for name in HALVES:
        make(name, random)


main()
