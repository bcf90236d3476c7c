#!/usr/bin/env python3
"""Writes tests/golden/tokenizer_training/cases.json: what the tokenizers library learns from small texts with many ties.
needs: pip install tokenizers

Of each case: the texts, whether they are read by lines (as Tokenizer.train reads a file) or each as a whole (as
train_from_iterator does), the options, the tokens behind the special ones and the bytes, and the merges.
"""
import json
import random
import tempfile
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

OUT = Path(__file__).parent.parent / "tests/golden/tokenizer_training/cases.json"


def trained(texts, by_lines, vocabulary, special=(), min_frequency=0):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=list(special), min_frequency=min_frequency,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()), show_progress=False)
    if not by_lines:
        tokenizer.train_from_iterator(texts, trainer)
        return tokenizer
    with tempfile.TemporaryDirectory() as folder:
        files = [Path(folder) / str(number) for number in range(len(texts))]
        for file, text in zip(files, texts):
            file.write_bytes(text.encode())
        tokenizer.train([str(file) for file in files], trainer)
    return tokenizer


def case(name, texts, by_lines=True, **options):
    tokenizer = trained(texts, by_lines, **options)
    model = json.loads(tokenizer.to_str())["model"]
    assert model == json.loads(trained(texts, by_lines, **options).to_str())["model"], name
    tokens = sorted(model["vocab"], key=model["vocab"].get)
    begin = len(set(options.get("special", ())) | set(pre_tokenizers.ByteLevel.alphabet()))
    return {"name": name, "texts": texts, "by_lines": by_lines, **options, "tokens": tokens[begin:],
            "merges": model["merges"]}


def random_text(seed, letters, words, longest, spread):
    """Words of few letters, in a random order; `spread` words more occur up to 20 times."""
    rng = random.Random(seed)
    all_words = ["".join(rng.choices(letters, k=rng.randint(1, longest))) for _ in range(words)]
    for word in all_words[:spread]:
        all_words += [word] * rng.randint(1, 20)
    rng.shuffle(all_words)
    return " ".join(all_words)


PROSE = """It's a text that isn't long.  It has 3 lines, 1234 numbers,
    blanks in front,\ttabs\tand
trailing blanks   \r
and a line end of another system.\r
We'll see what they've made of that: I'm sure that you'd do the same!!! -- "quoted", (in brackets) ...


Three line ends stood before this line. Café, naïve, Straße, Ελλάδα, Москва, 日本語の文章, 한국어, 🙂🙂 𝒳.
\u00a0\u2003wide blanks\u3000here \u0301marks e\u0301 ²³½ ٣٤ _under_score
"""

CASES = [
    case("ties", ["ab cd ef gh ij kl mn op qr st uv wx yz " * 3], vocabulary=300),
    case("runs", ["a aa aaa aaaa aaaaa aaaaaa aaaaaaa " + "a" * 50 + " bababab babababab ababab"], vocabulary=290),
    case("two_ways", ["abc abc abc ab ab bc bc bc xabc yabc xab ybc abcabc abcabcabc"], vocabulary=290),
    case("prose", [PROSE * 2], vocabulary=420),
    case("prose_across_lines", [PROSE * 2], by_lines=False, vocabulary=420),
    case("several", [PROSE, "no line end", "\n\n\n", "  \n x"], vocabulary=300),
    case("whole_rows", [PROSE, "no line end", "\n\n\n", "  \n x", ""], by_lines=False, vocabulary=300),
    case("special", ["the theme then there a <s> the </s>"], vocabulary=275, special=["<s>", "</s>", "the", "a", "Ġ", "é"]),
    case("min_frequency", [random_text(1, "abcde", 60, 6, 10)], vocabulary=500, min_frequency=4),
    case("exhausted", ["one two three two"], vocabulary=1000),
    case("no_merges", ["one two three"], vocabulary=257, special=["<|endoftext|>"]),
]
CASES += [case(f"random_{seed}", [random_text(seed, letters, 120, 9, 20)], vocabulary=256 + 150)
          for seed, letters in enumerate(["ab", "abc", "abcdef", "aab", "éèa", "a1.", "日本a"])]

if __name__ == "__main__":
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text("[\n" + ",\n".join(json.dumps(c, ensure_ascii=False, separators=(",", ":")) for c in CASES) + "\n]\n")
    print(f"{OUT.name}: {len(CASES)} cases, {OUT.stat().st_size} bytes")
