#!/usr/bin/env python3
"""Compares `nibble imatrix` with sums of squares taken by hooks in transformers.

    python3 scripts/check_imatrix.py NIBBLE MODEL TEXT [--samples 8] [--seq-len 256]

needs: pip install torch transformers gguf. Prints the largest relative difference of any input of any layer, and fails above
one in a thousand (both sum in float32 arithmetic, in different orders).
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

NAMES = {"self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
         "self_attn.o_proj": "attn_output", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up",
         "mlp.down_proj": "ffn_down"}
TOLERANCE = 1e-3


def hooked_sums(model_path, text, samples, length):
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32).eval()
    ids = AutoTokenizer.from_pretrained(model_path)(text)["input_ids"][:samples * length]
    sums = {}

    def hook(name):
        def add(_, inputs, __):
            sums[name] = sums.get(name, 0) + inputs[0].double().pow(2).sum(dim=(0, 1))
        return add

    for name, module in model.named_modules():
        short = next((n for n in NAMES if name.endswith(n)), None)
        if short:
            module.register_forward_hook(hook(f"blk.{name.split('.')[2]}.{NAMES[short]}.weight"))
    with torch.no_grad():
        for window in torch.tensor(ids).reshape(samples, length):
            model(window[None])
    return sums


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("nibble")
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--seq-len", type=int, default=256)
    args = parser.parse_args()
    from gguf import GGUFReader
    with tempfile.TemporaryDirectory() as scratch:
        out = pathlib.Path(scratch) / "imatrix.gguf"
        subprocess.run([args.nibble, "imatrix", args.model, str(out), "--calib", args.text, "--samples", str(args.samples),
                        "--seq-len", str(args.seq_len), "--compute", "f32", "-q"], check=True, stdout=subprocess.DEVNULL)
        ours = {tensor.name: tensor.data.copy() for tensor in GGUFReader(out).tensors}
    theirs = hooked_sums(args.model, pathlib.Path(args.text).read_text(), args.samples, args.seq_len)
    worst, where = 0.0, ""
    for name, sums in theirs.items():
        difference = float(abs(ours[name + ".in_sum2"] / sums.numpy() - 1).max())
        if difference > worst:
            worst, where = difference, name
        if ours[name + ".counts"][0] != args.samples * args.seq_len:
            sys.exit(f"{name}: counts {ours[name + '.counts'][0]}")
    if len(ours) != 2 * len(theirs):
        sys.exit(f"{len(ours)} tensors for {len(theirs)} layers")
    print(f"{len(theirs)} layers, largest relative difference {worst:.2e} ({where})")
    return 0 if worst < TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
