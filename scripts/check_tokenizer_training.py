#!/usr/bin/env python3
"""Trains tokenizers with nibble and the tokenizers library and compares the files, byte for byte, and the seconds.
needs: pip install tokenizers transformers

usage: check_tokenizer_training.py [--program NIBBLE] [--vocab-size N]… [--eval TEXT] [--random N] [TEXT]…
--eval: encodes that text with both, ours through transformers; --random N: N small texts of few letters besides.
"""
import argparse
import json
import random
import subprocess
import tempfile
import time
from pathlib import Path

from make_golden_bpe_training import random_text, trained

SPECIAL = "<|endoftext|>"


def ours(program, texts, folder, vocabulary, *options):
    begin = time.time()
    subprocess.run([program, "train-tokenizer", *texts, "--out", folder, "--vocab-size", str(vocabulary), "--quiet",
                    *options], check=True, capture_output=True)
    return time.time() - begin


def check_texts(args, vocabulary):
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "ours"
        seconds = ours(args.program, args.texts, folder, vocabulary)
        begin = time.time()
        theirs = Tokenizer(models.BPE())
        theirs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        theirs.decoder = decoders.ByteLevel()
        theirs.train(args.texts, trainers.BpeTrainer(
            vocab_size=vocabulary, special_tokens=[SPECIAL], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False))
        their_seconds = time.time() - begin
        theirs.save(str(Path(scratch) / "theirs.json"))
        equal = (Path(scratch) / "theirs.json").read_bytes() == (folder / "tokenizer.json").read_bytes()
        print(f"{vocabulary} tokens: {'equal' if equal else 'DIFFERENT'} files, {seconds:.2f} s and {their_seconds:.2f} s")
        if not args.eval:
            return equal
        from transformers import AutoTokenizer
        loaded = AutoTokenizer.from_pretrained(folder)
        text = Path(args.eval).read_text()
        ids = theirs.encode(text).ids
        native = subprocess.run([args.program, "tokenize", folder, "--file", args.eval, "--json"], check=True,
                                capture_output=True, text=True).stdout
        same = loaded.encode(text) == ids and json.loads(native)["ids"] == ids and loaded.decode(ids) == text
        print(f"  {len(ids)} ids, {len(text.encode()) / len(ids):.3f} bytes a token: "
              f"{'equal' if same else 'DIFFERENT'} in tokenizers, transformers and nibble; EOS {loaded.eos_token!r}")
        return equal and same


def check_random(args):
    rng = random.Random(0)
    different = 0
    with tempfile.TemporaryDirectory() as scratch:
        file, out = Path(scratch) / "text", Path(scratch) / "ours.json"
        for number in range(args.random):
            letters = rng.choice(["ab", "abc", "a", "abcdef", "aab", "éèa", "a1 .", "a\n b", "日本a"])
            text = random_text(number, letters, rng.randint(1, 200), rng.randint(1, 30), rng.randint(0, 50))
            vocabulary = 257 + rng.randint(0, 300)
            file.write_text(text, newline="")
            ours(args.program, [file], out, vocabulary, "--force")
            theirs = trained([text], True, vocabulary, [SPECIAL])
            if json.loads(out.read_text()) != json.loads(theirs.to_str()):
                print(f"random text {number}: DIFFERENT")
                different += 1
    print(f"{args.random - different} of {args.random} random texts give equal tokenizers")
    return different == 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("texts", nargs="*")
    parser.add_argument("--program", default="build/release/nibble")
    parser.add_argument("--vocab-size", type=int, action="append")
    parser.add_argument("--eval")
    parser.add_argument("--random", type=int, default=0)
    arguments = parser.parse_args()
    good = [check_texts(arguments, size) for size in arguments.vocab_size or [4096] if arguments.texts]
    if arguments.random:
        good.append(check_random(arguments))
    raise SystemExit(0 if all(good) else 1)
