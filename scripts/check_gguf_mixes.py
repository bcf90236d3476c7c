#!/usr/bin/env python3
"""Compares the types that nibble quantize gives the tensors of a GGUF file with those that llama.cpp gives them.

usage: check_gguf_mixes.py NIBBLE [--llama FOLDER [--shape NAME]...] [--file MODEL FILE.gguf TYPE METHOD]...
needs: numpy, gguf. With --llama, a folder with libllama.so of an October 2026 build or later, models with random
weights of several shapes are quantized by it to every mix, with and without an importance matrix; with --file, a file
made by llama-quantize from MODEL is compared with the plan for `--type TYPE --method METHOD`.
"""
import argparse
import ctypes
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf
import numpy

DEMO = Path(__file__).resolve().parent.parent / "assets/demo"
MIXES = {"Q4_0": 2, "Q4_1": 3, "Q8_0": 7, "Q5_0": 8, "Q5_1": 9, "Q2_K": 10, "Q3_K_S": 11, "Q3_K_M": 12, "Q3_K_L": 13,
         "Q4_K_S": 14, "Q4_K_M": 15, "Q5_K_S": 16, "Q5_K_M": 17, "Q6_K": 18, "Q2_K_S": 21, "IQ4_NL": 25, "IQ4_XS": 30,
         "TQ1_0": 36, "TQ2_0": 37, "MXFP4_MOE": 38, "NVFP4": 39, "Q1_0": 40, "Q2_0": 41}
# Architecture, hidden, mlp, layers, heads, heads of keys, tied.
SHAPES = {
    "shared values": ("llama", 256, 512, 17, 8, 2, False),
    "tied": ("llama", 256, 512, 32, 4, 4, True),
    "narrow": ("llama", 320, 512, 9, 5, 5, False),
    "narrow, tied": ("llama", 320, 512, 9, 5, 5, True),
    "odd mlp": ("llama", 256, 272, 8, 4, 4, False),
    # Where llama.cpp speaks of 70B; only what that changes is compared.
    "80 layers": ("llama", 256, 256, 80, 8, 2, False),
    "80 layers, all heads": ("llama", 256, 256, 80, 4, 4, False),
    "80 layers, qwen2": ("qwen2", 256, 256, 80, 4, 4, False),
}
LARGE = ("Q2_K", "Q3_K_S", "Q3_K_M", "Q4_K_S", "Q4_K_M", "Q4_0", "IQ4_XS")
MODULES = {"attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj",
           "attn_output": "self_attn.o_proj", "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj",
           "ffn_down": "mlp.down_proj"}


class Params(ctypes.Structure):
    _fields_ = [("threads", ctypes.c_int32), ("ftype", ctypes.c_int), ("output_type", ctypes.c_int),
                ("embedding_type", ctypes.c_int), ("allow_requantize", ctypes.c_bool), ("quantize_output", ctypes.c_bool),
                ("only_copy", ctypes.c_bool), ("pure", ctypes.c_bool), ("keep_split", ctypes.c_bool),
                ("dry_run", ctypes.c_bool), ("imatrix", ctypes.c_void_p), ("kv_overrides", ctypes.c_void_p),
                ("tensor_types", ctypes.c_void_p), ("prune_layers", ctypes.c_void_p), ("max_buffer", ctypes.c_size_t)]


class Importance(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("data", ctypes.POINTER(ctypes.c_float)), ("size", ctypes.c_size_t)]


class TensorType(ctypes.Structure):
    _fields_ = [("pattern", ctypes.c_char_p), ("type", ctypes.c_int)]


def load_llama(folder):
    for name in ("libggml-base.so", "libggml-cpu.so", "libggml.so"):
        for path in sorted(folder.glob(name + "*"))[:1]:
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    library = ctypes.CDLL(str(folder / "libllama.so"))
    library.llama_model_quantize_default_params.restype = Params
    library.llama_model_quantize.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.POINTER(Params)]
    silent = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_char_p, ctypes.c_void_p)(lambda *_: None)
    library.llama_log_set(silent, None)
    library.silent = silent  # lives as long as the library
    library.llama_backend_init()
    return library


def tensors_of(path):
    """Name: type and columns. gguf's own reader does not know type 42."""
    data, place = memoryview(Path(path).read_bytes()), 24
    sizes = {0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8}

    def number(size):
        nonlocal place
        place += size
        return int.from_bytes(data[place - size:place], "little")

    def text():
        nonlocal place
        length = number(8)
        place += length
        return bytes(data[place - length:place]).decode(errors="replace")

    def skip(kind):
        nonlocal place
        if kind == 8:
            text()
        elif kind == 9:
            inner, count = number(4), number(8)
            for _ in range(count):
                skip(inner)
        else:
            place += sizes[kind]

    tensors, pairs = (int.from_bytes(data[at:at + 8], "little") for at in (8, 16))
    for _ in range(pairs):
        text()
        skip(number(4))
    found = {}
    for _ in range(tensors):
        name = text()
        shape = [number(8) for _ in range(number(4))]
        kind = number(4)
        number(8)
        found[name] = ("Q2_0" if kind == 42 else gguf.GGMLQuantizationType(kind).name, shape[0])
    return found


def llama_types(library, source, target, ftype, weighted, changes):
    params = library.llama_model_quantize_default_params()
    params.threads, params.ftype, params.allow_requantize = 2, ftype, True
    for key, value in changes.items():
        setattr(params, key, value)
    kept = []
    if weighted:
        rows = [(name.encode(), columns) for name, (_, columns) in tensors_of(source).items()]
        table = (Importance * (len(rows) + 1))()
        for entry, (name, columns) in zip(table, rows):
            ones = (ctypes.c_float * columns)(*[1.0] * columns)
            kept.append(ones)
            entry.name, entry.data, entry.size = name, ctypes.cast(ones, ctypes.POINTER(ctypes.c_float)), columns
        kept.append(table)
        params.imatrix = ctypes.addressof(table)
    if library.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params)) != 0:
        return None
    return {name: kind for name, (kind, _) in tensors_of(target).items()}


def nibble_types(program, model, arguments):
    run = subprocess.run([program, "quantize", model, "x.gguf", "--dry-run", "--json", "-q", *arguments],
                         capture_output=True, text=True)
    if run.returncode != 0:
        sys.exit(f"nibble quantize {' '.join(arguments)}: {run.stderr}")
    return {entry["name"]: entry["type"] for entry in json.loads(run.stdout)["plan"]["tensors"]}


def differences(theirs, ours):
    """Of all matrices; what the plan does not name stays F16 or what it was."""
    found = []
    for name, kind in theirs.items():
        if name.endswith("norm.weight") or not name.endswith(".weight"):
            continue
        module = {"token_embd.weight": "embed_tokens", "output.weight": "lm_head"}.get(name)
        if module is None:
            _, layer, part, _ = name.split(".")
            module = f"model.layers.{layer}.{MODULES[part]}"
        if ours.get(module) != kind:
            found.append(f"{name}: llama.cpp {kind}, nibble {ours.get(module)}")
    return found


def write_model(folder, shape):
    kind, hidden, mlp, layers, heads, kv, tied = shape
    config = json.loads((DEMO / "config.json").read_text())
    vocabulary, wide = config["vocab_size"], hidden // heads
    names = {"llama": "LlamaForCausalLM", "qwen2": "Qwen2ForCausalLM"}
    config.update(model_type=kind, architectures=[names[kind]], hidden_size=hidden, intermediate_size=mlp,
                  num_hidden_layers=layers, num_attention_heads=heads, num_key_value_heads=kv, head_dim=wide,
                  tie_word_embeddings=tied)
    shapes = {"model.embed_tokens.weight": (vocabulary, hidden), "model.norm.weight": (hidden,)}
    if not tied:
        shapes["lm_head.weight"] = (vocabulary, hidden)
    for i in range(layers):
        p = f"model.layers.{i}."
        shapes |= {p + "input_layernorm.weight": (hidden,), p + "post_attention_layernorm.weight": (hidden,),
                   p + "mlp.gate_proj.weight": (mlp, hidden), p + "mlp.up_proj.weight": (mlp, hidden),
                   p + "mlp.down_proj.weight": (hidden, mlp), p + "self_attn.o_proj.weight": (hidden, hidden)}
        for part, rows in (("q", hidden), ("k", kv * wide), ("v", kv * wide)):
            shapes[p + f"self_attn.{part}_proj.weight"] = (rows, hidden)
            if kind == "qwen2":
                shapes[p + f"self_attn.{part}_proj.bias"] = (rows,)
    header, data, random = {}, [], numpy.random.default_rng(1)
    place = 0
    for name, size in shapes.items():
        bytes_ = (random.standard_normal(size) * 0.02).astype(numpy.float16).tobytes()
        header[name] = {"dtype": "F16", "shape": list(size), "data_offsets": [place, place + len(bytes_)]}
        place += len(bytes_)
        data.append(bytes_)
    text = json.dumps(header).encode()
    folder.mkdir()
    (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + b"".join(data))
    (folder / "config.json").write_text(json.dumps(config))
    for name in ("tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_bytes((DEMO / name).read_bytes())


def check(label, theirs, ours, failures):
    if theirs is None:
        print(f"{label}: refused by llama.cpp")
        return
    wrong = differences(theirs, ours)
    print(f"{label}: {'equal' if not wrong else f'{len(wrong)} tensors differ'}")
    for line in wrong[:4]:
        print("  ", line)
    failures.extend([label] if wrong else [])


def check_shapes(program, library, titles, failures):
    override = (TensorType * 2)(TensorType(b"blk\\.[01]\\.(attn_v|ffn_down)", 8))  # Q8_0
    for title in titles:
        shape = SHAPES[title]
        with tempfile.TemporaryDirectory() as temporary:
            folder = Path(temporary)
            write_model(folder / "model", shape)
            base, out = folder / "base.gguf", folder / "out.gguf"
            subprocess.run([program, "quantize", folder / "model", base, "-q", "--type", "Q8_0", "--mix", "--method",
                            "rtn"], check=True, stdout=subprocess.DEVNULL)
            for name, number in MIXES.items():
                if shape[3] == 80 and name not in LARGE:
                    continue
                for weighted in (False,) if shape[3] == 80 else (False, True):
                    method = ["--method", "gptq" if weighted else "rtn"]
                    ours = nibble_types(program, folder / "model", ["--type", name, "--mix", *method])
                    check(f"{title}, {name}{', importance' if weighted else ''}",
                          llama_types(library, base, out, number, weighted, {}), ours, failures)
            for name, changes, words in (
                    ("Q4_K_M", {"pure": True}, ["--pure"]),
                    ("Q4_K_M", {"tensor_types": ctypes.addressof(override)},
                     ["--tensor-type", "blk\\.[01]\\.(attn_v|ffn_down)=Q8_0"]),
                    ("Q3_K_M", {"output_type": 1}, ["--output-tensor-type", "F16"]),
                    ("Q3_K_M", {"embedding_type": 8}, ["--token-embedding-type", "q8_0"])):
                ours = nibble_types(program, folder / "model", ["--type", name, "--method", "rtn", *words])
                check(f"{title}, {name} {' '.join(words)}",
                      llama_types(library, base, out, MIXES[name], False, changes), ours, failures)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nibble")
    parser.add_argument("--llama", type=Path)
    parser.add_argument("--shape", choices=SHAPES, action="append", help="with --llama; default: all")
    parser.add_argument("--file", nargs=4, action="append", default=[], metavar=("MODEL", "FILE", "TYPE", "METHOD"))
    options = parser.parse_args()
    failures = []
    for model, path, kind, method in options.file:
        theirs = {name: found for name, (found, _) in tensors_of(path).items()}
        ours = nibble_types(options.nibble, model, ["--type", kind, "--mix", "--method", method])
        check(f"{Path(path).name}, {kind}", theirs, ours, failures)
    if options.llama:
        check_shapes(options.nibble, load_llama(options.llama), options.shape or SHAPES, failures)
    sys.exit(f"{len(failures)} comparisons differ" if failures else 0)


if __name__ == "__main__":
    main()
