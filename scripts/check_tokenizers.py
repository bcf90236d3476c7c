#!/usr/bin/env python3
"""Compares `nibble tokenize` and `nibble detokenize` with the package `tokenizers`, id for id.

usage: check_tokenizers.py [--nibble PROGRAM] [--text FILE …] [--megabytes N] [--seed N] FOLDER…
needs: pip install tokenizers

The text is mixed for each tokenizer from the given files, Chinese, code, emoji, combining marks, odd
whitespace, random characters, and the tokenizer's own added tokens in the middle of it all.
Ends with 1 when any comparison fails.
"""
import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import unicodedata
from pathlib import Path

from tokenizers import Tokenizer

CODE = '''for (int i = 0; i < n; ++i) {\n\tsum += a[i] * b[i];\t// 3.14e-10, 0xFF\n}\n
def f(x):\n    """Don't I'LL we've"""\n    return {"k": [1, 22, 333, 4444, 55555]}\r\n\r\n
<div class="x">&nbsp;</div>\n\n\n    if (!ok) { throw std::runtime_error("no\\n"); }\n'''
CHINESE = "的一是在不了有和人这中大为上个国我以要他时来用们生到作地于出就分对成会可主发年动同工也能下过子说产种面而方后多定行学法所民得经十三之进着等部度家电力里如水化高自二理起小物现实加量都两体制机当使点从业本去把性好应开它合还因由其些然前外天政四日那社义事平形相全表间样与关各重新线内数正心反你明看原又么利比或但质气第向道命此变条只没结解问意建月公无系军很情者最立代想已通并提直题党程展五果料象员革位入常文总次品式活设及管特件长求老头基资边流路级少图山统接知较将组见计别她手角期根论运农指几九区强放决西被干做必战先回则任取据处队南给色光门即保治北造百规热领七海口东导器压志世金增争济阶油思术极交受联什认六共权收证改清己美再采转更单风切打白教速花带安场身车例真务具万每目至达走积示议声报斗完类八离华名确才科张信马节话米整空元况今集温传土许步群广石记需段研界拉林律叫且究观越织装影算低持音众书布复容儿须际商非验连断深难近矿千周委素技备半办青省列习响约支般史感劳便团往酸历市克何除消构府称太准精值号率族维划选标写存候毛亲快效斯院查江型眼王按格养易置派层片始却专状育厂京识适属圆包火住调满县局照参红细引听该铁价严龙飞"
EMOJI = ["😀", "👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪🇫🇷", "❤️", "1️⃣", "🧑🏿‍🚀", "☕", "🫠"]
SPACES = [" ", "  ", "   ", "\t", "\n", "\r\n", "\r", "\n\n", " \n ", "\u00a0", "\u2003", "\u3000", "\u200b",
          "\u2028", "\u0085", "\u000b", "\u000c", "\u1680", "\ufeff", "\u202f", "    \t  "]
WORLD = ["שָׁלוֹם", "مرحبا بالعالم", "नमस्ते दुनिया", "สวัสดีชาวโลก", "한국어 조합 가각", "Ελληνικά ΣΊΣΥΦΟΣ ς", "Привет, мир",
         "İstanbul ıI", "ﬁne ﬂow Ⅷ ½ ²", "Å Å Å", "e\u0301\u0323 q\u0307\u0323", "日本語テキスト", "Tiếng Việt",
         "it's IT'S we'Ll I'M you'd", "naïve cafe\u0301", "১২৩ ٤٥٦ 一二三 12345678901"]


def pieces(rng, files, added):
    """One endless stream of short texts."""
    assigned = [chr(c) for c in range(0x20, 0x30000) if unicodedata.category(chr(c)) not in ("Cn", "Cs", "Co")]
    while True:
        kind = rng.randrange(12)
        if kind <= 3 and files:
            text = rng.choice(files)
            start = rng.randrange(len(text))
            yield text[start:start + rng.randrange(20, 800)]
        elif kind == 4:
            yield "".join(rng.choices(CHINESE, k=rng.randrange(1, 40))) + rng.choice("，。！？、“”（）")
        elif kind == 5:
            start = rng.randrange(len(CODE))
            yield CODE[start:start + rng.randrange(5, 200)]
        elif kind == 6:
            yield "".join(rng.choices(EMOJI, k=rng.randrange(1, 4)))
        elif kind == 7:
            yield "".join(rng.choices(SPACES, k=rng.randrange(1, 5)))
        elif kind == 8:
            yield rng.choice(WORLD) + rng.choice(["", " "])
        elif kind == 9:
            marks = "".join(chr(rng.randrange(0x300, 0x36f)) for _ in range(rng.randrange(1, 5)))
            yield rng.choice("aeoEnzç가") + marks
        elif kind == 10 and added:
            yield rng.choice(["", " ", "  ", "a", "\n"]) + rng.choice(added) + rng.choice(["", " ", "  ", "b", "\n"])
        elif kind == 11:
            yield "".join(rng.choices(assigned, k=rng.randrange(1, 8)))


def mixed_text(seed, size, files, added):
    rng = random.Random(seed)
    text, total = [], 0
    for piece in pieces(rng, files, added):
        text.append(piece)
        total += len(piece.encode())
        if total >= size:
            return "".join(text)


def run(command):
    done = subprocess.run(command, capture_output=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)[:200]}\nended with {done.returncode}: {done.stderr.decode()}")
    return json.loads(done.stdout)


def first_difference(ours, theirs):
    at = next((i for i, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
    return f"first difference at {at}: {ours[at - 3:at + 5]!r} instead of {theirs[at - 3:at + 5]!r}"


def check(nibble, folder, text):
    reference = Tokenizer.from_file(str(folder / "tokenizer.json"))
    good = True
    with tempfile.NamedTemporaryFile() as file:
        file.write(text.encode())
        file.flush()
        for special in (True, False):
            theirs = reference.encode(text, add_special_tokens=special).ids
            start = time.time()
            flags = [] if special else ["--no-special"]
            ours = run([nibble, "tokenize", str(folder), "--file", file.name, "--json"] + flags)["ids"]
            equal = ours == theirs
            good &= equal
            print(f"{folder.name:18} encode special={special!s:5} {len(theirs)} ids, equal: {equal}"
                  f" ({time.time() - start:.1f} s)" + ("" if equal else "; " + first_difference(ours, theirs)))
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(",".join(map(str, theirs)))
        file.flush()
        for skip in (True, False):
            flags = [] if skip else ["--special"]
            ours = run([nibble, "detokenize", str(folder), "--file", file.name, "--json"] + flags)["text"]
            want = reference.decode(theirs, skip_special_tokens=skip)
            equal = ours == want
            good &= equal
            print(f"{folder.name:18} decode skip_special={skip!s:5} equal: {equal}"
                  + ("" if equal else "; " + first_difference(ours, want)))
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--nibble", default=str(Path(__file__).parent.parent / "build/release/nibble"))
    parser.add_argument("--text", nargs="*", default=[], type=Path)
    parser.add_argument("--megabytes", type=float, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    files = [path.read_text(encoding="utf-8") for path in options.text]
    good = True
    for folder in options.folders:
        added = [t["content"] for t in json.loads((folder / "tokenizer.json").read_text())["added_tokens"]]
        text = mixed_text(options.seed, int(options.megabytes * 1e6), files, added)
        good &= check(options.nibble, folder, text)
    sys.exit(0 if good else 1)


if __name__ == "__main__":
    main()
