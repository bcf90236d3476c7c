#!/usr/bin/env python3
"""Compares how nibble reads texts, data sets and tokenizer folders with the packages tokenizers and transformers.

usage: check_texts.py [--nibble PROGRAM] [--seed N] [--only PART …]
needs: pip install transformers tokenizers jinja2

Four generators, each with its score; ends with 1 when anything differs.
  added      tokenizers with random added tokens (strip flags, single words, normalized, special) on texts made of them
  forms      one list of rows as prose, JSON lines, arrays, UTF-16, with marks and mixed line ends: one text for all
  refused    damaged texts, each of which must end with exit code 3 and a place
  special    tokens named in tokenizer_config.json and special_tokens_map.json in every manner, printed by a template
"""
import argparse
import copy
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "assets/demo"
GOLDEN = ROOT / "tests/golden/tokenizer"


class Score:
    def __init__(self, name):
        self.name, self.good, self.count, self.skipped = name, 0, 0, 0

    def add(self, what, wanted, found):
        self.count += 1
        self.good += wanted == found
        if wanted != found:
            print(f"DIFFERS {self.name}: {what}\n  wanted {wanted!r}\n  found  {found!r}")

    def show(self):
        print(f"{self.name:8} {self.good} of {self.count} equal" + (f", {self.skipped} without a reference" if self.skipped else ""))
        return self.good == self.count


def run(nibble, arguments, stdin=None):
    done = subprocess.run([nibble] + [str(a) for a in arguments], capture_output=True, input=stdin)
    if done.returncode < 0 or done.returncode == 1:
        return {"crash": done.returncode, "stderr": done.stderr.decode()[-400:]}
    try:
        return json.loads(done.stdout) | {"rc": done.returncode}
    except ValueError:
        return {"rc": done.returncode, "stderr": done.stderr.decode()[-400:]}


# added: overlapping neighbours are the point, so tokens are made of few characters.

CONTENTS = ["[I]", "\n", " ", "  ", "[I]\n", "\t", "<s>", "</s>", "ab", "a", "é", "Ab", "<|x|>", "\u00a0", "▁", "x y"]
PARTS = CONTENTS + ["hi", "b", " ", " \n ", "\r\n", "  ", ".", "AB", "e\u0301", "日", "😀", "\ufeff", "\u2028"]


def random_tokens(rng):
    tokens = []
    for content in rng.sample(CONTENTS, rng.randint(1, 5)):
        special = rng.random() < 0.6
        tokens.append({"content": content, "special": special, "single_word": rng.random() < 0.2, "lstrip": rng.random() < 0.4,
                       "rstrip": rng.random() < 0.4, "normalized": rng.random() < 0.5 if not special else rng.random() < 0.15})
    return tokens


def with_tokens(tree, tokens):
    tree = copy.deepcopy(tree)
    vocab = tree["model"]["vocab"]
    number = max(vocab.values()) + 1
    tree["added_tokens"] = []
    for token in tokens:
        known = vocab.get(token["content"])
        tree["added_tokens"].append({"id": number if known is None else known} | token)
        number += known is None
    tree["added_tokens"].sort(key=lambda token: token["id"])
    tree["post_processor"] = None
    return tree


def base_tokenizers():
    for name in ("byte_level", "sentencepiece"):
        golden = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
        for variant in golden["variants"]:
            tree = copy.deepcopy(golden["tokenizer"])
            for key, value in variant["override"].items():
                tree[key] = tree[key] | value if key == "model" else value
            yield f"{name}/{variant['name']}", tree


def shares_spelling(reference, tokens):
    """Whether two tokens that are looked for in the normalized text are the same there."""
    normal = reference.normalizer.normalize_str if reference.normalizer else str
    spellings = [normal(token["content"]) for token in tokens if token["normalized"]]
    return len(set(spellings)) < len(spellings)


def check_added(nibble, rng, folder, score):
    from tokenizers import Tokenizer
    bases = list(base_tokenizers())
    for number in range(160):
        name, tree = bases[number % len(bases)]
        tree = with_tokens(tree, random_tokens(rng))
        (folder / "tokenizer.json").write_text(json.dumps(tree), encoding="utf-8")
        reference = Tokenizer.from_str(json.dumps(tree))
        if shares_spelling(reference, tree["added_tokens"]):
            score.skipped += 2  # from 0.23 on the package takes any of them, another one each time
            continue
        for _ in range(2):
            text = "".join(rng.choices(PARTS, k=rng.randint(2, 40)))
            if text.startswith("\ufeff"):
                text = "." + text  # the start of a text is the part `forms`
            try:
                wanted = reference.encode(text, add_special_tokens=False).ids
            except BaseException as problem:  # the package itself stops on some overlaps
                if "Panic" not in type(problem).__name__:
                    raise
                score.skipped += 1
                continue
            found = run(nibble, ["tokenize", folder, "--file", "-", "--no-special", "--json"], text.encode())
            score.add(f"{name} {tree['added_tokens']} {text!r}", wanted, found.get("ids", found))


# forms

ROWS = [
    ["One day.", "{two} [three]", "end"],
    ["", " = Robert Boulter = \n", "", " \"quoted\" \\ back\\slash\ttab\n"],
    ["Größe, 日本語 😀 \u2028 e\u0301", "line\r\nends\rmixed\n", "\ufeffmark inside", "</s> <|endoftext|> ]}{["],
    ["{\"looks\": \"like JSON\"}", "[1, 2, 3]", "x" * 5000],
]


def forms_of(rows):
    def lines(dump, end="\n"):
        return end.join(dump(row) for row in rows) + end

    def row(text):
        return json.dumps({"text": text}, ensure_ascii=False)

    def with_more(text):
        return json.dumps({"id": 7, "meta": {"a": [1, None]}, "text": text, "score": 0.5})

    objects = [{"text": text} for text in rows]
    for name, text in {
        "lines": lines(row), "lines without end": lines(row)[:-1], "lines with CRLF": lines(row, "\r\n"),
        "lines with blank ones": "\n\n" + lines(row, "\n \n"), "lines of more keys": lines(with_more),
        "lines in ASCII": lines(lambda text: json.dumps({"text": text})), "values side by side": lines(row, ""),
        "lines of strings": lines(lambda text: json.dumps(text)), "array": json.dumps(objects),
        "array of strings": json.dumps(rows, ensure_ascii=False), "pretty array": json.dumps(objects, indent=2),
        "pretty array of strings": json.dumps(rows, indent="\t", ensure_ascii=False),
        "pretty with CRLF": json.dumps(objects, indent=4).replace("\n", "\r\n"),
        "pretty values": "\n".join(json.dumps(row, indent=1) for row in objects),
    }.items():
        yield name, text
    prose = "\n\n".join(rows)
    if not prose.startswith(("{", "[", "\ufeff")):
        yield "prose", prose


def encodings_of(text):
    yield "UTF-8", text.encode()
    yield "UTF-8 with mark", b"\xef\xbb\xbf" + text.encode()
    yield "UTF-16LE", b"\xff\xfe" + text.encode("utf-16-le")
    yield "UTF-16BE", b"\xfe\xff" + text.encode("utf-16-be")


def check_forms(nibble, rng, folder, score):
    for rows in ROWS:
        wanted = hashlib.sha256("\n\n".join(rows).encode()).hexdigest()
        for name, text in forms_of(rows):
            plain, *others = encodings_of(text)
            for encoding, content in (plain, rng.choice(others)):
                arguments = ["perplexity", DEMO, "--protocol", "gptq-4", "--windows", "1", "--json", "--file"]
                piped = rng.random() < 0.3
                if not piped:
                    (folder / "text").write_bytes(content)
                found = run(nibble, arguments + (["-"] if piped else [folder / "text"]), content if piped else None)
                score.add(f"{name}, {encoding}, {rows[:2]!r:.60}", wanted, found.get("text_sha256", found))


def check_refused(nibble, rng, folder, score):
    row = b'{"text": "fine"}\n'
    for name, content in {
        "Latin-1": "one\ncafé au lait".encode("latin-1"), "cut-off character": "one\ntwo 日".encode()[:-1],
        "surrogate in UTF-8": b"one\n\xed\xa0\x80", "odd UTF-16": b"\xff\xfea\0\n\0b", "half a pair": b"\xfe\xff\0a\xd8\x3d\0b",
        "UTF-16 without mark": "one two".encode("utf-16-le"), "UTF-32": "one".encode("utf-32"), "gzip": b"\x1f\x8b\x08\0\0\0",
        "parquet": b"PAR1\x15\x04", "zip": b"PK\x03\x04\x14", "row without end": row + b'{"text": "a', "comma too many": row + b'{"text": "a",}',
        "two texts in a row": row + b'{"text": "a", "text": "b"}', "bad bytes in a row": row + b'{"text": "\xe9"}',
        "prose behind rows": row + b"and then prose", "array without end": b'[{"text": "a"},\n', "no comma": b'[{"text": "a"}\n{"text": "b"}]',
        "no key": b'{"body": "a"}\n', "numbers": b"[1, 2, 3]", "lists": b"[1, 2]\n[3]\n", "no rows": b"[]", "null": b'{"text": null}',
        "Python": b"{'text': 'a'}\n{'text': 'b'}", "lone surrogate": b'{"text": "\\ud800"}', "SQuAD": b'{"question": "a", "answers": {"text": ["b"]}}',
        "choices": b'{"question": "a", "choices": ["b"], "answerKey": 0}', "DPO": b'{"prompt": "a", "chosen": "b", "rejected": "c"}',
        "bad role": b'{"conversations": [{"from": "moon", "value": "a"}]}', "deep": b"[" * 5000 + b"]" * 5000,
    }.items():
        (folder / "text").write_bytes(content)
        found = run(nibble, ["perplexity", DEMO, "--protocol", "gptq-4", "--windows", "1", "--json", "--file", folder / "text"])
        message = json.dumps(found)
        has_place = any(word in message for word in ("line ", "byte ", " is ", "no rows"))
        score.add(name, (3, True), (found.get("rc"), has_place))


# special

NAMES = ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token", "image_token", "boi", "video_token"]
TOKENS = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<a>", "[X]", ""]
TEMPLATE = ("{% for m in messages %}{{ m.role }}:{{ m.content }}{{ m.content is defined }} {{ m.thinking }} {% endfor %}"
            + "|".join(f"{n} {{{{ {n} is defined }}}} {{{{ {n} is none }}}} {{{{ {n} }}}}" for n in NAMES)
            + "{% if bos_token %}yes{% endif %}{{ (eos_token|safe) + '<' }}{{ unk_token|e }}")
MESSAGES = [
    [{"role": "user", "content": "Hi"}],
    [{"role": "user", "content": "<b>"}, {"role": "assistant", "content": None, "reasoning": "Hm."}, {"role": "user", "content": ""}],
]


def random_value(rng, as_object):
    value = rng.choice(TOKENS[:5])
    if as_object and rng.random() < 0.3:
        flags = {"lstrip": False, "normalized": False, "rstrip": False, "single_word": False}
        return {"content": value} | flags | ({"__type": "AddedToken", "special": True} if as_object == "config" else {})
    return None if rng.random() < 0.2 else value


def random_special(rng):
    config = {name: random_value(rng, "config") for name in NAMES[:8] if rng.random() < 0.5}
    config |= {"clean_up_tokenization_spaces": False}
    kind = rng.choice(["PreTrainedTokenizerFast", "PreTrainedTokenizerFast", "LlamaTokenizer", "GPT2Tokenizer", None])
    if kind:
        config["tokenizer_class"] = kind
    if rng.random() < 0.4:
        config["extra_special_tokens"] = rng.choice([{"boi": "<|im_start|>", "video_token": "<v>"}, {"image_token": "<i>"}, ["<a>", "<b>"], {}])
    if rng.random() < 0.2:
        config["model_specific_special_tokens"] = rng.choice([{"boi": "<|im_end|>"}, {"image_token": "<j>", "boi": "<b>"}, {}])
    if rng.random() < 0.3:
        config["added_tokens_decoder"] = {}
    if rng.random() < 0.3:
        config["additional_special_tokens"] = ["<b>"]
    special_map = None
    if rng.random() < 0.5:
        special_map = {name: random_value(rng, "map") for name in NAMES[:8] if rng.random() < 0.5}
        if rng.random() < 0.3:
            special_map["extra_special_tokens"] = {"video_token": "<w>"}
    return config, special_map


def check_special(nibble, rng, folder, score):
    os.environ["HF_HUB_OFFLINE"] = "1"
    from transformers import AutoTokenizer, logging
    logging.set_verbosity_error()
    for number in range(120):
        case = folder / f"special{number}"
        case.mkdir()
        shutil.copy(DEMO / "tokenizer.json", case)
        (case / "config.json").write_text(json.dumps({"model_type": "llama", "architectures": ["LlamaForCausalLM"]}))
        config, special_map = random_special(rng)
        config["chat_template"] = TEMPLATE
        (case / "tokenizer_config.json").write_text(json.dumps(config), encoding="utf-8")
        if special_map is not None:
            (case / "special_tokens_map.json").write_text(json.dumps(special_map), encoding="utf-8")
        messages = MESSAGES[number % len(MESSAGES)]
        (folder / "messages.json").write_text(json.dumps(messages))
        what = f"{config | {'chat_template': '…'}} map {special_map} messages {number % len(MESSAGES)}"
        try:
            wanted = AutoTokenizer.from_pretrained(case).apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        except Exception as problem:  # whatever the package makes of such files
            score.skipped += 1
            if score.skipped <= 3:
                print(f"no reference for {what}: {type(problem).__name__}: {problem}")
            continue
        found = run(nibble, ["template", case, "--messages", folder / "messages.json", "--json"])
        score.add(what, wanted, found.get("prompt", found))


PARTS_OF_THIS = {"added": check_added, "forms": check_forms, "refused": check_refused, "special": check_special}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nibble", default=str(ROOT / "build/release/nibble"))
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", choices=list(PARTS_OF_THIS), default=list(PARTS_OF_THIS))
    options = parser.parse_args()
    good = True
    total, equal = 0, 0
    for name in options.only:
        score = Score(name)
        with tempfile.TemporaryDirectory() as folder:
            PARTS_OF_THIS[name](options.nibble, random.Random(options.seed), Path(folder), score)
        good &= score.show()
        total, equal = total + score.count, equal + score.good
    print(f"{equal} of {total} variants equal")
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
