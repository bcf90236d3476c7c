#!/usr/bin/env python3
"""Writes a model in each container, and compares what its own readers compute with what nibble computes.

usage: check_containers.py NIBBLE MODEL [--file TEXT] [--windows 2] [--only WORD]
needs: pip install torch transformers safetensors; compressed-tensors for its folders, gptqmodel and optimum for AWQ's,
bitsandbytes and accelerate, hqq, mlx (mlx[cpu] where there is no Metal) and mlx-lm

Two ways, each with a perplexity in float32 over windows of 512 tokens (nibble's protocol gptq-512):
  unpacked  weights by the package's own unpacking, in the original model: tells of the container alone
  loaded    transformers loads the folder, MLX's mlx_lm: tells of config.json too
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

import numpy
import torch
import transformers
from safetensors import safe_open

TOLERANCE = 1e-3
SINGLE = 1e-5
# Readers of int-quantized round the inputs of each token to 8 bits; nibble's perplexity leaves them exact.
ROUNDED_INPUTS = 5e-3
WINDOW = 512
# Float codes are decoded in bfloat16, and inputs of fp8 rounded to 3 bits of mantissa.
BFLOAT16, FLOAT_INPUTS = 1e-2, 3e-2
# Why a reader does not load a folder that is right: seen with folders that the package made itself.
PACKED_ZEROS = "compressed-tensors 0.20.0 expects zeros that are not packed"

# Not even refused: it takes random weights.
NO_HQQ = "transformers 5.24.0 reads no HQQ"
# bitsandbytes computes its 4-bit products in bfloat16 on a CPU.
HALF_INSIDE = 3e-3

# name, arguments of nibble quantize, packages, tolerance of what is loaded, why it may be refused
CT, AWQ, HQQ = ["--layout", "compressed-tensors"], ["--layout", "awq"], ["--layout", "hqq"]
MLX, TORCHAO = ["--layout", "mlx"], ["--layout", "torchao"]
BNB, BNB8 = ["--layout", "bitsandbytes"], ["--layout", "bitsandbytes-int8"]
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
    ("bnb nf4", BNB + ["--grid", "nf4"], ["bitsandbytes"], HALF_INSIDE, None),
    ("bnb nf4 double", BNB + ["--grid", "nf4", "--checkpoint-format", "double"], ["bitsandbytes"], HALF_INSIDE, None),
    ("bnb fp4", BNB + ["--grid", "fp4"], ["bitsandbytes"], HALF_INSIDE, None),
    ("bnb fp4 double", BNB + ["--grid", "fp4", "--checkpoint-format", "double"], ["bitsandbytes"], HALF_INSIDE, None),
    ("bnb fp4 as theirs", BNB + ["--grid", "fp4", "--scales", "absmax"], ["bitsandbytes"], HALF_INSIDE, None),
    ("bnb int8", BNB8, ["bitsandbytes"], ROUNDED_INPUTS, None),
    ("bnb int8 absmax", BNB8 + ["--scales", "absmax", "--skip", "layers.0.mlp.up"], ["bitsandbytes"], ROUNDED_INPUTS,
     None),
    ("hqq 2:32", HQQ + ["--grid", "int2", "--group-size", "32", "--method", "hqq"], ["hqq"], TOLERANCE, NO_HQQ),
    ("hqq 3:64", HQQ + ["--grid", "int3", "--method", "hqq"], ["hqq"], TOLERANCE, NO_HQQ),
    ("hqq 4:64", HQQ + ["--method", "hqq"], ["hqq"], TOLERANCE, NO_HQQ),
    ("hqq 4:128 sym", HQQ + ["--group-size", "128"], ["hqq"], TOLERANCE, NO_HQQ),
    ("hqq 5, 6, 8", HQQ + ["--grid", "int5", "--override", "down_proj=int6:64", "--override", "up_proj=int8:64"], ["hqq"],
     TOLERANCE, NO_HQQ),
    ("mlx 4:64", MLX, ["mlx_lm"], SINGLE, None),
    ("mlx 4:64 asym", MLX + ["--asym"], ["mlx_lm"], SINGLE, None),
    ("mlx 2:32 asym", MLX + ["--grid", "int2", "--group-size", "32", "--asym"], ["mlx_lm"], SINGLE, None),
    ("mlx 3:64", MLX + ["--grid", "int3"], ["mlx_lm"], SINGLE, None),
    ("mlx mixed", MLX + ["--grid", "int5", "--override", "down_proj=int6:128", "--override", "up_proj=int8:32", "--skip",
                         "layers.0.mlp.gate"], ["mlx_lm"], SINGLE, None),
    ("torchao 4:128", TORCHAO, ["torchao"], BFLOAT16, None),
    ("torchao 4:32 asym", TORCHAO + ["--group-size", "32", "--asym"], ["torchao"], BFLOAT16, None),
    ("torchao 2:32", TORCHAO + ["--grid", "int2", "--group-size", "32"], ["torchao"], BFLOAT16, None),
    ("torchao 3:64, in shards", TORCHAO + ["--grid", "int3", "--group-size", "64", "--max-shard-size", "1MB"], ["torchao"],
     BFLOAT16, None),
    ("torchao 8 by row", TORCHAO + ["--grid", "int8", "--group-size", "-1"], ["torchao"], BFLOAT16, None),
    ("torchao 5, two groups", TORCHAO + ["--grid", "int5", "--override", "down_proj=int5:64", "--skip",
                                          "layers.0.mlp.gate"], ["torchao"], BFLOAT16, None),
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


def unpacked_torchao(folder, _tensors):
    """Module -> weight: loaded by transformers, which checks what the file says of each tensor; dense in float32."""
    from torchao.quantization.quant_primitives import dequantize_affine
    for name, module in load(folder, "auto").named_modules():
        weight = getattr(module, "weight", None)
        if hasattr(weight, "qdata"):
            yield name, dequantize_affine(weight.qdata, weight.block_size, weight.scale.float(), weight.zero_point, torch.int8,
                                          -128, 127, output_dtype=torch.float32)


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


def parts_of(tensors, module):
    return {name[len(module) + 1:]: value for name, value in tensors.items() if name.startswith(module + ".")}


def unpacked_bitsandbytes(folder, tensors):
    """Module -> weight, by bitsandbytes from its own state; 8 bits by its published rule."""
    from bitsandbytes import functional
    for name in [name for name in tensors if name.endswith((".weight.quant_map", ".SCB"))]:
        module = name.removesuffix(".SCB").removesuffix(".weight.quant_map")
        parts = parts_of(tensors, module)
        if "SCB" in parts:
            yield module, parts["weight"].float() * parts["SCB"][:, None] / 127
            continue
        state = {key.removeprefix("weight."): value for key, value in parts.items() if key != "weight"}
        state = functional.QuantState.from_dict(state, device="cpu")
        state.dtype = torch.float32
        yield module, functional.dequantize_4bit(parts["weight"], state)


def unpacked_hqq(folder, tensors):
    """Module -> weight: loaded and unpacked by the library; its product in float32, not in the type it computes in."""
    from hqq.core.quantize import HQQLinear, Quantizer
    for name in [name for name in tensors if name.endswith(".W_q")]:
        module = name.removesuffix(".W_q")
        dtype = tensors[module + ".scale"].dtype
        layer = HQQLinear(None, None, compute_dtype=dtype, device="cpu", initialize=False)
        layer.load_state_dict(parts_of(tensors, module))
        meta = layer.meta | {"compute_dtype": torch.float32, "scale": layer.meta["scale"].float(),
                             "zero": layer.meta["zero"].float()}
        weight = Quantizer.dequantize(layer.W_q, meta)
        if not torch.allclose(layer.dequantize().float(), weight, atol=2 ** -6 * weight.abs().max().item()):
            raise ValueError(f"{module}: the library's own weights are others")
        yield module, weight


def unpacked_mlx(folder, tensors):
    """Module -> weight, by mx.dequantize with its scales widened to float32, which loses nothing."""
    import mlx.core as mx
    config = json.loads((Path(folder) / "config.json").read_text())["quantization"]
    arrays = {}
    for path in sorted(Path(folder).glob("*.safetensors")):
        arrays.update(mx.load(str(path)))
    for name in [name for name in arrays if name.endswith(".biases")]:
        module = name.removesuffix(".biases")
        own = config.get(module, config)
        weight = mx.dequantize(arrays[module + ".weight"], arrays[module + ".scales"].astype(mx.float32),
                               arrays[name].astype(mx.float32), own["group_size"], own["bits"])
        yield module, torch.from_numpy(numpy.array(weight))


def perplexity_of_mlx(folder, ids, windows):
    """By its own quantized products, in float32."""
    import mlx.core as mx
    import mlx_lm
    model = mlx_lm.load(str(folder))[0]
    model.set_dtype(mx.float32)
    total = 0.0
    for window in range(windows):
        part = ids[window * WINDOW:(window + 1) * WINDOW]
        logits = torch.from_numpy(numpy.array(model(mx.array([part]))[0])).double()
        total += torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(part[1:]), reduction="sum").item()
    return math.exp(total / (windows * (WINDOW - 1)))


UNPACK = {"awq": unpacked_awq, "compressed-tensors": unpacked_compressed, "bitsandbytes": unpacked_bitsandbytes,
          "hqq": unpacked_hqq, "fp8": unpacked_fp8, "torchao": unpacked_torchao,
          None: unpacked_mlx}


def unpacked(folder, base):
    tensors = tensors_of(folder)
    unpack = UNPACK[json.loads((Path(folder) / "config.json").read_text())["quantization_config"].get("quant_method")]
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
    if missing and not name.startswith("awq"):
        return ["skipped: no " + ", ".join(missing)], True
    method = [] if "--method" in options else ["--method", "rtn"]
    nibble(arguments.nibble, "quantize", arguments.model, folder, *method, *options)
    nibble(arguments.nibble, "verify", folder)
    expected = json.loads(nibble(arguments.nibble, "perplexity", folder, "--file", arguments.file, "--protocol",
                                 f"gptq-{WINDOW}", "--windows", arguments.windows, "--json"))["perplexity"]
    text, right = judged(perplexity(unpacked(folder, arguments.model), ids, arguments.windows), expected, TOLERANCE)
    columns = [f"{expected:.5f}", text]
    if missing:
        return columns + ["skipped: no " + ", ".join(missing)], right
    if refusal == NO_HQQ:
        return columns + [f"not loaded: {refusal}"], right
    if name.startswith("mlx"):
        text, also = judged(perplexity_of_mlx(folder, ids, arguments.windows), expected, tolerance)
        return columns + [text], right and also
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
