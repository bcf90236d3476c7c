#!/usr/bin/env python3
"""Writes the seeds of fuzz/corpus/gguf: small GGUF files, right and wrong in ways that have broken other readers.

usage: make_fuzz_gguf.py      needs nothing but Python
"""
import struct
from pathlib import Path

FOLDER = Path(__file__).resolve().parent.parent / "fuzz/corpus/gguf"
U32, F32, TEXT, ARRAY = 4, 6, 8, 9


def text(value):
    return struct.pack("<Q", len(value)) + value


def pair(key, kind, value):
    return text(key) + struct.pack("<I", kind) + value


def texts(key, values):
    return pair(key, ARRAY, struct.pack("<IQ", TEXT, len(values)) + b"".join(map(text, values)))


def info(name, sizes, kind, offset):
    return text(name) + struct.pack(f"<I{len(sizes)}qIQ", len(sizes), *sizes, kind, offset)


def file(pairs=(), infos=(), data=b"", version=3, counts=None, alignment=32):
    tensors, keys = counts or (len(infos), len(pairs))
    head = b"GGUF" + struct.pack("<IQQ", version, tensors, keys) + b"".join(pairs) + b"".join(infos)
    return head + bytes(-len(head) % alignment) + data


def align(value):
    return pair(b"general.alignment", U32, struct.pack("<I", value))


VOCABULARY = [
    pair(b"general.architecture", TEXT, text(b"sample")),
    pair(b"tokenizer.ggml.model", TEXT, text(b"gpt2")),
    texts(b"tokenizer.ggml.tokens", [b"<s>", b"a", b"b", b"ab"]),
    texts(b"tokenizer.ggml.merges", [b"a b"]),
    pair(b"tokenizer.ggml.scores", ARRAY, struct.pack("<IQ4f", F32, 4, 0, 1, 2, 3)),
    pair(b"tokenizer.ggml.token_type", ARRAY, struct.pack("<IQ4i", 5, 4, 3, 1, 1, 1)),
    pair(b"tokenizer.ggml.bos_token_id", U32, struct.pack("<I", 0)),
]
SEEDS = {
    "valid": file(VOCABULARY, [info(b"a", [4], 0, 0), info(b"b", [64, 2], 8, 32)], bytes(192)),
    "version_2": file(version=2),
    "big_endian": file(version=0x03000000),
    "four_bytes": b"GGUF",
    "many_pairs": file(counts=(0, 1 << 32)),
    "many_tensors": file(counts=(1 << 32, 0)),
    "long_text": file([pair(b"a", TEXT, struct.pack("<Q", 1 << 30))]),
    "nested_array": file([pair(b"a", ARRAY, struct.pack("<IQIQ", ARRAY, 1, ARRAY, 1))]),
    "wrapping_array": file([pair(b"a", ARRAY, struct.pack("<IQ", 12, 1 << 61))]),
    "scores_as_int8": file(VOCABULARY[:4] + [pair(b"tokenizer.ggml.scores", ARRAY, struct.pack("<IQ4b", 1, 4, 0, 1, 2, 3))]),
    "id_outside": file(VOCABULARY[:6] + [pair(b"tokenizer.ggml.bos_token_id", U32, struct.pack("<I", 4))]),
    "key_twice": file([align(32), align(32)]),
    "alignment_0": file([align(0)], [info(b"a", [1], 0, 0)], bytes(4)),
    "alignment_2_31": file([align(1 << 31)], [info(b"a", [1], 0, 0)], bytes(4)),
    "five_dimensions": file(infos=[info(b"a", [1] * 5, 0, 0)], data=bytes(4)),
    "wrapping_product": file(infos=[info(b"a", [1 << 32, 1 << 32, 4], 0, 0)]),
    "huge_row": file(infos=[info(b"a", [(1 << 63) - 1], 0, 0)]),
    "unknown_type": file(infos=[info(b"a", [1], 0xFFFFFFFF, 0)], data=bytes(4)),
    "ragged_row": file(infos=[info(b"a", [33], 2, 0)], data=bytes(64)),
    "overlap": file(infos=[info(b"a", [16], 0, 0), info(b"b", [16], 0, 32)], data=bytes(96)),
    "outside": file(infos=[info(b"a", [16], 0, (1 << 64) - 32)], data=bytes(96)),
    "name_twice": file(infos=[info(b"a", [1], 0, 0), info(b"a", [1], 0, 32)], data=bytes(64)),
}

FOLDER.mkdir(parents=True, exist_ok=True)
for name, content in SEEDS.items():
    (FOLDER / name).write_bytes(content)
