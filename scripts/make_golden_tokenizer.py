#!/usr/bin/env python3
"""Writes tests/golden/tokenizer/*.json: tiny tokenizers of every shape, texts, and what the package
`tokenizers` makes of them.   needs: pip install tokenizers

Each file: {"tokenizer": tokenizer.json, "texts": […], "variants": [{"name", "override", "results"}]}.
A variant replaces top-level members (and members of "model") of the tokenizer; its results are, for each
text, [ids with special tokens, ids without, decoded without special tokens, decoded with all].
"""
import copy
import json
from pathlib import Path

import tokenizers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

OUT = Path(__file__).parent.parent / "tests/golden/tokenizer"

GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")

LEARN = ["The quick brown fox jumps over the lazy dog. It's here, they're there; we've 1234 things.",
         "def add(a, b):\n    return a + b\n\nfor i in range(10):\n\tprint(i)\n",
         "Once upon a time there was a little girl who lived in a house near the forest.",
         "你好，世界。今天天气很好。", "Größe naïve café"] * 4

TEXTS = [
    "", " ", "a", "Hello, world!", " leading and trailing ", "two  spaces   three    four",
    "tabs\tand\nnewlines\r\n\r\nand \n mixed \n\n", "it's IT'S we'Ll they'RE 'tis ''s",
    "numbers 1 12 123 1234 12345.678 ½ ² Ⅷ ٤٥٦", "你好，世界！今天天气很好吗？",
    "for (int i = 0; i < n; ++i) {\n\tsum += a[i]; // 0xFF\n}\n", "👩‍👩‍👧‍👦🏳️‍🌈 👍🏽 🇩🇪 1️⃣",
    "e\u0301 \u1e9b\u0323 A\u030a \u212b q\u0307\u0323 \uac00 \u1100\u1161",
    "\u00a0nbsp\u2003em\u3000ideographic\u200bzero\u2028line\u0085next\u000bvt\ufeffbom",
    "ẞ İ ı ΣΊΣΥΦΟΣ ς ﬁ ﬂ Ǆ", "שָׁלוֹם مرحبا नमस्ते สวัสดี 한국어", "\U00010348\U0001f600\U000e0041",
    "a<s>b <s> c</s>", "<s><s></s> <|end|>\n<|end|>x <|end|>", "▁already▁there ▁ x", "<0x41><0x0A>\n<0xFF>",
    "word sword words Word WORD word_", "before   [L]   after  [R]  after [LR] \n [LR] end",
    "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "theretherethertheretherethethethe", "x\u0000y\u0001z\u007f", "...!?;--==//\\\\\"quoted\"", "\n\n\n", "     ",
]


def token(content, **flags):
    entry = dict(content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True)
    return entry | flags


def with_added(base, tokens):
    """The tokenizer with these added tokens, ids as the package gives them."""
    vocab = base["model"]["vocab"]
    fresh = len(vocab)
    base["added_tokens"] = []
    for entry in tokens:
        number = vocab.get(entry["content"])
        if number is None:
            number, fresh = fresh, fresh + 1
        base["added_tokens"].append({"id": number} | entry)
    base["added_tokens"].sort(key=lambda entry: entry["id"])
    return base


def template(bos, number, eos=None, eos_number=None):
    single = [{"SpecialToken": {"id": bos, "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]
    special = {bos: {"id": bos, "ids": [number], "tokens": [bos]}}
    if eos:
        single.append({"SpecialToken": {"id": eos, "type_id": 0}})
        special[eos] = {"id": eos, "ids": [eos_number], "tokens": [eos]}
    pair = [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}]
    return {"type": "TemplateProcessing", "single": single, "pair": pair, "special_tokens": special}


def byte_level(use_regex=True, add_prefix_space=False):
    return {"type": "ByteLevel", "add_prefix_space": add_prefix_space, "trim_offsets": True, "use_regex": use_regex}


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def sequence(*parts):
    return {"type": "Sequence", "pretokenizers": list(parts)}


def trained_bytes():
    """GPT-2's shape: 256 bytes and 150 merges."""
    tok = Tokenizer(models.BPE())
    tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tok.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=406, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
                                  show_progress=False)
    tok.train_from_iterator(LEARN, trainer)
    return json.loads(tok.to_str())


def trained_pieces():
    """SentencePiece's shape: <unk>, <s>, </s>, 256 byte tokens, characters, 150 merges."""
    tok = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tok.normalizer = normalizers.Replace(" ", "▁")
    tok.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)]
    trainer = trainers.BpeTrainer(vocab_size=460, special_tokens=special, show_progress=False)
    tok.train_from_iterator(LEARN, trainer)
    base = json.loads(tok.to_str())
    base["normalizer"] = base["pre_tokenizer"] = None
    return with_added(base, [token("<unk>"), token("<s>"), token("</s>")])


SP_DECODER = {"type": "Sequence", "decoders": [
    {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"},
    {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}


def overridden(base, override):
    result = copy.deepcopy(base)
    for key, value in override.items():
        if key == "model":
            result["model"].update(value)
        else:
            result[key] = value
    return result


def write(name, base, variants, texts=TEXTS):
    rows = []
    for label, override in variants.items():
        tok = Tokenizer.from_str(json.dumps(overridden(base, override)))
        results = []
        for text in texts:
            ids, plain = (tok.encode(text, add_special_tokens=special).ids for special in (True, False))
            results.append([ids, plain, tok.decode(ids), tok.decode(ids, skip_special_tokens=False)])
        rows.append({"name": label, "override": override, "results": results})
    merges = [" ".join(pair) for pair in base["model"]["merges"]]
    if all(len(merge.split(" ")) == 2 for merge in merges):
        base["model"]["merges"] = merges  # the old spelling, which is also the shorter one
    text = json.dumps({"made_with": f"tokenizers {tokenizers.__version__}", "tokenizer": base, "texts": texts,
                       "variants": rows}, ensure_ascii=False, separators=(",", ":"))
    (OUT / f"{name}.json").write_text(text + "\n", encoding="utf-8")
    print(name, len(rows), "variants", len(text.encode()), "bytes")


def byte_level_shapes():
    base = with_added(trained_bytes(), [token("<|begin|>"), token("<|end|>"), token("<s>", special=False)])
    begin, end = len(base["model"]["vocab"]), len(base["model"]["vocab"]) + 1
    processors = {"type": "Sequence", "processors": [byte_level(), template("<|begin|>", begin)]}
    write("byte_level", base, {
        "gpt2": {"pre_tokenizer": byte_level()},
        "gpt2 with a blank in front": {"pre_tokenizer": byte_level(add_prefix_space=True)},
        "llama3": {"pre_tokenizer": sequence(split(LLAMA3), byte_level(False)), "post_processor": processors,
                   "model": {"ignore_merges": True}},
        "qwen": {"normalizer": {"type": "NFC"}, "pre_tokenizer": sequence(split(QWEN), byte_level(False)),
                 "post_processor": byte_level()},
        "smollm2": {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": True}, byte_level())},
        "runs of digits": {"pre_tokenizer": sequence({"type": "Digits", "individual_digits": False}, byte_level())},
        "opt": {"pre_tokenizer": byte_level(), "post_processor": template("<|begin|>", begin, "<|end|>", end)},
        "roberta": {"pre_tokenizer": byte_level(), "post_processor": {
            "type": "RobertaProcessing", "sep": ["<|end|>", end], "cls": ["<|begin|>", begin],
            "trim_offsets": True, "add_prefix_space": False}},
        "bytes as a normalizer": {"normalizer": {"type": "ByteLevel"}, "pre_tokenizer": None},
    })


def sentencepiece_shapes():
    base = trained_pieces()
    base["decoder"] = SP_DECODER
    base["post_processor"] = template("<s>", 1)
    prepend = {"type": "Prepend", "prepend": "▁"}
    blanks = {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}

    def metaspace(scheme, cut):
        return {"type": "Metaspace", "replacement": "▁", "prepend_scheme": scheme, "split": cut}

    legacy = {"type": "Sequence", "normalizers": [prepend, blanks]}
    write("sentencepiece", base, {
        "llama legacy": {"normalizer": legacy},
        "llama": {"pre_tokenizer": metaspace("first", False)},
        "gemma": {"normalizer": blanks, "pre_tokenizer": split(" ", "MergedWithPrevious", kind="String"),
                  "decoder": {"type": "Sequence", "decoders": SP_DECODER["decoders"][:3]}},
        "metaspace always": {"pre_tokenizer": metaspace("always", True), "decoder": {"type": "Sequence", "decoders": [
            {"type": "ByteFallback"}, metaspace("always", True)]}},
        "metaspace never": {"pre_tokenizer": metaspace("never", True), "decoder": metaspace("never", True)},
        "unknown": {"normalizer": legacy, "model": {"byte_fallback": False}},
        "unknown, one each": {"normalizer": legacy, "model": {"byte_fallback": False, "fuse_unk": False}},
        "unknown left out": {"normalizer": legacy, "model": {"byte_fallback": False, "unk_token": None}},
        "no decoder": {"normalizer": legacy, "decoder": None, "post_processor": None},
        "strip both ends": {"normalizer": blanks, "decoder": {"type": "Sequence", "decoders": [
            SP_DECODER["decoders"][0], {"type": "Fuse"}, {"type": "Strip", "content": "t", "start": 2, "stop": 0}]}},
    })


def added_token_shapes():
    base = trained_bytes()
    base["pre_tokenizer"] = byte_level()
    base = with_added(base, [
        token("<s>"), token("</s>", rstrip=True), token("<|end|>", lstrip=True, rstrip=True),
        token("word", single_word=True, special=False), token("[L]", lstrip=True), token("[R]", rstrip=True),
        token("[LR]", lstrip=True, rstrip=True, special=False), token("quick", normalized=True, special=False),
        token("CAFÉ", normalized=True, special=False), token("  ", special=False), token("    ", special=False),
        token("<s><s>", special=False), token("Σ", normalized=True, single_word=True, special=False),
        token("▁x", normalized=True, special=True),
    ])
    marks = {"type": "Sequence", "normalizers": [{"type": "NFD"}, {"type": "StripAccents"}, {"type": "Lowercase"}]}
    write("added_tokens", base, {
        "plain": {}, "lower case": {"normalizer": {"type": "Lowercase"}}, "accents": {"normalizer": marks},
        "stripped": {"normalizer": {"type": "Strip", "strip_left": True, "strip_right": True}},
        # What the first token takes with it is all that the second consists of.
        "blanks taken twice": {"added_tokens": with_added(copy.deepcopy(base), [
            token("[R]", rstrip=True), token("  ", lstrip=True),
            token("\n", lstrip=True, special=False)])["added_tokens"]},
        # The second is among the blanks that the first takes with it, and what follows the second is text once more.
        "a token in taken blanks": {"added_tokens": with_added(copy.deepcopy(base), [
            token("and", rstrip=True, special=False), token("\n", special=False),
            token("  ", lstrip=True, rstrip=True)])["added_tokens"]},
    })


def component_shapes():
    """Characters with merges that cross every border, so that each cut shows."""
    tok = Tokenizer(models.BPE(unk_token="<unk>"))
    tok.train_from_iterator(LEARN + TEXTS, trainers.BpeTrainer(vocab_size=430, special_tokens=["<unk>"],
                                                              show_progress=False))
    base = with_added(json.loads(tok.to_str()), [token("<unk>")])
    base["decoder"] = {"type": "Fuse"}
    variants = {}
    for behavior in ("Isolated", "Removed", "Contiguous", "MergedWithPrevious", "MergedWithNext"):
        for invert in (False, True):
            variants[f"split {behavior} {invert}"] = {"pre_tokenizer": split(r"[aeiou\s]", behavior, invert)}
        variants[f"punctuation {behavior}"] = {"pre_tokenizer": {"type": "Punctuation", "behavior": behavior}}
    variants["split at a text"] = {"pre_tokenizer": split("th", "MergedWithNext", kind="String")}
    variants["look-around"] = {"pre_tokenizer": split(r"(?<=[a-z])(?=[A-Z])|(?<!\d)\d{2}|\b", "Isolated")}
    variants["whitespace"] = {"pre_tokenizer": {"type": "Whitespace"}}
    variants["whitespace split"] = {"pre_tokenizer": {"type": "WhitespaceSplit"}}
    for form in ("NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents"):
        variants[form] = {"normalizer": {"type": form}}
    variants["strip left"] = {"normalizer": {"type": "Strip", "strip_left": True, "strip_right": False}}
    variants["replace by a pattern"] = {"normalizer": {"type": "Replace", "pattern": {"Regex": r"\s{2,}|[0-9]"},
                                                       "content": "_"}}
    variants["replace in decoding"] = {"decoder": {"type": "Replace", "pattern": {"Regex": "[aeiou]+"},
                                                   "content": "*"}}
    write("components", base, variants)


def affixes():
    """Prefixes inside words and suffixes at their ends."""
    vocab = {t: i for i, t in enumerate(["<unk>", "a", "##b", "##c</w>", "##bc</w>", "abc</w>", "a</w>", "##b</w>", "ab</w>",
                                         "##a", "##aa", "##c"])}
    base = {"version": "1.0", "added_tokens": [], "normalizer": None, "pre_tokenizer": {"type": "WhitespaceSplit"},
            "post_processor": None, "decoder": None, "model": {
                "type": "BPE", "unk_token": "<unk>", "continuing_subword_prefix": "##", "end_of_word_suffix": "</w>",
                "fuse_unk": False, "byte_fallback": False, "vocab": vocab,
                "merges": [["##b", "##c</w>"], ["a", "##bc</w>"], ["a", "##b</w>"], ["##a", "##a"]]}}
    write("affixes", base, {"affixes": {}}, ["abc", "a", "ab abc aab", "aaaab cab x", "abcabc"])


if __name__ == "__main__":
    OUT.mkdir(parents=True, exist_ok=True)
    byte_level_shapes()
    sentencepiece_shapes()
    added_token_shapes()
    component_shapes()
    affixes()
