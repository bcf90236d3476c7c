#!/usr/bin/env python3
"""Compares nibble with transformers and tokenizers, in float32, on some hundred small models that are told in every way.

usage: check_configs.py [--nibble PROGRAM] [--only WORD] [--verbose]
needs: pip install torch transformers tokenizers safetensors

A case is a model in a temporary folder: config form × tensors (config_cases/), or a tokenizer × a text. It is right
when `nibble perplexity` gives transformers' mean negative log-probability, when `nibble tokenize` gives the same ids,
or when nibble refuses what the case says must be refused, naming it. Ends with 1 when any case is wrong.
"""
import argparse
import json
import logging
import subprocess
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path

import torch
import transformers
from tokenizers import Tokenizer

from config_cases import flags, ropes, texts
from config_cases.models import CONTEXT, write

# Both compute in float32; the mean over 127 tokens of a loss near 6.
TOLERANCE = 2e-4
TEXT = "The river was high that spring, and nobody crossed it before the bells rang. Don't wait, 1234 o'clock! " * 3


def nibble_json(program, *arguments):
    """What it printed, or None, and what it said on stderr."""
    done = subprocess.run([program, *map(str, arguments), "--json", "--threads", "1"], capture_output=True)
    said = done.stderr.decode(errors="replace")
    if done.returncode < 0:
        return None, f"killed by signal {-done.returncode}"
    return (json.loads(done.stdout) if done.returncode == 0 else None), said + done.stdout.decode(errors="replace")


@torch.no_grad()
def reference(folder, ids):
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager")
    logits = model.eval()(torch.tensor([ids])).logits[0].double()
    return torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:])).item()


class Run:
    def __init__(self, options):
        self.options = options
        self.count = Counter()
        self.tokenizer = texts.byte_level()
        self.tokenizer_json = texts.tokenizer_json(self.tokenizer)
        self.ids = self.tokenizer.encode(TEXT).ids[:CONTEXT]
        assert len(self.ids) == CONTEXT

    def tell(self, outcome, name, detail=""):
        self.count[outcome] += 1
        if outcome == "WRONG" or self.options.verbose:
            print(f"{outcome:8} {name}{': ' if detail else ''}{detail}", flush=True)

    def model(self, case, place):
        folder = place / "told"
        write(case, folder, self.tokenizer_json)
        text = place / "text.txt"
        text.write_text(TEXT)
        ours, said = nibble_json(self.options.nibble, "perplexity", folder, "--file", text, "--protocol",
                                 f"gptq-{CONTEXT}", "--windows", "1")
        last = said.strip().replace("\n", " ")[-200:]
        if case.refusal:
            named = ours is None and "signal" not in said and case.refusal in said
            return self.tell("refused" if named else "WRONG", case.name,
                             "" if named else f"not refused: {ours['mean_nll']}" if ours else f"refused with: {last}")
        if ours is None:
            return self.tell("WRONG", case.name, last)
        if case.truth is not None:
            folder = place / "truth"
            write(case.truth, folder, self.tokenizer_json)
        try:
            theirs = reference(folder, self.ids)
        except Exception as problem:  # whatever it is, transformers does not run it
            return self.tell("WRONG", case.name, f"transformers refuses: {str(problem)[:160]!r}")
        right = abs(ours["mean_nll"] - theirs) <= TOLERANCE
        self.tell("equal" if right else "WRONG", case.name, "" if right else f"{ours['mean_nll']:.6f} instead of {theirs:.6f}")

    def text(self, name, folder, text, encode):
        file = folder / "text.txt"
        file.write_bytes(text.encode())
        ours, said = nibble_json(self.options.nibble, "tokenize", folder, "--file", file)
        theirs = encode(text)
        right = ours is not None and ours["ids"] == theirs
        self.tell("equal" if right else "WRONG", name,
                  "" if right else f"{ours['ids'][:40] if ours else said[-200:]} instead of {theirs[:40]}")


def tokenizer_cases(run, place, wanted):
    for name, tokenizer in texts.tokenizers():
        folder = place / f"tokenizer {name}"
        folder.mkdir()
        (folder / "tokenizer.json").write_text(texts.tokenizer_json(tokenizer))
        own = Tokenizer.from_file(str(folder / "tokenizer.json"))
        for title, text in texts.TEXTS.items():
            if wanted(f"tokenizer {name}, {title}"):
                run.text(f"tokenizer {name}, {title}", folder, text, lambda t: own.encode(t).ids)
    for name, config in texts.CONFIGS.items():
        folder = place / f"tokenizer_config {name}"
        folder.mkdir()
        (folder / "tokenizer.json").write_text(texts.tokenizer_json(texts.with_template(texts.byte_level(), "<s> $A")))
        (folder / "tokenizer_config.json").write_text(json.dumps({"tokenizer_class": "PreTrainedTokenizerFast"} | config))
        loaded = transformers.AutoTokenizer.from_pretrained(folder)
        for title in ("plain", "special tokens", "blanks", "empty"):
            if wanted(f"tokenizer_config {name}, {title}"):
                run.text(f"tokenizer_config {name}, {title}", folder, texts.TEXTS[title],
                         lambda t: loaded(t)["input_ids"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nibble", default=str(Path(__file__).parent.parent / "build/release/nibble"))
    parser.add_argument("--only", default="", help="cases whose name holds this")
    parser.add_argument("--verbose", action="store_true", help="right cases too")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    warnings.simplefilter("ignore")
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    torch.set_num_threads(1)
    start, run = time.time(), Run(options)

    def wanted(name):
        return options.only in name

    for case in [*ropes.cases(), *flags.cases()]:
        if wanted(case.name):
            with tempfile.TemporaryDirectory() as place:
                run.model(case, Path(place))
    with tempfile.TemporaryDirectory() as place:
        tokenizer_cases(run, Path(place), wanted)
    total = sum(run.count.values())
    print(f"{total} cases: {run.count['equal']} equal, {run.count['refused']} refused by name, "
          f"{run.count['WRONG']} wrong ({time.time() - start:.0f} s)")
    sys.exit(1 if run.count["WRONG"] else 0)


if __name__ == "__main__":
    main()
