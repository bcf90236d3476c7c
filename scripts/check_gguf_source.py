#!/usr/bin/env python3
"""Compares what nibble makes of a GGUF file with what llama.cpp and transformers make of it.

usage: check_gguf_source.py NIBBLE FILE.gguf... [--llama FOLDER] [--text FILE] [--hf]
needs: numpy, gguf; with --hf also torch and transformers, and files of F32, F16 or BF16. With --llama, a folder with
libllama.so (check_gguf_mixes.py), each file is quantized by it to every mix: names, order and types of the tensors,
names, order, types and values of the metadata must be the same, and the bytes of what stays unquantized.
With --hf the folder that `nibble convert` writes must give the logits (to 1e-4) that transformers' own reader of GGUF
gives, and the ids that nibble gives for every line of the text.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf

import check_gguf_mixes as mixes

OWN = {"nibble.passport"}


def pairs_of(reader):
    return [(name, [kind.name for kind in field.types], field.contents()) for name, field in reader.fields.items()
            if not name.startswith("GGUF.") and name not in OWN]


def compare_files(theirs, ours, kept):
    """What differs: in the metadata, in the list of tensors, in the bytes of what is as in `kept`."""
    found = []
    theirs, ours = gguf.GGUFReader(theirs), gguf.GGUFReader(ours)
    if pairs_of(theirs) != pairs_of(ours):
        names = [{pair[0] for pair in pairs_of(reader)} for reader in (theirs, ours)]
        found.append(f"metadata: {sorted(names[0] ^ names[1]) or 'order or values'}")
    lists = [[(tensor.name, tensor.tensor_type.name, list(tensor.shape)) for tensor in reader.tensors]
             for reader in (theirs, ours)]
    if lists[0] != lists[1]:
        found.append(f"tensors: {next((a, b) for a, b in zip(*lists) if a != b)}")
    for a, b in zip(theirs.tensors, ours.tensors):
        if a.tensor_type == b.tensor_type == kept.get(a.name) and a.data.tobytes() != b.data.tobytes():
            found.append(f"{a.name}: other bytes, though {a.tensor_type.name} before and after")
    return found


def run(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"nibble {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def check_llama(program, library, path, failures):
    kept = {tensor.name: tensor.tensor_type for tensor in gguf.GGUFReader(path).tensors}
    for name, number in mixes.MIXES.items():
        if name in ("Q1_0", "Q2_0", "NVFP4"):
            continue  # gguf's reader does not know these types
        with tempfile.TemporaryDirectory() as temporary:
            theirs, ours = Path(temporary) / "theirs.gguf", Path(temporary) / "ours.gguf"
            if mixes.llama_types(library, path, theirs, number, False, {}) is None:
                print(f"{path.name}, {name}: refused by llama.cpp")
                continue
            words = ["quantize", path, ours, "--type", name, "--mix", "--method", "rtn", "--allow-requantize", "-q"]
            if all(name in (kind.name, "MXFP4_MOE" if kind.name == "Q8_0" else "") or kind.name == "F32"
                   for kind in kept.values()):
                words = ["convert", path, ours]  # nothing to do, which quantize says; llama.cpp writes a copy
            run(program, *words)
            found = compare_files(theirs, ours, kept)
            print(f"{path.name}, {name}: {'equal' if not found else '; '.join(found[:3])}")
            failures += [f"{path.name}, {name}"] if found else []


def check_hf(program, path, text, failures):
    import torch
    import transformers

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "folder"
        run(program, "convert", path, folder)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        lines = [line for line in text.read_text().splitlines() if line.strip()][:2000]
        wrong = 0
        part = Path(temporary) / "line.txt"
        # One call for many lines: the ids of a line are those up to its end only where a line is a text of its own.
        for first in range(0, len(lines), 20):
            block = "\n".join(lines[first:first + 20])
            part.write_text(block)
            ids = json.loads(run(program, "tokenize", path, "--file", part, "--json"))["ids"]
            wrong += ids != tokenizer(block)["input_ids"]
        ids = torch.tensor([tokenizer(text.read_text()[:20000])["input_ids"][:256]])
        with torch.no_grad():
            ours = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()(ids).logits
            theirs = transformers.AutoModelForCausalLM.from_pretrained(
                path.parent, gguf_file=path.name, dtype=torch.float32).eval()(ids).logits
        away = (ours - theirs).abs().max().item()
        print(f"{path.name}: {len(lines)} lines, {wrong} blocks of 20 with other ids; logits at most {away:.2e} apart")
        failures += [path.name] if wrong or not away <= 1e-4 else []


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nibble")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--llama", type=Path)
    parser.add_argument("--text", type=Path, default=mixes.DEMO / "sample.txt")
    parser.add_argument("--hf", action="store_true")
    options = parser.parse_args()
    failures = []
    library = mixes.load_llama(options.llama) if options.llama else None
    for path in options.files:
        if library:
            check_llama(options.nibble, library, path, failures)
        if options.hf:
            check_hf(options.nibble, path, options.text, failures)
    sys.exit(f"{len(failures)} comparisons differ" if failures else 0)


main()
