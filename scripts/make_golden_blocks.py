#!/usr/bin/env python3
"""Writes tests/golden/formats/NAME.bin: random blocks of each GGUF type and the float32 weights gguf makes of them.

usage: make_golden_blocks.py [NAME]...      needs numpy, gguf and xllamacpp; default: all

A file is the blocks, then their weights. Every byte is random but the float16 fields, which are finite, of both signs
and of ordinary size, and the 8-bit exponents, which overflow nowhere; one block has the scale 0. Of the types whose
codes no method chooses encoded_NAME.bin holds weights and the blocks that ggml's own library (inside xllamacpp) makes.
"""
import ctypes
import sys
from pathlib import Path

import numpy
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

FOLDER = Path(__file__).resolve().parent.parent / "tests/golden/formats"
# Where the float16 fields of a block begin.
HALVES = {
    "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "Q2_K": [80, 82], "Q3_K": [108],
    "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208], "IQ4_NL": [0], "IQ4_XS": [0],
    "TQ1_0": [52], "TQ2_0": [64], "MXFP4": [], "NVFP4": [], "Q1_0": [0], "Q2_0": [0],
}
# Types that ggml encodes by a rule: number, weights and bytes of a block.
BY_RULE = {"TQ1_0": (34, 256, 54), "TQ2_0": (35, 256, 66), "MXFP4": (39, 32, 17), "NVFP4": (40, 64, 36),
           "Q1_0": (41, 128, 18), "Q2_0": (42, 64, 18)}


def weights_of(name, blocks):
    if name not in ("Q1_0", "Q2_0"):  # gguf 0.19 does not decode these
        return dequantize(blocks, GGMLQuantizationType[name]).astype("<f4")
    bits = 1 if name == "Q1_0" else 2
    codes = numpy.unpackbits(blocks[:, 2:], axis=1, bitorder="little").reshape(len(blocks), -1, bits)
    codes = codes.astype(numpy.float32) @ (2.0 ** numpy.arange(bits, dtype=numpy.float32))
    values = 2 * codes - 1 if bits == 1 else codes - 1
    return (blocks[:, :2].copy().view("<f2").astype(numpy.float32) * values).astype("<f4")


def size_of(name):
    if name in BY_RULE:
        return BY_RULE[name][1:]
    return GGML_QUANT_SIZES[GGMLQuantizationType[name]]


def make(name, random):
    weights, size = size_of(name)
    count = 4 if weights == 32 else 2
    blocks = random.integers(0, 256, (count, size), dtype=numpy.uint8)
    if name == "MXFP4":
        blocks[:, 0] = [0, 1, 100, 140]
    if name == "NVFP4":
        blocks[:, :4] = [[0, 0x7F, 3, 0x7E], [8, 0x38, 0x41, 0x55]]
    for index, block in enumerate(blocks):
        for place in HALVES[name]:
            value = random.normal(0, 0.02) if index or weights == 256 else 0
            block[place:place + 2] = numpy.frombuffer(numpy.float16(value).tobytes(), numpy.uint8)
    floats = weights_of(name, blocks)
    assert floats.shape == (count, weights) and numpy.isfinite(floats).all()
    (FOLDER / f"{name}.bin").write_bytes(blocks.tobytes() + floats.tobytes())


def make_encoded(name, random):
    import xllamacpp
    library = ctypes.CDLL(str(next(Path(xllamacpp.__file__).parent.glob("xllamacpp*.so"))))
    library.ggml_quantize_chunk.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64,
                                            ctypes.c_int64, ctypes.c_int64, ctypes.c_void_p]
    number, weights, size = BY_RULE[name]
    floats = (random.standard_normal((8, weights)) * 0.02 * 4.0 ** numpy.arange(-3, 5).reshape(8, 1)).astype("<f4")
    floats[0] = 0
    floats[1] = -0.5
    blocks = numpy.zeros((8, size), numpy.uint8)
    library.ggml_quantize_chunk(number, floats.ctypes.data, blocks.ctypes.data, 0, 8, weights, None)
    (FOLDER / f"encoded_{name}.bin").write_bytes(floats.tobytes() + blocks.tobytes())


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    random = numpy.random.default_rng(9)
    wanted = sys.argv[1:] or list(HALVES)
    for name in [name for name in HALVES if name in wanted]:
        make(name, random)
    for name in [name for name in BY_RULE if name in wanted]:
        make_encoded(name, random)


main()
