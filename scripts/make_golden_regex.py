#!/usr/bin/env python3
"""Writes tests/golden/base/python_regex.json: what Python's re says to patterns, and on which texts they match.

usage: make_golden_regex.py      needs Python 3.11 or later (possessive repetition) and below 3.14 (\\B in "")
"""
import json
import random
import re
import sys
import warnings
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "tests/golden/base/python_regex.json"
TEXTS = ["", "a", "b", "aa", "ab", "aab", "abc", "A", "\n", "a\n", "a\nb", "\na", "a b", "é", "a0_", "]", "[", "&&", "-",
         ":a", "{x}", "a{", "ba\n", "a#c", "model.layers.0.mlp.down_proj", "model.layers.12.self_attn.q_proj"]
BY_HAND = [
    r"model\.layers\.0\..*", r".*\.12\.(?:self_attn|mlp)\.q_proj\Z", r"(?P<layer>model\.layers\.\d+)\.mlp\.(up|down)_proj$",
    r"^model\.layers\.(?!0\.)\d+", r"(?i)MODEL\.LAYERS", r"(?x) model \. layers  # verbose", r"(?s)a.b", r"(?m)^b$", r"a$",
    r"a\Z", r"(?<=a)\Z", r"(?P<q>a)(?P=q)", r"(a)?(?(1)b|$)", r"a++b", r"a*+a", r"(?>a|ab)c", r"[[:alpha:]]", r"[a&&b]",
    r"[]a]", r"[^]a]", r"x{,2}a", r"a{2}?b", r"{x}", r"a{", r"\x61\u0062\U00000063", r"\141", r"\0", r"a|", "", r"(?#c)a",
    r"(?-i:a)", r"(?i:A)b", r"\.", r"\_", r"[\w.]+\.mlp", r"((a)|b)\2", r"[\d-]", r"[a\-c]", r"[+--]",
    r"(", r")", r"[", r"a**", r"*a", r"^*", r"\b+", r"a{3,1}", r"\h", r"\q", r"(?P<a>b)(?P<a>c)", r"(?P=x)", r"\2(a)",
    r"(a\1)", r"[b-a]", r"[\d-z]", r"(?z)", r"a(?i)b", r"(?P>x)", r"\x6", r"\u12", r"[\q]", r"(?<n>a)", r"\777", "\\",
]
CHARACTERS = ["a", "b", "c", ".", "0", "_", "é", " ", "-", "{", "}", "]", "#", "^", "$"]
ESCAPES = [r"\d", r"\w", r"\s", r"\D", r"\W", r"\S", r"\b", r"\A", r"\Z", r"\.", r"\n", r"\x61", r"\u0062", r"\141", r"\1"]
MEMBERS = ["a", "b", "-", "a-c", r"\d", r"\w", "[", "&&", "^", r"\]", "é", r"\b", ":", r"\-", "0-9", "[:alpha:]", r"\n"]
GROUPS = ["(%s)", "(?:%s)", "(?P<n>%s)", "(?=%s)", "(?!%s)", "(?<=a)%s", "(?<!b)%s", "(?>%s)", "(?i:%s)", "(?s:%s)",
          "(?m:%s)", "(?-i:%s)", "(?x: %s )", "(?#c)%s", "(?P=n)%s", "(a)?(?(1)%s|b)", "(%s)\\1"]
REPEATS = ["*", "+", "?", "{2}", "{1,2}", "{,2}", "{1,}", "{x}", "*?", "+?", "??", "{2}?", "{1,3}?", "*+", "++", "?+",
           "{1,2}+", "**"]


class Grammar:
    def __init__(self, seed):
        self.random = random.Random(seed)

    def element(self, depth):
        kind = self.random.random()
        if kind < 0.45:
            text = self.random.choice(CHARACTERS)
        elif kind < 0.6:
            text = self.random.choice(ESCAPES)
        elif kind < 0.75:
            members = "".join(self.random.choices(MEMBERS, k=self.random.randint(1, 4)))
            text = "[" + self.random.choice(["", "", "^", "]", "^]"]) + members + "]"
        elif depth > 3:
            text = "a"
        else:
            group = self.random.choice(GROUPS)
            text = group % self.alternatives(depth + 1)
            # Oniguruma refuses to repeat groups that only look around; so does Nibble, which is no wrong answer.
            return text
        return text + (self.random.choice(REPEATS) if self.random.random() < 0.4 else "")

    def alternatives(self, depth):
        def sequence():
            return "".join(self.element(depth) for _ in range(self.random.randint(0, 3)))
        return "|".join(sequence() for _ in range(self.random.choice([1, 1, 1, 2, 3])))

    def pattern(self):
        return self.random.choice(["", "", "", "", "(?i)", "(?s)", "(?m)", "(?x)", "(?im)"]) + self.alternatives(0)


def case(pattern):
    try:
        expression = re.compile(pattern)
    except (re.error, OverflowError) as error:
        return {"pattern": pattern, "refused": str(error)}
    # One digit for each text: 1 where re.match finds something, 2 more where re.search does.
    found = "".join(str((expression.match(text) is not None) + 2 * (expression.search(text) is not None)) for text in TEXTS)
    return {"pattern": pattern, "found": found}


def main():
    warnings.simplefilter("ignore")
    grammar = Grammar(1)
    patterns = dict.fromkeys(BY_HAND + [grammar.pattern() for _ in range(600)])
    FILE.parent.mkdir(parents=True, exist_ok=True)
    result = {"made_with": "Python " + sys.version.split()[0], "texts": TEXTS, "cases": [case(text) for text in patterns]}
    FILE.write_text(json.dumps(result, ensure_ascii=False, separators=(",", ":")) + "\n")
    print(f"{len(result['cases'])} patterns, {sum('refused' in c for c in result['cases'])} refused")


if __name__ == "__main__":
    main()
