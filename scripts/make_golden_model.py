#!/usr/bin/env python3
"""Writes tests/golden/model/: tiny random models of every architecture with the logits that transformers
computes for them in float32, and greedy texts of real models.   needs: pip install torch transformers

    make_golden_model.py [CASE | STORIES260K_FOLDER SMOLLM2_FOLDER]     a CASE alone: only that one

CASE/config.json, CASE/model.safetensors, CASE/expected.safetensors (ids I64 [40], logits F32 [40, vocabulary]).
greedy_NAME.json (with the two folders): {"prompt": [ids], "ids": [200 ids]}, no stop token.
"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import (AutoModelForCausalLM, Gemma3ForCausalLM, Gemma3TextConfig, LlamaConfig, LlamaForCausalLM, MinistralConfig,
                          MinistralForCausalLM, MistralConfig, MistralForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM)

OUT = Path(__file__).parent.parent / "tests/golden/model"
TOKENS = 40
SMALL = dict(hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4, vocab_size=80,
             max_position_embeddings=64, rms_norm_eps=1e-5, bos_token_id=1, eos_token_id=[2, 3])
GROUPED = SMALL | dict(num_key_value_heads=2)
GEMMA = GROUPED | dict(num_hidden_layers=4, head_dim=12, query_pre_attn_scalar=20, sliding_window=8)
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
LLAMA3_ROPE = {"rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0,
               "high_freq_factor": 4.0, "original_max_position_embeddings": 64}
YARN_ROPE = {"rope_type": "yarn", "rope_theta": 10000.0, "factor": 4.0, "original_max_position_embeddings": 64,
             "beta_fast": 8.0, "beta_slow": 0.5}
LINEAR_ROPE = {"rope_type": "linear", "rope_theta": 10000.0, "factor": 2.5}

# case: model class, config, type of the stored weights, config.json as transformers 4 wrote it
CASES = {
    "llama_heads": (LlamaForCausalLM, LlamaConfig(**SMALL, rope_parameters=PLAIN_ROPE), torch.float32, True),
    "llama_groups": (LlamaForCausalLM, LlamaConfig(**GROUPED, rope_parameters=PLAIN_ROPE), torch.bfloat16, False),
    "llama_scaled_tied": (LlamaForCausalLM, LlamaConfig(**GROUPED | dict(head_dim=16), tie_word_embeddings=True,
                                                        rope_parameters=LLAMA3_ROPE), torch.bfloat16, False),
    "llama_linear": (LlamaForCausalLM, LlamaConfig(**GROUPED, rope_parameters=LINEAR_ROPE), torch.bfloat16, True),
    "llama_biases": (LlamaForCausalLM, LlamaConfig(**GROUPED, attention_bias=True, mlp_bias=True,
                                                   rope_parameters=PLAIN_ROPE), torch.bfloat16, False),
    "mistral_window": (MistralForCausalLM, MistralConfig(**GROUPED, head_dim=12, sliding_window=8,
                                                         rope_parameters=PLAIN_ROPE), torch.bfloat16, False),
    "qwen2": (Qwen2ForCausalLM, Qwen2Config(**GROUPED, rope_parameters=PLAIN_ROPE), torch.float16, True),
    "qwen2_late_window": (Qwen2ForCausalLM, Qwen2Config(**GROUPED, use_sliding_window=True, max_window_layers=1,
                                                        sliding_window=8, rope_parameters=PLAIN_ROPE),
                          torch.bfloat16, False),
    "qwen3": (Qwen3ForCausalLM, Qwen3Config(**GROUPED | dict(num_attention_heads=2, num_key_value_heads=1),
                                            head_dim=24, rope_parameters=PLAIN_ROPE), torch.bfloat16, False),
    # Windows and both ropes on four layers; the older file has no layer_types, the newer one its own.
    "gemma3": (Gemma3ForCausalLM, Gemma3TextConfig(**GEMMA, sliding_window_pattern=3, rope_parameters={
        "full_attention": {"rope_type": "linear", "rope_theta": 1e6, "factor": 4.0},
        "sliding_attention": {"rope_type": "default", "rope_theta": 1e4}}), torch.bfloat16, True),
    "gemma3_types": (Gemma3ForCausalLM, Gemma3TextConfig(**GEMMA, layer_types=[
        "full_attention", "sliding_attention", "sliding_attention", "full_attention"], rope_parameters={
        "full_attention": {"rope_type": "default", "rope_theta": 1e6},
        "sliding_attention": {"rope_type": "default", "rope_theta": 5e3}}), torch.float32, False),
    "llama_yarn": (LlamaForCausalLM, LlamaConfig(**GROUPED | dict(head_dim=16), rope_parameters=YARN_ROPE),
                   torch.bfloat16, True),
    # What transformers makes of a Mistral config with layer_types.
    "mistral_types": (MinistralForCausalLM, MinistralConfig(**GROUPED, head_dim=12, sliding_window=8, layer_types=[
        "sliding_attention", "full_attention"], rope_parameters=PLAIN_ROPE), torch.bfloat16, False),
}
WRITTEN_AS = {"mistral_types": {"architectures": ["MistralForCausalLM"], "model_type": "mistral"}}


def randomize(model, seed):
    """Weights large enough that attention is far from uniform, gains and biases far from 1 and 0."""
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in sorted(model.named_parameters()):
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.dim() == 2:
            parameter.data = noise * (2.0 / parameter.shape[1] ** 0.5)
        else:
            less_one = isinstance(model, Gemma3ForCausalLM)  # its norms store the gain minus 1
            parameter.data = noise * 0.3 + (0.0 if name.endswith("bias") or less_one else 1.0)


def old_layout(config):
    """The RoPE keys where transformers 4 put them, and its name for the data type."""
    rope = config.pop("rope_parameters")
    if "sliding_attention" in rope:
        config["rope_local_base_freq"] = rope["sliding_attention"]["rope_theta"]
        config["sliding_window_pattern"] = 3
        del config["layer_types"]
        rope = rope["full_attention"]
    config["rope_theta"] = rope.pop("rope_theta")
    kind = rope.pop("rope_type")
    config["rope_scaling"] = None if kind == "default" else {"type": kind} | rope
    config["torch_dtype"] = config.pop("dtype")
    return config


@torch.no_grad()
def make_case(name, seed):
    model_class, config, dtype, old = CASES[name]
    config._attn_implementation = "eager"
    model = model_class(config).eval()
    randomize(model, seed)
    model = model.to(dtype)  # expected values belong to the stored weights
    model.config.dtype = dtype
    folder = OUT / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    # Loaded again: model.to() has also rounded what is not stored, the frequencies of RoPE.
    model = model_class.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    path = folder / "config.json"
    if old:
        path.write_text(json.dumps(old_layout(json.loads(path.read_text())), indent=2) + "\n")
    if name in WRITTEN_AS:
        path.write_text(json.dumps(json.loads(path.read_text()) | WRITTEN_AS[name], indent=2) + "\n")
    ids = torch.randint(0, config.vocab_size, (TOKENS,), generator=torch.Generator().manual_seed(seed + 1000))
    logits = model(ids[None]).logits[0]
    save_file({"ids": ids, "logits": logits.contiguous()}, folder / "expected.safetensors")
    sizes = sum(file.stat().st_size for file in folder.iterdir())
    print(f"{name}: {sizes} bytes, largest logit {logits.abs().max():.3f}")


@torch.no_grad()
def make_greedy(name, folder, prompt, count=200):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    ids, past, step, closest = [], None, torch.tensor([prompt]), float("inf")
    for _ in range(count):
        out = model(step, past_key_values=past, use_cache=True)
        best = out.logits[0, -1].topk(2)
        closest = min(closest, (best.values[0] - best.values[1]).item())
        ids.append(best.indices[0].item())
        past, step = out.past_key_values, best.indices[None, :1]
    (OUT / f"greedy_{name}.json").write_text(json.dumps({"prompt": prompt, "ids": ids}) + "\n")
    print(f"{name}: smallest lead of a chosen token {closest:.5f}")


if __name__ == "__main__":
    for seed, case in enumerate(CASES):
        if len(sys.argv) != 2 or case == sys.argv[1]:
            make_case(case, seed)
    if len(sys.argv) == 3:
        make_greedy("stories260k", sys.argv[1], [1])
        # <|im_start|>user\nWhy is the sky blue?<|im_end|>\n<|im_start|>assistant\n
        make_greedy("smollm2", sys.argv[2],
                    [1, 4093, 198, 4898, 314, 260, 6376, 4461, 47, 2, 198, 1, 520, 9531, 198])
