#!/usr/bin/env bash
# transformers 5.24.0 loads a checkpoint with "quant_method": "hqq" without an error, and with random weights.
#
# The folder holds what hqq 0.2.8.post1 keeps of each layer (W_q, scale, zero and 16 others), under the names and with the
# quantization_config that transformers 4 wrote. Nothing tells the quantizer to take them: the load ends normally, every
# quantized layer is a plain one with newly drawn weights, and all that is said is a table in the log, in which the codes are
# "UNEXPECTED: can be ignored" and the weights "MISSING". transformers 5.23.0 refused such folders (NotImplementedError).
#
# Seen: "loads; the first layer is another Linear".
set -euo pipefail

place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
cat >"$place/ask.py" <<'PY'
import json, pathlib, sys
import torch
from hqq.core.quantize import BaseQuantizeConfig, HQQLinear
from hqq.core.utils import encode_safetensor_type
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM

folder = pathlib.Path(sys.argv[1]) / "hqq"
torch.manual_seed(0)
model = LlamaForCausalLM(LlamaConfig(hidden_size=64, intermediate_size=128, num_hidden_layers=1, num_attention_heads=2,
                                     num_key_value_heads=2, vocab_size=32, tie_word_embeddings=False)).to(torch.float16)
model.save_pretrained(folder)
settings = BaseQuantizeConfig(nbits=8, group_size=64, axis=1)
tensors, wanted = {}, {}
for name, module in model.named_modules():
    if isinstance(module, torch.nn.Linear) and name != "lm_head":
        layer = HQQLinear(module, settings, compute_dtype=torch.float16, device="cpu")
        wanted[name] = layer.dequantize().float()
        for key, value in layer.state_dict().items():
            value = value if isinstance(value, torch.Tensor) else encode_safetensor_type(value)
            tensors[f"{name}.{key}"] = value.contiguous().clone()
    elif name.endswith(("norm", "embed_tokens", "lm_head", "layernorm")):
        tensors[f"{name}.weight"] = module.weight.data.clone()
for file in folder.glob("*.safetensors"):
    file.unlink()
save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
config = json.loads((folder / "config.json").read_text())
config["quantization_config"] = {"quant_method": "hqq", "quant_config": settings, "skip_modules": ["lm_head"]}
(folder / "config.json").write_text(json.dumps(config))
try:
    loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    name = "model.layers.0.self_attn.q_proj"
    found = loaded.get_submodule(name).weight.float()
    away = ((found - wanted[name]).norm() / wanted[name].norm()).item()
    print("loads; the first layer is", "as it was" if away < 0.05 else "another", type(loaded.get_submodule(name)).__name__)
except Exception as error:
    print(f"{type(error).__name__}: {str(error).strip().splitlines()[0][:150]}")
PY
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet torch==2.15.0 transformers==5.24.0 hqq==0.2.8.post1 safetensors
said="$("$place/venv/bin/python" "$place/ask.py" "$place" 2>/dev/null | tail -1)"
printf '%s\n' "$said"
grep -q '^loads; the first layer is another Linear$' <<<"$said" || { echo "changed: the weights are read, or the load is refused"; exit 1; }
