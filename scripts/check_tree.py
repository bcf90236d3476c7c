#!/usr/bin/env python3
"""Checks the rules of the source tree (docs/architecture.md) and prints file:line for each break.

usage: check_tree.py [FOLDER]      exit code 1 when a rule is broken; warnings do not fail
"""
import fnmatch
import re
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

# Who may include whom: each folder of src/ with the folders below it.
NUMBERS = ["base", "tensor", "formats", "kernels"]
MODELS = ["checkpoint", "tokenizer", "chat", "nn", "model", "session"]
JOBS = ["quantize", "evaluate"]
ALLOWED = {folder: set(NUMBERS[:place]) for place, folder in enumerate(NUMBERS)}
ALLOWED |= {folder: set(NUMBERS) for folder in ["checkpoint", "tokenizer", "chat", "nn"]}
ALLOWED["model"] = set(NUMBERS + ["checkpoint", "tokenizer", "chat", "nn"])
ALLOWED["session"] = set(NUMBERS + MODELS[:-1])
ALLOWED |= {folder: set(NUMBERS + MODELS) for folder in JOBS}
ALLOWED |= {folder: set(NUMBERS + MODELS + ["quantize"]) for folder in ["train", "prune"]}
ALLOWED["cli"] = set(NUMBERS + MODELS + JOBS + ["train", "prune"])

# Public headers belong to the folder that implements them; None: to all. nibble.h includes the rest.
CONTRACT_OWNER = {
    "compute.h": None, "error.h": None, "process.h": None, "resume.h": None, "dtype.h": "tensor", "tensor.h": "tensor",
    "checkpoint.h": "checkpoint", "tokenizer.h": "tokenizer", "model.h": "session", "evaluate.h": "evaluate",
    "quantize.h": "quantize", "nibble.h": "cli",
}
# Older than the contract and used inside only: neither installed nor part of nibble.h.
NOT_INSTALLED = {"checkpoint.h", "dtype.h", "tensor.h"}
TWINS = "tests/twins.txt"  # sources that are tested under another name

MAX_LINES = 600
MAX_SOURCES = 15
MIN_BODY = 160  # characters of a body, spaces aside, from which equality is no accident

PRINTS = re.compile(
    r"(?<![\w.>])(?:std::|::)?(getenv|secure_getenv|setenv|printf|fprintf|puts|fputs|putchar|perror|exit|_exit|"
    r"quick_exit|abort)\s*\(|\bstd::(cout|cerr|clog|cin)\b|\bfmt::print\s*\(|\b(environ|stdout|stderr)\b")
# The assertion macro of checked builds has no other way to speak.
PRINTS_EXEMPT = {"src/base/check.h"}

INTRINSICS = re.compile(
    r"\b(_mm\d*_\w+|__m(128|256|512)\w*|__mmask\d+|__builtin_ia32_\w+|v(ld1|st1|fma|dot|add|mul)q?_[fsu]\d+)\b|"
    r"#\s*include\s*<(\w*intrin|arm_neon|simde/[^>]*)\.?h?>")
KERNEL_HEADERS = re.compile(r"^(stdint\.h|stddef\.h|cstdint|cstddef|\w*intrin\.h|arm_neon\.h|simde/.*)$")

# Words that belong to one machine or one package index. Written apart so that this file passes.
FOREIGN = [
    (re.compile(r"(?<![\w.~-])/" + "(work|root)" + r"(/|\b(?![\w-]))"), "path of one machine"),
    (re.compile(r"(?<![\w.~-])/tmp" + r"/[a-z]"), "path of one machine"),
    (re.compile(r"(?<![\w-])(" + "|".join([
        r"py" r"pi\.org", r"python" r"hosted\.org", r"crates" r"\.io", r"npm" r"js\.(org|com)",
        r"proxy\.go" r"lang\.org", r"deb\.deb" r"ian\.org"]) + r")\b"), "host of a package index"),
]
TEXT_SUFFIXES = {".cc", ".h", ".py", ".sh", ".md", ".txt", ".cmake", ".json", ".yml", ".yaml", ".def", ".test",
                 ".test_slow", ""}


class Findings:
    def __init__(self):
        self.errors = []
        self.warnings = []

    def error(self, path, line, rule, text):
        self.errors.append(f"{path}:{line}: {rule}: {text}")

    def warning(self, text):
        self.warnings.append(text)


def tracked_files(root):
    """What git tracks or would track; every file when this is no git checkout."""
    try:
        listing = subprocess.run(
            ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            check=True, capture_output=True, text=True).stdout
        names = sorted(set(filter(None, listing.split("\0"))))
        if names:
            return [name for name in names if (root / name).is_file()]
    except (OSError, subprocess.CalledProcessError):
        pass
    skipped = {".git", "build", ".cache", "__pycache__"}
    return sorted(str(path.relative_to(root)) for path in root.rglob("*")
                  if path.is_file() and not skipped & set(path.relative_to(root).parts))


LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(?P<tag>[^()\s\\]{0,16})\(.*?\)(?P=tag)"|"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])+\'', re.S)


def blank(text):
    return re.sub(r"[^\n]", " ", text)


def without_comments(text):
    return LITERAL.sub(lambda m: blank(m[0]) if m[0].startswith(("//", "/*")) else m[0], text)


def code_only(text):
    """Comments and the insides of literals become spaces; lines and columns stay."""
    def replace(match):
        token = match[0]
        # A digit separator is no character literal: 1'000'000.
        if token[0] == "'" and match.start() and text[match.start() - 1].isalnum():
            return token
        return blank(token)
    # Includes carry names in quotes that the rules need.
    kept = re.compile(r'^[ \t]*#\s*include[^\n]*', re.M)
    result = list(LITERAL.sub(replace, text))
    for match in kept.finditer(text):
        result[match.start():match.end()] = match[0]
    return "".join(result)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def check_includes(path, code, findings):
    parts = path.split("/")
    folder = parts[1] if parts[0] == "src" and len(parts) > 2 else None
    if parts[0] == "src" and folder and folder not in ALLOWED:
        findings.error(path, 1, "floors", f"folder src/{folder} has no floor; give it one in scripts/check_tree.py")
        return
    for match in re.finditer(r'^[ \t]*#\s*include\s*(["<])([^">]+)[">]', code, re.M):
        line, target = line_of(code, match.start()), match[2]
        if match[1] == "<":
            continue
        head = target.split("/")[0]
        if head == "nibble":
            owner = CONTRACT_OWNER.get(target.split("/")[1])
            if folder and owner and owner != folder and owner not in ALLOWED[folder]:
                findings.error(path, line, "floors", f"{folder} may not include {target} (implemented by {owner})")
        elif parts[0] == "include":
            findings.error(path, line, "contract", f"include/nibble may not include {target}")
        elif folder and "/" not in target:
            findings.error(path, line, "floors", f'write the folder too: "{folder}/{target}"')
        elif folder and head != folder:
            if head in JOBS and folder in JOBS:
                findings.error(path, line, "jobs", f"jobs do not include each other: {folder} includes {target}")
            elif head not in ALLOWED[folder]:
                findings.error(path, line, "floors", f"{folder} may not include {target}")


def check_prints(path, code, findings):
    if not path.startswith("src/") or path.startswith("src/cli/") or path in PRINTS_EXEMPT:
        return
    for match in PRINTS.finditer(code):
        word = next(filter(None, match.groups()), None) or match[0]
        findings.error(path, line_of(code, match.start()), "door",
                       f"only cli/ prints, reads the environment or ends the program: {word}")


def check_intrinsics(path, code, findings):
    kernel = re.match(r"src/kernels/(\w+)/", path)
    if kernel and kernel[1] != "scalar":
        for match in re.finditer(r'^[ \t]*#\s*include\s*(["<])([^">]+)[">]', code, re.M):
            fine = KERNEL_HEADERS.match(match[2]) if match[1] == "<" else match[2].startswith("kernels/")
            if not fine:
                findings.error(path, line_of(code, match.start()), "kernels",
                               f"a file with its own CPU flags may not include {match[2]}")
    if path.startswith(("src/", "include/")) and (not kernel or kernel[1] in ("scalar", "vector")):
        for match in INTRINSICS.finditer(code):
            findings.error(path, line_of(code, match.start()), "kernels",
                           f"intrinsics live under kernels/<instruction set>/ only: {match[0].strip()}")


def entries_of(root, list_file):
    text = without_comments((root / list_file).read_text())
    return [(match[2], line_of(text, match.start()))
            for match in re.finditer(r"^([A-Z]+)\((\w+)[^)\n]*\)", text, re.M)]


def check_names(path, text, specs, findings):
    """Rule 4: an architecture's name stands in its own file, wherever else it stands is a branch."""
    if not path.startswith(("src/", "include/")) or path.startswith("src/model/specs/") or not specs:
        return
    names = "|".join(map(re.escape, specs))
    # Not in the names of programs: llama.cpp, llama-quantize, PEFT's AutoPeftModelForCausalLM.
    pattern = re.compile(
        rf"(?<![A-Za-z0-9])({names})(?![A-Za-z0-9]|\.cpp|-[a-z])|\b(?!Auto)\w+For(CausalLM)\b", re.I)
    for match in pattern.finditer(without_comments(text)):
        findings.error(path, line_of(text, match.start()), "specs",
                       f"'{match[0]}' belongs into its file under model/specs/")


def check_list(root, list_file, files, findings):
    """Each line of a list.def has its definition in the folder, and each definition its line."""
    folder = list_file.rsplit("/", 1)[0]
    sources = [name for name in files if name.startswith(folder + "/") and name.endswith(".cc")]
    entries = entries_of(root, list_file)
    seen = set()
    for name, line in entries:
        if name in seen:
            findings.error(list_file, line, "list", f"'{name}' is listed twice")
        seen.add(name)
    # A folder below with a list of its own looks after its own sources.
    sources = [s for s in sources if s.rsplit("/", 1)[0] == folder or not (root / s).parent.joinpath("list.def").exists()]
    declared = None
    for source in sources:
        declared = declared or re.search(r"#define [A-Z]+\(\w+[^)]*\)\s+extern const (\w+) \w+?(?:##(\w+))?;",
                                         (root / source).read_text())
    if not declared:
        texts = [(root / source).read_text() for source in sources]
        for name, line in entries:
            word = re.compile(rf"\b{name}\b")
            if f"{folder}/{name}.cc" not in sources and not any(map(word.search, texts)):
                findings.error(list_file, line, "list", f"no source in {folder} defines '{name}'")
        return
    definition = re.compile(rf"^(?:extern )?const {declared[1]} (\w+){declared[2] or ''}\s*[{{(=]", re.M)
    defined = {}
    for source in sources:
        text = (root / source).read_text()
        for match in definition.finditer(text):
            defined[match[1]] = (source, line_of(text, match.start()))
    for name, line in entries:
        if name not in defined:
            findings.error(list_file, line, "list", f"no source in {folder} defines '{name}'")
    for name, (source, line) in defined.items():
        if name not in seen:
            findings.error(source, line, "list", f"'{name}' has no line in {list_file}")


def check_shape(files, lines, findings):
    """Depth and number of sources."""
    sources = defaultdict(int)
    for path in files:
        parts = path.split("/")
        if parts[0] != "src":
            continue
        if len(parts) > 4:
            findings.error(path, 1, "depth", "src/ is two folders deep at most")
        if path.endswith(".cc"):
            sources["/".join(parts[:-1])] += 1
    for folder, count in sorted(sources.items()):
        # One file for each command, method or architecture is the point of these folders.
        listed = f"{folder}/list.def" in files
        if count > MAX_SOURCES and not listed:
            findings.error(folder, 1, "folder", f"{count} sources, at most {MAX_SOURCES}: it is two nouns, split it")
    for path, count in lines.items():
        if count > MAX_LINES and path.endswith((".cc", ".h", ".py", ".sh", ".cmake", "/dev")):
            findings.error(path, MAX_LINES + 1, "length", f"{count} lines, at most {MAX_LINES}: split by noun")


def bodies(code, text):
    """(offset, body without white space) of every function body that is long enough to compare."""
    opener = re.compile(r"\)\s*(?:const|noexcept|override|final|->\s*[\w:<>&*, ]+|\s)*\{")
    control = re.compile(r"\b(if|for|while|switch|catch)\s*(constexpr\s*)?$")
    for match in opener.finditer(code):
        depth, at = 0, match.start()
        while at >= 0:  # back to the bracket that opens the parameters
            depth += (code[at] == ")") - (code[at] == "(")
            if depth == 0:
                break
            at -= 1
        if at < 0 or control.search(code[:at]) or code[:at].rstrip().endswith("]"):
            continue
        depth, end = 0, match.end() - 1
        while end < len(code):
            depth += (code[end] == "{") - (code[end] == "}")
            if depth == 0:
                break
            end += 1
        body = "".join(without_comments(text[match.end():end]).split())
        if len(body) >= MIN_BODY:
            yield match.start(), body


def check_copies(codes, texts, findings):
    places = defaultdict(list)
    for path, code in codes.items():
        if path.startswith(("src/", "tests/", "bench/", "fuzz/")):
            for offset, body in bodies(code, texts[path]):
                places[body].append((path, line_of(code, offset)))
    for found in places.values():
        # What instruction sets define alike lies in namespaces of their own; kernels are one text.
        vectors = all(re.fullmatch(r"src/kernels/\w+/(vectors|codes)\.h", path) for path, _ in found)
        if len(found) < 2 or vectors:
            continue
        (path, line), others = found[0], found[1:]
        text = "same body as " + ", ".join(f"{other}:{at}" for other, at in others)
        if all(place.startswith("src/") for place, _ in found):
            findings.error(path, line, "copy", text)
        else:
            findings.warning(f"{path}:{line}: copy: {text}")


def check_text(root, path, findings):
    if Path(path).suffix not in TEXT_SUFFIXES or path.startswith("assets/"):
        return
    try:
        text = (root / path).read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return
    for pattern, what in FOREIGN:
        for match in pattern.finditer(text):
            findings.error(path, line_of(text, match.start()), "words", f"{what}: {match[0]}")


def check_head(path, text, codes, findings):
    header = path[:-3] + ".h"  # a source whose header has its name is described there, a test by its name
    described = path.endswith("_test.cc") or (
        path.endswith(".cc") and {header, "include/nibble/" + Path(header).name} & set(codes))
    if not text.startswith("//") and not described:
        findings.error(path, 1, "head", "a file begins with a comment that says what it is")
    if path.endswith(".h") and "#pragma once" not in text:
        findings.error(path, 1, "head", "a header says #pragma once")


def check_contract(files, texts, findings):
    """Every public header has its owner above, and nibble.h is all of them."""
    whole = "include/nibble/nibble.h"
    if whole not in files:
        return
    present = {Path(name).name for name in files if name.startswith("include/nibble/")}
    for name in sorted(present ^ set(CONTRACT_OWNER)):
        findings.error(f"include/nibble/{name}", 1, "contract", "CONTRACT_OWNER in scripts/check_tree.py and the folder differ")
    for name in sorted(present - NOT_INSTALLED - {"nibble.h"}):
        if f'#include "nibble/{name}"' not in texts[whole]:
            findings.error(whole, 1, "contract", f"does not include nibble/{name}")


def check_parameter_names(path, code, findings):
    """Without a name, a test's parameter is printed: bytes and addresses that differ from run to run."""
    for match in re.finditer(r"\bINSTANTIATE_TEST_SUITE_P\(", code):
        depth, commas, at = 1, 0, match.end()
        while depth and at < len(code):
            depth += (code[at] in "([{") - (code[at] in ")]}")
            commas += depth == 1 and code[at] == ","
            at += 1
        if commas < 3:
            findings.error(path, line_of(code, match.start()), "names", "parameters of a test need names")


def check_twins(root, files, findings):
    """Each source has a test of its name, or a line in TWINS that says which test is its own."""
    present = set(files)
    missing = {path for path in files if path.startswith("src/") and path.endswith(".cc")
               and "tests/" + path[len("src/"):-len(".cc")] + "_test.cc" not in present}
    listed = set()
    if TWINS in present:
        for number, line in enumerate((root / TWINS).read_text().splitlines(), 1):
            if not line.strip() or line.startswith("#"):
                continue
            pattern, _, tests = line.partition(":")
            found = set(fnmatch.filter(missing, "src/" + pattern.strip()))
            if not found:
                findings.error(TWINS, number, "twins", f"src/{pattern.strip()} is no source without a test of its name")
            for test in tests.split():
                if not fnmatch.filter(present, "tests/" + test):
                    findings.error(TWINS, number, "twins", f"there is no tests/{test}")
            if not tests.split():
                findings.error(TWINS, number, "twins", "names no test")
            listed |= found
    for path in sorted(missing - listed):
        findings.error(path, 1, "twins", f"has neither a test of its name nor a line in {TWINS}")


def check(root):
    root = Path(root)
    findings = Findings()
    files = tracked_files(root)
    texts, codes, lines = {}, {}, {}
    specs = []
    if "src/model/specs/list.def" in files:
        specs = [name for name, _ in entries_of(root, "src/model/specs/list.def")]
    for path in files:
        check_text(root, path, findings)
        if path.startswith("assets/") or Path(path).suffix not in TEXT_SUFFIXES:
            continue
        try:
            text = (root / path).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        lines[path] = text.count("\n")
        if path.endswith((".cc", ".h")):
            texts[path], codes[path] = text, code_only(text)
    for path, code in codes.items():
        check_includes(path, code, findings)
        check_prints(path, code, findings)
        check_intrinsics(path, code, findings)
        check_names(path, texts[path], specs, findings)
        check_head(path, texts[path], codes, findings)
        check_parameter_names(path, code, findings)
    for path in files:
        if path.startswith("src/") and path.endswith("/list.def"):
            check_list(root, path, files, findings)
    check_shape(files, lines, findings)
    check_copies(codes, texts, findings)
    check_contract(files, texts, findings)
    check_twins(root, files, findings)
    return findings, len(files)


def main():
    root = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent.parent
    findings, count = check(root)
    for text in findings.warnings:
        print("warning:", text)
    for text in findings.errors:
        print(text)
    verdict = f"{len(findings.errors)} broken rules" if findings.errors else "all rules hold"
    print(f"tree check: {count} files, {verdict}, {len(findings.warnings)} warnings")
    return 1 if findings.errors else 0


if __name__ == "__main__":
    sys.exit(main())
