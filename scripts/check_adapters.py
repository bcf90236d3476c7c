#!/usr/bin/env python3
"""Trains small adapters with nibble and lets PEFT load them: do both compute the same?

usage: check_adapters.py NIBBLE MODEL --data ROWS --file TEXT [--windows 2] [--length 128]
needs: pip install torch transformers peft

For each kind of adapter the mean loss over windows of --length tokens (nibble's protocol gptq-N), as nibble and as PEFT with
transformers have it in float32, of the adapter beside its model and of what `nibble fuse` makes of the two. Ends with 1
when one differs by more than 1e-5, or, fused, by more than the rounding to 16 bits explains (1e-2).
"""
import argparse
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path

import peft
import torch
import transformers

KINDS = {
    "LoRA, all layers": [],
    "LoRA, q and v, rank-stabilized": ["--target-modules", "q_proj,v_proj", "--rslora"],
    "DoRA": ["--dora"],
    "QLoRA, nf4": ["--base", "nf4"],
}
BESIDE, FUSED = 1e-5, 1e-2


def nibble(program, *arguments):
    done = subprocess.run([program, *map(str, arguments), "--json", "-q"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"nibble {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


@torch.no_grad()
def loss_of(model, tokenizer, text, windows, length):
    ids = tokenizer(text, return_tensors="pt").input_ids[0]
    total = 0
    for window in range(windows):
        part = ids[None, window * length:(window + 1) * length]
        total += model(input_ids=part, labels=part).loss.item()
    return total / windows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nibble")
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    parser.add_argument("--file", required=True)
    parser.add_argument("--windows", type=int, default=2)
    parser.add_argument("--length", type=int, default=128)
    args = parser.parse_args()
    transformers.logging.set_verbosity_error()
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.model)
    text = Path(args.file).read_text()
    scored = ["--file", args.file, "--protocol", f"gptq-{args.length}", "--windows", args.windows]
    good = True

    def base():
        return transformers.AutoModelForCausalLM.from_pretrained(args.model, dtype=torch.float32).eval()

    plain = loss_of(base(), tokenizer, text, args.windows, args.length)
    print(f"| adapter | loss without it | nibble | PEFT {peft.__version__} | fused by nibble |\n|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, options) in enumerate(KINDS.items()):
            adapter, fused = Path(scratch) / f"a{number}", Path(scratch) / f"f{number}"
            nibble(args.nibble, "finetune", args.model, adapter, "--data", args.data, "--rank", 8, "--steps", 10,
                   "--batch-size", 1, "--learning-rate", 3e-3, "--val-share", 0, *options)
            ours = nibble(args.nibble, "perplexity", args.model, "--lora", adapter, *scored)["mean_nll"]
            theirs = loss_of(peft.PeftModel.from_pretrained(base(), str(adapter)).eval(), tokenizer, text, args.windows,
                             args.length)
            nibble(args.nibble, "fuse", args.model, adapter, fused)
            merged = nibble(args.nibble, "perplexity", fused, *scored)["mean_nll"]
            print(f"| {name} | {plain:.5f} | {ours:.5f} | {theirs:.5f} | {merged:.5f} |", flush=True)
            good &= math.isclose(ours, theirs, rel_tol=BESIDE) and math.isclose(ours, merged, rel_tol=FUSED)
            good &= abs(ours - plain) > 0.01
    print("all right" if good else "DIFFERENT")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
