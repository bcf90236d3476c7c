#!/usr/bin/env bash
# transformers 5.24.0: a Gemma 3 config with the older key of rope_scaling is read as unscaled.
#
# rope_scaling once said {"type": "linear", "factor": 8.0}; newer configs say "rope_type". Llama's config takes either.
# Gemma 3's, which makes a table for each kind of layer of the one it is given, looks for "rope_type" alone: with "type" the
# layers of full attention become "default", and positions are not divided by the factor. What tells of it is one line of
# the log about unrecognized keys; loading goes on, and the model answers as if it had never been stretched.
#
# Seen: llama linear, gemma3 default with "type"; llama linear, gemma3 linear with "rope_type".
set -euo pipefail

place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet "transformers==5.24.0"
cat >"$place/ask.py" <<'PY'
from transformers import Gemma3TextConfig, LlamaConfig

rows = []
for key in ("type", "rope_type"):
    scaling = {key: "linear", "factor": 8.0}
    llama = LlamaConfig(rope_scaling=dict(scaling))
    gemma = Gemma3TextConfig(num_hidden_layers=2, layer_types=["sliding_attention", "full_attention"],
                             rope_scaling=dict(scaling))
    rows.append(f"{key}: llama {llama.rope_parameters['rope_type']}, "
                f"gemma3 {gemma.rope_parameters['full_attention']['rope_type']}")
print(" | ".join(rows))
PY
seen="$("$place/venv/bin/python" "$place/ask.py" 2>/dev/null)"
echo "$seen"
[[ "$seen" == "type: llama linear, gemma3 default | rope_type: llama linear, gemma3 linear" ]] || { echo "changed"; exit 1; }
