#!/usr/bin/env python3
"""Compares what nibble makes of a GGUF file with what llama.cpp and transformers make of it.

usage: check_gguf_source.py NIBBLE FILE.gguf... [--llama FOLDER] [--text FILE] [--hf] [--cuts]
needs: numpy, gguf; with --hf also torch and transformers, and files of F32, F16 or BF16. With --llama, a folder with
libllama.so (check_gguf_mixes.py), each file is quantized by it to every mix: names, order and types of the tensors,
names, order, types and values of the metadata must be the same, and the bytes of what stays unquantized or becomes so.
With --hf the folder that `nibble convert` writes must give the logits (to 1e-4) that transformers' own reader of GGUF
gives, and the ids that nibble gives for every line of the text. With --cuts a byte-level file is given each name of
`tokenizer.ggml.pre` in turn: transformers must read the text as nibble reads it with the file.
"""
import argparse
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import gguf

import check_gguf_mixes as mixes

OWN = {"nibble.passport"}
PLAIN = {"F32": 0, "F16": 1, "BF16": 32}


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


def module_types(tensors):
    """By the names that plans have."""
    found = {}
    for name, kind in tensors.items():
        parts = name.split(".")
        module = {"token_embd": "embed_tokens", "output": "lm_head"}.get(parts[0])
        if parts[0] == "blk":
            module = f"model.layers.{parts[1]}.{mixes.MODULES.get(parts[2])}"
        found[module] = kind.name
    return found


def check_llama(program, library, path, failures):
    kept = {tensor.name: tensor.tensor_type for tensor in gguf.GGUFReader(path).tensors}
    for name, number in (mixes.MIXES | PLAIN).items():
        if name in ("Q1_0", "Q2_0", "NVFP4"):
            continue  # gguf's reader does not know these types
        with tempfile.TemporaryDirectory() as temporary:
            theirs, ours = Path(temporary) / "theirs.gguf", Path(temporary) / "ours.gguf"
            if mixes.llama_types(library, path, theirs, number, False, {}) is None:
                print(f"{path.name}, {name}: refused by llama.cpp")
                continue
            words = ["quantize", path, ours, "--type", name, "--method", "rtn", "--allow-requantize", "-q"]
            words += [] if name in PLAIN else ["--mix"]
            types = {kind.name for kind in kept.values()} - {"F32"}
            if name == "MXFP4_MOE" and types == {"Q8_0"}:
                continue  # Q8_0 under another number, and nothing to do
            if types == {name} and name not in PLAIN:
                words = ["convert", path, ours]  # nothing to do, which quantize says; llama.cpp writes a copy
            run(program, *words)
            # Plain numbers are rounded in one way only.
            exact = {tensor.name: tensor.tensor_type for tensor in gguf.GGUFReader(theirs).tensors}
            found = compare_files(theirs, ours, exact if name in PLAIN else kept)
            print(f"{path.name}, {name}: {'equal' if not found else '; '.join(found[:3])}")
            failures += [f"{path.name}, {name}"] if found else []
            if words[0] == "convert" or name in PLAIN:
                continue
            theirs = mixes.llama_types(library, path, theirs, number, True, {})
            ours = mixes.nibble_types(program, path,
                                      ["--type", name, "--mix", "--method", "gptq", "--allow-requantize"])
            # What is copied is in no plan.
            ours |= {name: kind for name, kind in module_types(kept).items() if name not in ours}
            mixes.check(f"{path.name}, {name}, importance", theirs, ours, failures)


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


def named_otherwise(path, cut, target):
    """The file under another name of how text is cut; what comes behind the header moves as a whole."""
    reader, data = gguf.GGUFReader(path), path.read_bytes()
    field = reader.fields["tokenizer.ggml.pre"]
    at = field.offset + sum(part.nbytes for part in field.parts[:3])  # behind length and text of the key, and the type
    length = int.from_bytes(data[at:at + 8], "little")
    last = max(reader.tensors, key=lambda tensor: tensor.field.offset).field
    end = last.offset + sum(part.nbytes for part in last.parts)
    head = data[:at] + len(cut).to_bytes(8, "little") + cut.encode() + data[at + 8 + length:end]
    target.write_bytes(head + bytes(-len(head) % reader.alignment) + data[reader.data_offset:])


def check_cuts(program, path, text, failures):
    import transformers

    table = (Path(__file__).resolve().parent.parent / "src/model/gguf/tokenizer.def").read_text()
    odd = "\nIT'S we'll 1234567 camelCase na\u00efve \u4f60\u597d e\u0301 \t\tx\n\n  \u00bd \u2167 \u00a0 $+<=>^~|`"
    with tempfile.TemporaryDirectory() as temporary:
        renamed, folder, part = (Path(temporary) / name for name in ("x.gguf", "folder", "text.txt"))
        part.write_text(text.read_text()[:100000] + odd)
        for cut in dict.fromkeys(re.findall(r'PRETOKENIZER\("([^"]+)"', table)):
            named_otherwise(path, cut, renamed)
            run(program, "convert", renamed, folder, "--force")
            ids = json.loads(run(program, "tokenize", renamed, "--file", part, "--json"))["ids"]
            same = ids == transformers.AutoTokenizer.from_pretrained(folder)(part.read_text())["input_ids"]
            print(f"{path.name} as {cut}: {'equal' if same else 'other ids'} ({len(ids)})")
            failures += [] if same else [f"{path.name} as {cut}"]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nibble")
    parser.add_argument("files", type=Path, nargs="+")
    parser.add_argument("--llama", type=Path)
    parser.add_argument("--text", type=Path, default=mixes.DEMO / "sample.txt")
    parser.add_argument("--hf", action="store_true")
    parser.add_argument("--cuts", action="store_true")
    options = parser.parse_args()
    failures = []
    library = mixes.load_llama(options.llama) if options.llama else None
    for path in options.files:
        if library:
            check_llama(options.nibble, library, path, failures)
        if options.hf:
            check_hf(options.nibble, path, options.text, failures)
        if options.cuts:
            check_cuts(options.nibble, path, options.text, failures)
    sys.exit(f"{len(failures)} comparisons differ" if failures else 0)


main()
