#!/usr/bin/env python3
"""Writes ONNX models of each width, and compares what ONNX Runtime computes with what nibble computes.

usage: check_onnx.py NIBBLE MODEL TEXT [--only WORD] [--architectures]
needs: pip install onnx onnxruntime numpy; onnxruntime-genai for its own run; torch and transformers for --architectures,
random models of each kind that is written, with MODEL's tokenizer

Each case is a folder of MODEL's quantized weights and the ONNX folder that nibble convert makes of it; onnx.checker looks
at that, and nibble verify. Then, in float32 on both sides: perplexity over two windows of 512 tokens, which may differ by
1e-4, and a greedy text token by token through the cache, which may not; the second row of a batch is a shorter prompt.
Ends with 1 when something differs.
"""
import argparse
import importlib.util
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy
import onnx
import onnxruntime

WINDOW, WINDOWS, TOLERANCE = 512, 2, 1e-4
# Inputs rounded to 8 bits for each block: no more than a sign of life.
ROUNDED = 2e-2
PROMPTS = ("Once upon a time", "The")
NEW_TOKENS = 40

# name, arguments of nibble quantize, arguments of nibble convert, tolerance
CASES = [
    ("int4:32", ["--group-size", "32"], [], TOLERANCE),
    ("int4:128 asym", ["--asym"], [], TOLERANCE),
    ("int4 by row", ["--group-size", "-1"], [], TOLERANCE),
    ("int4:96", ["--group-size", "96", "--layout", "compressed-tensors", "--override", "(q|k|v|o|gate|up)_proj=int4:64"],
     [], TOLERANCE),
    ("int8:32", ["--grid", "int8", "--group-size", "32"], [], TOLERANCE),
    ("int8:128 asym", ["--grid", "int8", "--asym"], [], TOLERANCE),
    ("int2:32", ["--grid", "int2", "--group-size", "32"], [], TOLERANCE),
    ("int2:64 asym", ["--grid", "int2", "--group-size", "64", "--asym"], [], TOLERANCE),
    ("mixed", ["--override", "down_proj=int8:64", "--skip", "layers.0.mlp.up"], [], TOLERANCE),
    ("int4:32 level 4", ["--group-size", "32"], ["--checkpoint-format", "accuracy-4"], ROUNDED),
    # Written by nibble quantize itself, from float32, whose scales other layouts do not round either.
    ("int4:32 direct", ["--group-size", "32"], None, TOLERANCE),
    ("int4:32 awq direct", ["--group-size", "32", "--transform", "awq", "--samples", "8"], None, TOLERANCE),
]


def nibble(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"nibble {' '.join(map(str, arguments))}: {done.stderr}")
    return done.stdout


class Model:
    def __init__(self, folder):
        self.path = Path(folder) / "model.onnx"
        onnx.checker.check_model(str(self.path), full_check=False)
        self.session = onnxruntime.InferenceSession(str(self.path), providers=["CPUExecutionProvider"])
        config = json.loads((Path(folder) / "genai_config.json").read_text())["model"]["decoder"]
        self.layers, self.heads, self.size = (config[key] for key in ("num_hidden_layers", "num_key_value_heads", "head_size"))
        self.outputs = [output.name for output in self.session.get_outputs()]

    def run(self, ids, mask, cache):
        """Logits, and the cache with these tokens. The cache may be None."""
        if cache is None:
            cache = [numpy.zeros((len(ids), self.heads, 0, self.size), numpy.float32)] * (2 * self.layers)
        inputs = {"input_ids": ids, "attention_mask": mask}
        for i, values in enumerate(cache):
            inputs[f"past_key_values.{i // 2}.{'value' if i % 2 else 'key'}"] = values
        logits, *present = self.session.run(self.outputs, inputs)
        return logits, present


def perplexity(model, ids):
    total = 0.0
    for window in range(WINDOWS):
        part = numpy.array([ids[window * WINDOW:(window + 1) * WINDOW]], numpy.int64)
        logits = model.run(part, numpy.ones_like(part), None)[0][0, :-1].astype(numpy.float64)
        logits -= logits.max(axis=1, keepdims=True)
        of_next = logits[numpy.arange(WINDOW - 1), part[0, 1:]]
        total += (numpy.log(numpy.exp(logits).sum(axis=1)) - of_next).sum()
    return float(numpy.exp(total / (WINDOWS * (WINDOW - 1))))


def greedy(model, prompt):
    """One token after another behind a prompt that is read at once."""
    ids = numpy.array([prompt], numpy.int64)
    logits, cache = model.run(ids, numpy.ones_like(ids), None)
    told = []
    while len(told) < NEW_TOKENS:
        told.append(int(logits[0, -1].argmax()))
        step = numpy.array([[told[-1]]], numpy.int64)
        logits, cache = model.run(step, numpy.ones((1, len(prompt) + len(told)), numpy.int64), cache)
    return told


def rows_agree(model, prompts):
    """The next token behind each prompt, alone and in a batch that is filled up behind the ends."""
    longest = max(map(len, prompts))
    ids = numpy.array([prompt + [0] * (longest - len(prompt)) for prompt in prompts], numpy.int64)
    mask = numpy.array([[1] * len(prompt) + [0] * (longest - len(prompt)) for prompt in prompts], numpy.int64)
    together = model.run(ids, mask, None)[0]
    for row, prompt in enumerate(prompts):
        one = numpy.array([prompt], numpy.int64)
        alone = model.run(one, numpy.ones_like(one), None)[0]
        if abs(alone[0, -1] - together[row, len(prompt) - 1]).max() > 1e-3:
            return False
    return True


def greedy_genai(folder, prompt):
    import onnxruntime_genai
    model = onnxruntime_genai.Model(str(folder))
    settings = onnxruntime_genai.GeneratorParams(model)
    settings.set_search_options(max_length=len(prompt) + NEW_TOKENS, do_sample=False)
    generator = onnxruntime_genai.Generator(model, settings)
    generator.append_tokens(numpy.array([prompt], numpy.int32))
    while not generator.is_done():
        generator.generate_next_token()
    return [int(token) for token in generator.get_sequence(0)[len(prompt):]]


def run(program, case, base, text, folder):
    """What is to be printed, and whether all is right."""
    _, options, converted, tolerance = case
    quantized, target = folder / "quantized", folder / "onnx"
    if converted is None:
        single = folder.with_suffix(".gguf")
        nibble(program, "quantize", base, single, "--type", "F32")
        base, options = single, ["--layout", "compressed-tensors", *options]
    nibble(program, "quantize", base, quantized, "--method", "rtn", *options)
    if converted is None:
        nibble(program, "quantize", base, target, "--method", "rtn", *options[2:], "--layout", "onnx")
    else:
        nibble(program, "convert", quantized, target, "--layout", "onnx", *converted)
    nibble(program, "verify", target, "--base", base)
    model = Model(target)
    said = json.loads(nibble(program, "perplexity", quantized, "--file", text, "--protocol", f"gptq-{WINDOW}",
                             "--windows", WINDOWS, "--compute", "f32", "--json"))["perplexity"]
    ids = json.loads(nibble(program, "tokenize", quantized, "--file", text, "--no-special", "--json"))["ids"]
    value = perplexity(model, ids)
    difference = abs(value / said - 1)
    right = difference <= tolerance
    columns = [f"{said:.5f}", f"{value:.5f} ({difference:.0e})"]
    if tolerance > TOLERANCE:
        return columns, right
    prompts = [json.loads(nibble(program, "tokenize", quantized, "--text", prompt, "--json"))["ids"] for prompt in PROMPTS]
    wanted = json.loads(nibble(program, "generate", quantized, "-p", PROMPTS[0], "-n", NEW_TOKENS, "--temp", 0,
                               "--compute", "f32", "--kv", "f32", "--json"))["ids"]
    told = greedy(model, prompts[0])[:len(wanted)]  # nibble stops at the end of the text
    same = wanted == told and len(wanted) > 0
    columns.append(f"{len(wanted)} tokens " + ("alike" if same else "DIFFER"))
    batch = rows_agree(model, prompts)
    columns.append("batch " + ("right" if batch else "WRONG"))
    if importlib.util.find_spec("onnxruntime_genai"):
        told = greedy_genai(target, prompts[0])[:len(wanted)]
        same = same and wanted == told
        columns.append("genai " + ("alike" if wanted == told else "DIFFERS"))
    return columns, right and same and batch


def random_models(tokenizer, folder):
    """Name and folder of a small model of each kind, with heads that ONNX Runtime takes."""
    import shutil

    import torch
    import transformers
    transformers.logging.disable_progress_bar()
    vocabulary = json.loads((Path(tokenizer) / "config.json").read_text())["vocab_size"]
    common = dict(hidden_size=128, intermediate_size=192, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
                  head_dim=32, vocab_size=vocabulary, max_position_embeddings=1024, initializer_range=0.2)
    plain = {"rope_type": "default", "rope_theta": 10000.0}
    llama3 = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
              "high_freq_factor": 4.0, "original_max_position_embeddings": 256}
    yarn = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 256}
    kinds = {
        "llama, biases": ("Llama", dict(rope_parameters=plain, attention_bias=True, mlp_bias=True)),
        "llama3 rope, tied": ("Llama", dict(rope_parameters=llama3, tie_word_embeddings=True)),
        "yarn": ("Llama", dict(rope_parameters=yarn)),
        "mistral, window": ("Mistral", dict(rope_parameters=plain, sliding_window=100)),
        "qwen2": ("Qwen2", dict(rope_parameters=plain, num_attention_heads=8, head_dim=16)),
        "qwen2, late window": ("Qwen2", dict(rope_parameters=plain, use_sliding_window=True, max_window_layers=1,
                                             sliding_window=100)),
        "qwen3": ("Qwen3", dict(rope_parameters=plain)),
        "gemma3": ("Gemma3", dict(query_pre_attn_scalar=20, sliding_window=100, layer_types=[
            "sliding_attention", "full_attention", "sliding_attention"], rope_parameters={
            "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 4.0}, "sliding_attention": plain})),
    }
    for name, (family, settings) in kinds.items():
        torch.manual_seed(1)
        kind = "Gemma3Text" if family == "Gemma3" else family
        config = getattr(transformers, kind + "Config")(**(common | settings))
        model = getattr(transformers, family + "ForCausalLM")(config).to(torch.bfloat16)
        with torch.no_grad():  # a new model's norms and biases are all alike
            for key, value in model.named_parameters():
                if key.endswith(("norm.weight", ".bias")):
                    value.copy_(value + 0.1 * torch.randn_like(value))
        target = folder / name.replace(" ", "_").replace(",", "")
        model.save_pretrained(target)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(Path(tokenizer) / file, target / file)
        yield name, target


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nibble")
    parser.add_argument("model")
    parser.add_argument("text")
    parser.add_argument("--only", default="")
    parser.add_argument("--architectures", action="store_true")
    arguments = parser.parse_args()
    wrong = 0
    with tempfile.TemporaryDirectory() as place:
        place = Path(place)
        jobs = [(case[0], case, arguments.model) for case in CASES]
        if arguments.architectures:
            case = ("", ["--group-size", "32", "--asym"], [], TOLERANCE)
            jobs = [(name, case, model) for name, model in random_models(arguments.model, place / "models")]
        for i, (name, case, model) in enumerate(jobs):
            if arguments.only not in name:
                continue
            columns, right = run(arguments.nibble, case, model, arguments.text, place / str(i))
            wrong += not right
            print(f"{name:20} " + "  ".join(columns) + ("" if right else "  WRONG"), flush=True)
    print("all right" if wrong == 0 else f"{wrong} wrong")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
