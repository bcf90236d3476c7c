#!/usr/bin/env python3
"""Writes tests/golden/adapter/: adapters of tiny models as PEFT saves them, with the logits that PEFT computes.
needs: pip install torch transformers peft

CASE/adapter_config.json, CASE/adapter_model.safetensors, CASE/expected.safetensors (logits F32 [40, vocabulary]); the ids
are those of the model, tests/golden/model/MODEL, which CASE/model names.
"""
import shutil
from pathlib import Path

import peft
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

GOLDEN = Path(__file__).parent.parent / "tests/golden"
ALL = "all-linear"
CASES = {
    "plain": ("llama_groups", dict(r=4, lora_alpha=8, target_modules=ALL)),
    "biases": ("qwen2", dict(r=2, lora_alpha=3, target_modules=["q_proj", "v_proj"])),
    "patterns": ("llama_groups", dict(
        r=4, lora_alpha=8, target_modules=["q_proj", "down_proj"], use_rslora=True,
        rank_pattern={r"layers\.1\.mlp\.down_proj": 6, "q_proj": 3}, alpha_pattern={"down_proj": 5})),
    "dora": ("llama_biases", dict(r=3, lora_alpha=6, target_modules=ALL, use_dora=True)),
    "embedding": ("llama_scaled_tied", dict(r=4, lora_alpha=8, target_modules=["embed_tokens", "k_proj"])),
    "head": ("llama_scaled_tied", dict(r=4, lora_alpha=8, target_modules=["lm_head", "o_proj"])),
    "norms": ("gemma3_types", dict(r=4, lora_alpha=8, target_modules=ALL)),
}


@torch.no_grad()
def make(name, model_name, options, seed):
    base = AutoModelForCausalLM.from_pretrained(GOLDEN / "model" / model_name, dtype=torch.float32,
                                                attn_implementation="eager").eval()
    model = peft.get_peft_model(base, peft.LoraConfig(task_type="CAUSAL_LM", **options)).eval()
    generator = torch.Generator().manual_seed(seed)
    for key, parameter in sorted(model.named_parameters()):
        if "magnitude" in key:
            parameter.data *= 1 + 0.3 * torch.randn(parameter.shape, generator=generator)
        elif "lora_" in key:
            parameter.data = 0.3 * torch.randn(parameter.shape, generator=generator)
    folder = GOLDEN / "adapter" / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    ids = load_file(GOLDEN / "model" / model_name / "expected.safetensors")["ids"]
    save_file({"logits": model(ids[None]).logits[0].contiguous()}, folder / "expected.safetensors")
    (folder / "model").write_text(model_name + "\n")
    config = folder / "adapter_config.json"
    config.write_text(config.read_text().replace(str(GOLDEN / "model") + "/", ""))
    print(f"{name}: {sum(file.stat().st_size for file in folder.iterdir())} bytes")


if __name__ == "__main__":
    for number, (case, (model_of_case, case_options)) in enumerate(CASES.items()):
        make(case, model_of_case, case_options, number)
