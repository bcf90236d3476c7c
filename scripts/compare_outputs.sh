#!/usr/bin/env bash
# Quantizes one model by ten recipes with two builds of the program and compares every file they write:
# weights, configs and the hashes of all codes. For changes that must not change an output.
#   scripts/compare_outputs.sh OLD_PROGRAM NEW_PROGRAM [MODEL]
set -euo pipefail
(($# >= 2)) || { sed -n '2,4p' "$0" >&2; exit 2; }
old="$1" new="$2"
model="${3:-$(dirname "$(readlink -f "$0")")/../assets/demo}"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT
recipes=(
  "--method rtn --bits 4"
  "--method rtn --bits 3 --group-size 64 --asym --scales absmax"
  "--method rtn --bits 2 --group-size 32 --scales mse"
  "--method rtn --bits 8 --group-size -1 --checkpoint-format gptq_v2 --asym"
  "--method gptq --bits 4 --samples 8 --seq-len 64"
  "--method gptq --bits 4 --samples 8 --seq-len 64 --scales absmax"
  "--method gptq --bits 3 --group-size 64 --asym --samples 8 --seq-len 64 --compute f32"
  "--method gptq --bits 2 --group-size 32 --act-order gidx --samples 8 --seq-len 64"
  "--method gptq --bits 4 --act-order group-aware --damping 0.05 --drift-correction 0.5 --drift-samples 2 --samples 8 --seq-len 64"
  "--method gptq --bits 3 --override down_proj=8:64 --skip layers.0.self_attn --checkpoint-format gptq_v2 --asym --samples 8 --seq-len 64"
)
codes='import json, sys; print("\n".join(m["name"] + " " + m["codes_sha256"] for m in json.load(open(sys.argv[1]))["modules"]))'
failed=0
for recipe in "${recipes[@]}"; do
  rm -rf "$work/old" "$work/new"
  read -ra words <<<"$recipe"
  "$old" quantize "$model" "$work/old" "${words[@]}" -q >/dev/null
  "$new" quantize "$model" "$work/new" "${words[@]}" -q >/dev/null
  # The passport says how an output was made, in words that may change; its hashes of codes may not.
  for side in old new; do
    python3 -c "$codes" "$work/$side/nibble.json" >"$work/$side.codes"
    grep -v ' nibble\.json$' "$work/$side/SHA256SUMS" >"$work/$side.sums"
  done
  if cmp -s "$work/old.codes" "$work/new.codes" && cmp -s "$work/old.sums" "$work/new.sums"; then
    echo "same       $recipe"
  else
    echo "different  $recipe"
    diff "$work/old.sums" "$work/new.sums" || true
    failed=1
  fi
done
exit "$failed"
