#!/usr/bin/env bash
# transformers 5.24.0 cannot load the asymmetric 4-bit folders that compressed-tensors 0.20.0 itself writes.
#
# The compressor packs zero points along the outputs, eight to a word ([128, 1] becomes I32 [16, 1]). When such a folder is
# loaded, the layers are made ready with unpacked zero points, [128, 1], and the load ends with "MISMATCH" for every layer.
# The same folder without zero points (W4A16) loads. Whoever needs asymmetric groups in transformers has no reader for them
# in this form.
#
# Seen: W4A16 "loads"; W4A16_ASYM zeros [16, 1], RuntimeError about mismatched sizes.
set -euo pipefail

place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
cat >"$place/ask.py" <<'PY'
import json, pathlib, sys, warnings
import torch
from safetensors import safe_open
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM
from compressed_tensors.compressors import ModelCompressor
from compressed_tensors.quantization import QuantizationConfig, apply_quantization_config, preset_name_to_scheme

torch.manual_seed(0)
for name in ["W4A16", "W4A16_ASYM"]:
    folder = pathlib.Path(sys.argv[1]) / name
    model = LlamaForCausalLM(LlamaConfig(hidden_size=128, intermediate_size=256, num_hidden_layers=1,
        num_attention_heads=2, num_key_value_heads=2, vocab_size=64, tie_word_embeddings=False)).to(torch.bfloat16)
    config = QuantizationConfig(config_groups={"group_0": preset_name_to_scheme(name, ["Linear"])}, ignore=["lm_head"])
    apply_quantization_config(model, config)
    for module in model.modules():
        if not hasattr(module, "weight_scale"):
            continue
        groups = module.weight.data.float().reshape(module.weight.shape[0], -1, 128)
        low, high = groups.amin(-1).clamp(max=0), groups.amax(-1).clamp(min=0)
        if name == "W4A16":
            scale, zero = 2 * torch.maximum(-low, high) / 15, None
        else:
            scale = (high - low) / 15
            zero = (-8 - low / scale).round().clamp(-8, 7)
        module.weight_scale.data = scale.to(module.weight_scale.dtype)
        if zero is not None:
            module.weight_zero_point.data = zero.to(module.weight_zero_point.dtype)
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(folder)
    compressor.update_config(folder)
    with safe_open(next(folder.glob("*.safetensors")), "pt") as file:
        key = "model.layers.0.self_attn.q_proj.weight_zero_point"
        stored = list(file.get_slice(key).get_shape()) if key in file.keys() else None
    try:
        loaded = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
        said = "loads"
    except Exception as error:
        said = f"{type(error).__name__}: {str(error).strip().splitlines()[0][:150]}"
    print(name, "zeros", stored, said)
PY
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet torch==2.15.0 transformers==5.24.0 compressed-tensors==0.20.0 safetensors
said="$("$place/venv/bin/python" "$place/ask.py" "$place" 2>/dev/null)"
printf '%s\n' "$said"
grep -q '^W4A16 zeros None loads$' <<<"$said" || { echo "changed: the symmetric folder does not load"; exit 1; }
grep -q '^W4A16_ASYM zeros \[16, 1\] RuntimeError' <<<"$said" || { echo "changed: the asymmetric folder loads"; exit 1; }
