#!/usr/bin/env python3
"""Measures a model's inputs once, writes it in every container from that, and prints what each costs.

usage: measure_outputs.py NIBBLE MODEL --calib TEXT --file TEXT [--samples 128] [--seq-len 512] [--windows 16]

Prints one table: bytes of the weights' files, mean KL divergence from the original over windows of 512 tokens, and
the seconds that writing took. What all outputs share, the calibration, stands above it with its own time.
"""
import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

CT = ["--layout", "compressed-tensors"]
# name, suffix of the output, arguments
OUTPUTS = [
    ("gptq, int4 in groups of 128", "", ["--layout", "gptq"]),
    ("gptq, int3", "", ["--layout", "gptq", "--grid", "int3"]),
    ("awq, int4 asymmetric, transform awq", "", ["--layout", "awq", "--asym", "--transform", "awq"]),
    ("compressed-tensors, int4", "", CT),
    ("compressed-tensors, W8A8, smoothquant", "", CT + ["--checkpoint-format", "int-quantized", "--transform", "smoothquant"]),
    ("compressed-tensors, fp8 by row", "", CT + ["--grid", "fp8"]),
    ("compressed-tensors, nvfp4", "", CT + ["--grid", "nvfp4"]),
    ("compressed-tensors, mxfp4", "", CT + ["--grid", "mxfp4"]),
    ("fp8 in blocks", "", ["--layout", "fp8"]),
    ("bitsandbytes, nf4 double", "", ["--layout", "bitsandbytes", "--grid", "nf4", "--checkpoint-format", "double"]),
    ("bitsandbytes, fp4", "", ["--layout", "bitsandbytes", "--grid", "fp4"]),
    ("bitsandbytes, int8", "", ["--layout", "bitsandbytes-int8"]),
    ("hqq, int4 asymmetric", "", ["--layout", "hqq", "--asym"]),
    ("mlx, int4 asymmetric", "", ["--layout", "mlx", "--asym"]),
    ("gguf, Q4_K_M", ".gguf", ["--type", "Q4_K_M"]),
    ("gguf, Q3_K_M", ".gguf", ["--type", "Q3_K_M"]),
    ("gguf, Q6_K", ".gguf", ["--type", "Q6_K"]),
    ("gguf, IQ4_XS", ".gguf", ["--type", "IQ4_XS"]),
    ("gguf, MXFP4", ".gguf", ["--type", "MXFP4"]),
]


def nibble(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"nibble {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nibble")
    parser.add_argument("model")
    parser.add_argument("--calib", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--samples", type=int, default=128)
    parser.add_argument("--seq-len", type=int, default=512)
    parser.add_argument("--windows", type=int, default=16)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        stats = pathlib.Path(scratch) / "stats.gguf"
        start = time.monotonic()
        nibble(args.nibble, "calibrate", args.model, stats, "--calib", args.calib, "--samples", args.samples, "--seq-len",
               args.seq_len)
        print(f"calibrated once: {time.monotonic() - start:.1f} s, {stats.stat().st_size / 2 ** 20:.1f} MiB\n")
        print("| output | MiB | mean KL | seconds |\n|---|---|---|---|")
        for number, (name, suffix, options) in enumerate(OUTPUTS):
            out = pathlib.Path(scratch) / f"out{number}{suffix}"
            start = time.monotonic()
            nibble(args.nibble, "quantize", args.model, out, "--stats", stats, *options)
            seconds = time.monotonic() - start
            nibble(args.nibble, "verify", out)
            files = [out] if suffix else list(out.glob("*.safetensors"))
            size = sum(file.stat().st_size for file in files)
            loss = json.loads(nibble(args.nibble, "compare", args.model, out, "--file", args.file, "--protocol", "gptq-512",
                                     "--windows", args.windows, "--json"))["mean_kl"]
            print(f"| {name} | {size / 2 ** 20:.1f} | {loss:.5f} | {seconds:.1f} |", flush=True)


if __name__ == "__main__":
    main()
