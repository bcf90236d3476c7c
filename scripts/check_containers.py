#!/usr/bin/env python3
"""Writes a model in each container, and compares what its own readers compute with what nibble computes.

usage: check_containers.py NIBBLE MODEL [--file TEXT] [--windows 2] [--only WORD]
needs: pip install torch transformers safetensors; compressed-tensors for its folders, gptqmodel and optimum for AWQ's

Two ways, each with a perplexity in float32 over windows of 512 tokens (nibble's protocol gptq-512):
  unpacked  weights by the package's own unpacking, in the original model: tells of the container alone
  loaded    transformers loads the folder: tells of config.json too
Ends with 1 when a perplexity differs from nibble's by more than 1e-3, or by more than is said beside a case.
"""
import argparse
import importlib.util
import json
import logging
import math
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import torch
import transformers
from safetensors import safe_open

TOLERANCE = 1e-3
# Readers of int-quantized round the inputs of each token to 8 bits; nibble's perplexity leaves them exact.
ROUNDED_INPUTS = 5e-3
WINDOW = 512
# Float codes are decoded in bfloat16, and inputs of fp8 rounded to 3 bits of mantissa.
BFLOAT16, FLOAT_INPUTS = 1e-2, 3e-2
# Why a reader does not load a folder that is right: seen with folders that the package made itself.
PACKED_ZEROS = "compressed-tensors 0.20.0 expects zeros that are not packed"

# name, arguments of nibble quantize, packages, tolerance of what is loaded, why it may be refused
CT, AWQ = ["--layout", "compressed-tensors"], ["--layout", "awq"]
CASES = [
    ("ct 4:128", CT, ["compressed_tensors"], TOLERANCE, None),
    ("ct 4:128 asym", CT + ["--asym"], ["compressed_tensors"], TOLERANCE, PACKED_ZEROS),
    ("ct 2:32", CT + ["--grid", "int2", "--group-size", "32"], ["compressed_tensors"], TOLERANCE, None),
    ("ct 3:128", CT + ["--grid", "int3"], ["compressed_tensors"], TOLERANCE, None),
    ("ct 3:64 asym", CT + ["--grid", "int3", "--group-size", "64", "--asym"], ["compressed_tensors"], TOLERANCE,
     PACKED_ZEROS),
    ("ct 5:128", CT + ["--grid", "int5"], ["compressed_tensors"], TOLERANCE, None),
    ("ct 6 by row", CT + ["--grid", "int6", "--group-size", "-1"], ["compressed_tensors"], TOLERANCE, None),
    ("ct 8:128", CT + ["--grid", "int8"], ["compressed_tensors"], TOLERANCE, None),
    ("ct mixed", CT + ["--override", "down_proj=int8:64", "--skip", "layers.0.mlp.up"], ["compressed_tensors"],
     TOLERANCE, None),
    ("ct int-quantized", CT + ["--checkpoint-format", "int-quantized"], ["compressed_tensors"], ROUNDED_INPUTS, None),
    ("ct fp8", CT + ["--grid", "fp8"], ["compressed_tensors"], FLOAT_INPUTS, None),
    ("ct fp8 blocks", CT + ["--checkpoint-format", "float-blocks"], ["compressed_tensors"], FLOAT_INPUTS, None),
    ("ct mxfp4", CT + ["--grid", "mxfp4"], ["compressed_tensors"], BFLOAT16, None),
    ("ct nvfp4", CT + ["--grid", "nvfp4"], ["compressed_tensors"], BFLOAT16, None),
    ("ct nvfp4 and fp8", CT + ["--grid", "nvfp4", "--override", "down_proj=fp8:-1"], ["compressed_tensors"],
     FLOAT_INPUTS, None),
    ("fp8", ["--layout", "fp8"], ["accelerate"], BFLOAT16, None),
    ("awq 4:128", AWQ + ["--asym"], ["gptqmodel", "optimum"], TOLERANCE, None),
    ("awq 4:64 sym", AWQ + ["--group-size", "64"], ["gptqmodel", "optimum"], TOLERANCE, None),
]


def nibble(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"nibble {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


@torch.no_grad()
def perplexity(model, ids, windows):
    total = 0.0
    for window in range(windows):
        part = torch.tensor([ids[window * WINDOW:(window + 1) * WINDOW]])
        logits = model.eval()(part).logits[0].double()
        total += torch.nn.functional.cross_entropy(logits[:-1], part[0, 1:], reduction="sum").item()
    return math.exp(total / (windows * (WINDOW - 1)))


def load(folder, dtype=torch.float32):
    return transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=dtype)


def tensors_of(folder):
    tensors = {}
    for path in sorted(Path(folder).glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            tensors.update({name: file.get_tensor(name) for name in file.keys()})
    return tensors


def unpacked_compressed(folder, tensors):
    """Module -> weight, by compressed-tensors; which scheme a module has is looked up here."""
    from compressed_tensors.compressors import BaseCompressor
    from compressed_tensors.quantization import QuantizationConfig
    config = QuantizationConfig.model_validate(
        json.loads((Path(folder) / "config.json").read_text())["quantization_config"])
    by_target = {target: group for group in config.config_groups.values() for target in group.targets}
    for name in [name for name in tensors if name.endswith(".weight_scale")]:
        module = name.removesuffix(".weight_scale")
        state = {key[len(module) + 1:]: value for key, value in tensors.items() if key.startswith(module + ".")}
        state["weight_scale"] = state["weight_scale"].float()
        scheme = by_target.get(module, by_target["Linear"])
        compressor = BaseCompressor.get_value_from_registry(scheme.format or config.format)
        yield module, compressor.decompress(state, scheme)["weight"]


def unpacked_fp8(folder, tensors):
    """Module -> weight: blocks of 128 x 128 cut short at the ends, each with its scale."""
    for name in [name for name in tensors if name.endswith(".weight_scale_inv")]:
        module = name.removesuffix(".weight_scale_inv")
        weight, scales = tensors[module + ".weight"].float(), tensors[name].float()
        rows, columns = (torch.arange(size) // 128 for size in weight.shape)
        yield module, weight * scales[rows][:, columns]


def unpacked_awq(folder, tensors):
    """Module -> weight: every nibble put where AutoAWQ's order says, in no way as nibble does it."""
    config = json.loads((Path(folder) / "config.json").read_text())["quantization_config"]
    order = [0, 2, 4, 6, 1, 3, 5, 7]

    def fields(words):
        result = torch.empty(words.shape[0], words.shape[1] * 8)
        for place, output in enumerate(order):
            result[:, output::8] = ((words.long() >> (4 * place)) & 15).float()
        return result

    for name in [name for name in tensors if name.endswith(".qweight")]:
        module = name.removesuffix(".qweight")
        codes, zeros = fields(tensors[name]), fields(tensors[module + ".qzeros"])
        size = codes.shape[0] if config["group_size"] == -1 else config["group_size"]
        scales = tensors[module + ".scales"].float()
        group = torch.arange(codes.shape[0]) // size
        yield module, ((codes - zeros[group]) * scales[group]).T


def unpacked(folder, base):
    tensors = tensors_of(folder)
    quantized = json.loads((Path(folder) / "config.json").read_text())["quantization_config"]["quant_method"]
    unpack = {"awq": unpacked_awq, "fp8": unpacked_fp8}.get(quantized, unpacked_compressed)
    model = load(base)
    with torch.no_grad():
        for module, weight in unpack(folder, tensors):
            model.get_submodule(module).weight.copy_(weight)
    return model


def judged(value, expected, tolerance):
    difference = abs(value / expected - 1)
    return f"{value:.5f} ({difference:.0e})", difference <= tolerance


def run(case, arguments, ids, folder):
    name, options, packages, tolerance, refusal = case
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if name.startswith("ct") and missing:
        return ["skipped: no " + ", ".join(missing)], True
    nibble(arguments.nibble, "quantize", arguments.model, folder, "--method", "rtn", *options)
    nibble(arguments.nibble, "verify", folder)
    expected = json.loads(nibble(arguments.nibble, "perplexity", folder, "--file", arguments.file, "--protocol",
                                 f"gptq-{WINDOW}", "--windows", arguments.windows, "--json"))["perplexity"]
    text, right = judged(perplexity(unpacked(folder, arguments.model), ids, arguments.windows), expected, TOLERANCE)
    columns = [f"{expected:.5f}", text]
    if missing:
        return columns + ["skipped: no " + ", ".join(missing)], right
    try:
        model = load(folder, torch.bfloat16 if tolerance >= BFLOAT16 else torch.float32)
    except Exception as problem:  # whatever a reader throws
        return columns + [f"refused: {refusal or problem}"], right and refusal is not None
    text, also = judged(perplexity(model, ids, arguments.windows), expected, tolerance)
    return columns + [text], right and also


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nibble")
    parser.add_argument("model")
    parser.add_argument("--file")
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    arguments.file = arguments.file or str(Path(arguments.model) / "sample.txt")
    transformers.logging.set_verbosity(logging.CRITICAL)
    transformers.logging.disable_progress_bar()
    warnings.filterwarnings("ignore")
    text = Path(arguments.file).read_text(encoding="utf-8")
    ids = transformers.AutoTokenizer.from_pretrained(arguments.model)(text, add_special_tokens=False).input_ids
    if len(ids) < arguments.windows * WINDOW:
        sys.exit(f"{arguments.file} has {len(ids)} tokens; {arguments.windows} windows need more")
    print(f"{'case':18} {'nibble':>9}  {'unpacked':20}  loaded by transformers")
    wrong = 0
    for case in CASES:
        if arguments.only not in case[0]:
            continue
        with tempfile.TemporaryDirectory() as folder:
            columns, right = run(case, arguments, ids, Path(folder) / "out")
        wrong += not right
        columns += [""] * (3 - len(columns))
        print(f"{case[0]:18} {columns[0]:>9}  {columns[1]:20}  {columns[2]}{'' if right else '  WRONG'}", flush=True)
    print("all right" if wrong == 0 else f"{wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
