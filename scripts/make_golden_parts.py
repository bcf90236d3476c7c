#!/usr/bin/env python3
"""Writes tests/golden/tokenizer/parts.json: what single parts of a tokenizer make of small inputs, by the tokenizers
package. make_golden_tokenizer.py has whole tokenizers; here a fault shows which part it is in.

usage: make_golden_parts.py [FILE]
"""
import json
import sys
from pathlib import Path

import tokenizers

EMPTY = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "normalizer": None,
         "pre_tokenizer": None, "post_processor": None, "decoder": None,
         "model": {"type": "BPE", "vocab": {"a": 0, "b": 1}, "merges": []}}
BEHAVIORS = ["Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"]

TEXTS = ["", "a", " a  b ", "Hey, you_2!\n ok  .", "ab12c3 \u00bd\u0663", "a!b,,c \u00bfx\u3001", "-a--b-", "\u2581Hey you",
         "I'll GO  22,\tyou're\u3000it\u00a0", "\u00c0\u00c9\u0130\u03a3 \u1e9e\ufb01\u2460", "e\u0301a\u0308 \u0915\u093f",
         "\U0001f600\u200b\x00\x7f", "a\r\n\r\nb   "]

NORMALIZERS = [{"type": name} for name in ["NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "ByteLevel"]] + [
    {"type": "Strip", "strip_left": left, "strip_right": right} for left in [True, False] for right in [True, False]] + [
    {"type": "Prepend", "prepend": "\u2581"}, {"type": "Prepend", "prepend": ">>"},
    {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
    {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "_"},
    {"type": "Replace", "pattern": {"Regex": "[aeiou]"}, "content": ""},
    {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]},
    {"type": "Sequence", "normalizers": []}]

PRE_TOKENIZERS = [{"type": "Digits", "individual_digits": single} for single in [True, False]] + [
    {"type": "Punctuation", "behavior": behavior} for behavior in BEHAVIORS] + [
    {"type": "Whitespace"}, {"type": "WhitespaceSplit"}] + [
    {"type": "Split", "pattern": pattern, "behavior": behavior, "invert": invert}
    for pattern in [{"String": "-"}, {"Regex": "[0-9]+| "}] for behavior in BEHAVIORS for invert in [False, True]] + [
    {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": split}
    for scheme in ["always", "first", "never"] for split in [True, False]] + [
    {"type": "ByteLevel", "add_prefix_space": space, "trim_offsets": True, "use_regex": cut}
    for space in [True, False] for cut in [True, False]] + [
    {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, {"type": "Digits", "individual_digits": True}]},
    {"type": "Sequence", "pretokenizers": [
        {"type": "Split", "pattern": {"String": "-"}, "behavior": "Removed", "invert": False},
        {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True}]}]

TOKENS = [[], ["a"], ["\u2581Hey", "\u2581you"], ["\u2581\u2581Hey\u2581x", "\u2581", "\u2581you\u2581"], ["  a", " b ", "c  "],
          ["a", "<0xE2>", "<0x82>", "<0xAC>", "b", "<0xE2>", "<0x82>", "c"], ["<0xff>", "<0x41>"], ["<0x4>", "<0x0A>"],
          ["\u0120a", "\u00c3", "\u00a9", "\u0120"], ["\u00c3", "x"], ["HHaH", "Hb"]]

DECODERS = [{"type": "ByteFallback"}, {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
            {"type": "Fuse"}, {"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
            {"type": "Strip", "content": " ", "start": 1, "stop": 0}, {"type": "Strip", "content": "H", "start": 1, "stop": 1}] + [
    {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": scheme, "split": True}
    for scheme in ["always", "first", "never"]] + [
    {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                                      {"type": "ByteFallback"}, {"type": "Fuse"},
                                      {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}]


def part(key, settings):
    tokenizer = tokenizers.Tokenizer.from_str(json.dumps(EMPTY | {key: settings}))
    return getattr(tokenizer, key)


def main():
    rows = {"normalizer": [], "pre_tokenizer": [], "decoder": []}
    for settings in NORMALIZERS:
        made = [part("normalizer", settings).normalize_str(text) for text in TEXTS]
        rows["normalizer"].append({"settings": settings, "gives": made})
    for settings in PRE_TOKENIZERS:
        made = [[piece for piece, _ in part("pre_tokenizer", settings).pre_tokenize_str(text)] for text in TEXTS]
        rows["pre_tokenizer"].append({"settings": settings, "gives": made})
    for settings in DECODERS:
        made = [part("decoder", settings).decode(list(tokens)) for tokens in TOKENS]
        rows["decoder"].append({"settings": settings, "gives": made})
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else (
        Path(__file__).resolve().parent.parent / "tests/golden/tokenizer/parts.json")
    target.write_text(json.dumps({"tokenizers": tokenizers.__version__, "texts": TEXTS, "tokens": TOKENS} | rows,
                                 separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
