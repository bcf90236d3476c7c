#!/usr/bin/env bash
# transformers 5.24.0: saving a tokenizer and loading it again loses a named special token.
#
# A tokenizer_config.json may name tokens of its own in two ways: as a key ("image_token": "<i>"), and in
# "extra_special_tokens" as a dictionary ({"boi": "<boi>"}). A folder that uses both loads right. save_pretrained writes all
# of them under "model_specific_special_tokens", and the keys once more beside it. On loading, any text key that ends in
# "_token" makes a dictionary that takes the place of the one that was written: a name with another ending is gone, and a
# chat template that prints it prints nothing. Names that end in "_token" come back, by way of their keys.
#
# Seen: names after the first load: boi image_token; after save and load: image_token.
set -euo pipefail

place="$(mktemp -d)"
trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet "transformers==5.24.0" "tokenizers==0.23.3"
cat >"$place/ask.py" <<'PY'
import json
import sys
from pathlib import Path

from transformers import AutoTokenizer

place = Path(sys.argv[1])
folder = place / "model"
folder.mkdir()
words = ["x", "<i>", "<boi>"]
(folder / "tokenizer.json").write_text(json.dumps({
    "version": "1.0", "truncation": None, "padding": None,
    "added_tokens": [{"id": 1 + i, "content": word, "single_word": False, "lstrip": False, "rstrip": False,
                      "normalized": False, "special": True} for i, word in enumerate(words[1:])],
    "normalizer": None, "pre_tokenizer": None, "post_processor": None, "decoder": None,
    "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
              "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "vocab": {"x": 0}, "merges": []}}))
(folder / "tokenizer_config.json").write_text(json.dumps({
    "tokenizer_class": "PreTrainedTokenizerFast", "image_token": "<i>",
    "extra_special_tokens": {"boi": "<boi>"}}))


def names(path):
    return " ".join(sorted(AutoTokenizer.from_pretrained(path).special_tokens_map))


first = names(folder)
AutoTokenizer.from_pretrained(folder).save_pretrained(place / "saved")
print(first + " | " + names(place / "saved"))
PY
seen="$("$place/venv/bin/python" "$place/ask.py" "$place" 2>/dev/null)"
echo "loaded | saved and loaded: $seen"
[[ "$seen" == "boi image_token | image_token" ]] || { echo "changed"; exit 1; }
