#!/usr/bin/env python3
"""Writes a GGUF file of TinyLlama-1.1B's shape with random weights, for measuring speed against other programs.

usage: make_random_gguf.py FILE [--type Q4_0] [--layers 22]
needs: numpy, gguf. One random matrix of each shape is quantized and used in every layer: speed does not depend on the
values, and the file takes seconds to make. Embedding and head have the same type.
"""
import argparse

import gguf
import numpy as np

HIDDEN, MLP, HEADS, KV_HEADS, VOCABULARY, CONTEXT = 2048, 5632, 32, 4, 32000, 8192


def add_vocabulary(writer):
    """A SentencePiece vocabulary of the right size: bytes, then made-up pieces."""
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    kinds = [2, 3, 3] + [6] * 256
    letters = "abcdefghijklmnopqrstuvwxyz"
    while len(pieces) < VOCABULARY:
        number = len(pieces)
        pieces.append("\u2581" + letters[number % 26] + letters[number // 26 % 26] + letters[number // 676 % 26] +
                      letters[number // 17576])
        kinds.append(1)
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(pieces)
    writer.add_token_scores([-float(number) for number in range(VOCABULARY)])
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("file")
    arguments.add_argument("--type", default="Q4_0")
    arguments.add_argument("--layers", type=int, default=22)
    options = arguments.parse_args()
    kind = gguf.GGMLQuantizationType[options.type]
    random = np.random.default_rng(0)
    made = {}

    def matrix(rows, columns):
        if (rows, columns) not in made:
            values = random.standard_normal((rows, columns), dtype=np.float32) * 0.02
            made[rows, columns] = gguf.quants.quantize(values, kind)
        return made[rows, columns]

    writer = gguf.GGUFWriter(options.file, "llama")
    writer.add_name(f"random 1.1B {options.type}")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(HIDDEN)
    writer.add_block_count(options.layers)
    writer.add_feed_forward_length(MLP)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_vocab_size(VOCABULARY)
    add_vocabulary(writer)

    def add(name, rows, columns):
        writer.add_tensor(name, matrix(rows, columns), raw_dtype=kind)

    ones = np.ones(HIDDEN, np.float32)
    kv = KV_HEADS * HIDDEN // HEADS
    add("token_embd.weight", VOCABULARY, HIDDEN)
    for layer in range(options.layers):
        block = f"blk.{layer}."
        writer.add_tensor(block + "attn_norm.weight", ones)
        add(block + "attn_q.weight", HIDDEN, HIDDEN)
        add(block + "attn_k.weight", kv, HIDDEN)
        add(block + "attn_v.weight", kv, HIDDEN)
        add(block + "attn_output.weight", HIDDEN, HIDDEN)
        writer.add_tensor(block + "ffn_norm.weight", ones)
        add(block + "ffn_gate.weight", MLP, HIDDEN)
        add(block + "ffn_up.weight", MLP, HIDDEN)
        add(block + "ffn_down.weight", HIDDEN, MLP)
    writer.add_tensor("output_norm.weight", ones)
    add("output.weight", VOCABULARY, HIDDEN)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


if __name__ == "__main__":
    main()
