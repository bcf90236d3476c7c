#!/usr/bin/env python3
"""Lets each package write a model in its own form, and compares what nibble reads with what the package computes.

usage: check_peers.py NIBBLE MODEL [--file TEXT] [--windows 2] [--only WORD]
needs: pip install torch transformers safetensors, and of these packages what is there:
bitsandbytes with accelerate, auto-round, mlx (mlx[cpu] where there is no Metal) with mlx-lm,
torchao

Three ways; a perplexity is in float32 over windows of 512 tokens (nibble's protocol gptq-512):
  weights   of the folder, unpacked by the package or by its published rule, beside nibble's (nibble diff): what
            differs at all, and the largest error of a layer, RMS relative to its weights
  unpacked  perplexity of the original model with these weights
  peer      the package, or transformers by its help, loads the folder and runs it
Ends with 1 when one differs from nibble's by more than is said beside a case.
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

import check_containers as containers

UNPACKED = 1e-6
WEIGHTS = 2e-7  # a rounding of float32
# Their kernels compute in float16 or bfloat16.
HALF = 2e-3
SINGLE = 1e-5
# LLM.int8 rounds inputs to bytes.
ROUNDED_INPUTS = 5e-3


def made_by_bitsandbytes(base, folder, **options):
    config = transformers.BitsAndBytesConfig(**options)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, quantization_config=config, dtype=torch.float32)
    model.save_pretrained(folder)


def made_by_auto_round(base, folder, export, **options):
    """Rounds to nearest, without data; returns the folder inside that it chose."""
    from auto_round import AutoRound
    rounder = AutoRound(str(base), iters=0, disable_opt_rtn=True, device_map="cpu", **options)
    rounder.quantize_and_save(str(folder), format=export)
    return next(path.parent for path in sorted(Path(folder).rglob("config.json")))


def made_by_mlx(base, folder, **options):
    import mlx_lm
    mlx_lm.convert(str(base), mlx_path=str(folder), quantize=True, **options)


def made_by_torchao(base, folder, kind, **options):
    from torchao import quantization
    from torchao.quantization.quant_primitives import MappingType
    for key, value in options.items():
        if key.endswith("granularity"):
            options[key] = quantization.PerGroup(value)
        if key == "mapping_type":
            options[key] = MappingType[value]
    config = transformers.TorchAoConfig(getattr(quantization, kind)(**options))
    model = transformers.AutoModelForCausalLM.from_pretrained(base, quantization_config=config, dtype=torch.float32)
    model.save_pretrained(folder)


def mixed(path, _module, *_):
    if "layers.1.mlp.down" in path:
        return False
    return {"bits": 8, "group_size": 32} if "v_proj" in path else True


def unpacked_gptq(tensors, settings_of, plus_one):
    """Module -> weight: every field taken out of its stream bit by bit, in no way as nibble does it."""
    def fields(words, bits):  # along the first axis
        stream = (words.long()[:, None, :] >> torch.arange(32)[None, :, None]) & 1
        stream = stream.reshape(-1, words.shape[1])
        stream = stream[:stream.shape[0] // bits * bits].reshape(-1, bits, words.shape[1])
        return (stream << torch.arange(bits)[None, :, None]).sum(1).float()

    for name in [name for name in tensors if name.endswith(".qweight")]:
        module = name.removesuffix(".qweight")
        bits, size = settings_of(module)
        codes, scales = fields(tensors[name], bits), tensors[module + ".scales"].float()
        zeros = (fields(tensors[module + ".qzeros"].T.contiguous(), bits).T + plus_one) % 2 ** bits
        group = torch.arange(codes.shape[0]) // (codes.shape[0] if size == -1 else size)
        yield module, ((codes - zeros[group]) * scales[group]).T


def unpacked_auto_round(folder, tensors):
    config = json.loads((Path(folder) / "config.json").read_text())["quantization_config"]
    extra = config.get("extra_config", {})

    def settings_of(module):
        own = next((value for key, value in extra.items() if key == module or key in module), {})
        return own.get("bits", config["bits"]), own.get("group_size", config["group_size"])

    if "awq" in config["packing_format"]:
        return containers.unpacked_awq(folder, tensors)
    return unpacked_gptq(tensors, settings_of, 1 if "auto_gptq" in config["packing_format"] else 0)


containers.UNPACK |= {"auto-round": unpacked_auto_round}

# name, package, how it is made, tolerance of the peer
CASES = [
    ("bitsandbytes nf4", "bitsandbytes", made_by_bitsandbytes,
     {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, HALF),
    ("bitsandbytes fp4", "bitsandbytes", made_by_bitsandbytes,
     {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4"}, HALF),
    ("bitsandbytes fp4 double", "bitsandbytes", made_by_bitsandbytes,
     {"load_in_4bit": True, "bnb_4bit_quant_type": "fp4", "bnb_4bit_use_double_quant": True}, HALF),
    ("bitsandbytes int8", "bitsandbytes", made_by_bitsandbytes, {"load_in_8bit": True}, ROUNDED_INPUTS),
    ("auto-round 4 sym", "auto_round", made_by_auto_round, {"export": "auto_round", "scheme": "W4A16"}, HALF),
    ("auto-round 4:64 asym", "auto_round", made_by_auto_round,
     {"export": "auto_round", "bits": 4, "group_size": 64, "sym": False}, HALF),
    ("auto-round 3 sym", "auto_round", made_by_auto_round,
     {"export": "auto_round", "bits": 3, "group_size": 128, "sym": True}, HALF),
    ("auto-round 2:32 asym", "auto_round", made_by_auto_round,
     {"export": "auto_round", "bits": 2, "group_size": 32, "sym": False}, HALF),
    ("auto-round mixed", "auto_round", made_by_auto_round,
     {"export": "auto_round", "bits": 4, "group_size": 128, "sym": True,
      "layer_config": {"model.layers.0.mlp.up_proj": {"bits": 8}, "model.layers.1.mlp.down_proj": {"bits": 16},
                       "v_proj": {"bits": 2, "group_size": 64}}}, HALF),
    ("auto-round awq asym", "auto_round", made_by_auto_round,
     {"export": "auto_round:auto_awq", "bits": 4, "group_size": 128, "sym": False}, HALF),
    ("mlx 4:64", "mlx_lm", made_by_mlx, {"q_bits": 4, "q_group_size": 64}, SINGLE),
    ("mlx 2:32", "mlx_lm", made_by_mlx, {"q_bits": 2, "q_group_size": 32}, SINGLE),
    ("mlx 3:64", "mlx_lm", made_by_mlx, {"q_bits": 3, "q_group_size": 64}, SINGLE),
    ("mlx 5:128", "mlx_lm", made_by_mlx, {"q_bits": 5, "q_group_size": 128}, SINGLE),
    ("mlx 6:64 float16", "mlx_lm", made_by_mlx, {"q_bits": 6, "q_group_size": 64, "dtype": "float16"}, SINGLE),
    ("mlx 8:64 float32", "mlx_lm", made_by_mlx, {"q_bits": 8, "q_group_size": 64, "dtype": "float32"}, SINGLE),
    ("mlx mixed", "mlx_lm", made_by_mlx, {"q_bits": 4, "q_group_size": 64, "quant_predicate": mixed}, SINGLE),
    ("torchao int8", "torchao", made_by_torchao, {"kind": "Int8WeightOnlyConfig", "version": 2}, SINGLE),
    ("torchao int4:32", "torchao", made_by_torchao,
     {"kind": "IntxWeightOnlyConfig", "weight_dtype": torch.int4, "granularity": 32}, SINGLE),
    ("torchao int3:64 asym", "torchao", made_by_torchao,
     {"kind": "IntxWeightOnlyConfig", "weight_dtype": torch.int3, "granularity": 64, "mapping_type": "ASYMMETRIC"},
     SINGLE),
    ("torchao 8da4w:32", "torchao", made_by_torchao,
     {"kind": "Int8DynamicActivationIntxWeightConfig", "weight_dtype": torch.int4, "weight_granularity": 32},
     ROUNDED_INPUTS),
]


def weights_beside(program, model, folder, float_folder):
    model.save_pretrained(float_folder)
    done = subprocess.run([program, "diff", str(float_folder), str(folder), "--json"], capture_output=True, text=True)
    if done.returncode not in (0, 5):
        sys.exit(f"nibble diff: {done.stderr}")
    parts = json.loads(done.stdout)["parts"]
    unequal = sum(part["unequal"] for part in parts) / sum(part["weights"] for part in parts)
    worst = max(math.sqrt(part["relative_squared"]) for part in parts)
    return f"{unequal:.0%}, {worst:.0e}", worst <= WEIGHTS


def run(case, arguments, ids, folder):
    name, package, make, options, tolerance = case
    if importlib.util.find_spec(package) is None:
        return ["skipped: no " + package], True
    folder = make(arguments.model, folder, **options) or folder
    for path in Path(arguments.model).glob("tokenizer*"):
        (Path(folder) / path.name).write_bytes(path.read_bytes())
    expected = json.loads(containers.nibble(
        arguments.nibble, "perplexity", folder, "--file", arguments.file, "--protocol", f"gptq-{containers.WINDOW}",
        "--windows", arguments.windows, "--json"))["perplexity"]
    model = containers.unpacked(folder, arguments.model)
    weights, alike = weights_beside(arguments.nibble, model, folder, Path(folder) / "float")
    text, right = containers.judged(containers.perplexity(model, ids, arguments.windows), expected, UNPACKED)
    if make is made_by_mlx:
        loaded = containers.perplexity_of_mlx(folder, ids, arguments.windows)
    else:
        loaded = containers.perplexity(containers.load(folder), ids, arguments.windows)
    peer, also = containers.judged(loaded, expected, tolerance)
    return [f"{expected:.5f}", weights, text, peer], alike and right and also


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
    print(f"{'case':24} {'nibble':>9}  {'weights':12} {'unpacked':20}  peer")
    wrong = 0
    for case in CASES:
        if arguments.only not in case[0]:
            continue
        with tempfile.TemporaryDirectory() as folder:
            columns, right = run(case, arguments, ids, Path(folder) / "out")
        wrong += not right
        columns += [""] * (4 - len(columns))
        print(f"{case[0]:24} {columns[0]:>9}  {columns[1]:12} {columns[2]:20}  {columns[3]}"
              f"{'' if right else '  WRONG'}", flush=True)
    print("all right" if wrong == 0 else f"{wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
