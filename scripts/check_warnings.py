#!/usr/bin/env python3
"""Asks a second compiler for its opinion: every source of a build is parsed, no code is made.

usage: check_warnings.py BUILD [JOBS [FOLDER]]   BUILD holds compile_commands.json, for example build/clang;
                                                 with FOLDER only the sources under it are read

Which warnings there are, and that they are errors, is said in cmake/nibble_module.cmake and the preset. Sources that
are compiled twice are read once; headers alone are the first compiler's.
Exit code 1 when a source has a finding.
"""
import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def commands(build, folder):
    seen = set()
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = Path(entry["file"]).resolve()
        if source in seen or build.resolve() in source.parents or folder not in source.parents:
            continue
        seen.add(source)
        words = shlex.split(entry["command"])
        while os.path.basename(words[0]) == "ccache":
            del words[0]
        output = words.index("-o")
        del words[output:output + 2]
        words.remove("-c")
        yield entry["directory"], [*words, "-fsyntax-only"]


def main():
    build = Path(sys.argv[1])
    jobs = int(sys.argv[2]) if len(sys.argv) > 2 else os.cpu_count()
    folder = Path(sys.argv[3] if len(sys.argv) > 3 else "/").resolve()

    def parse(command):
        folder, words = command
        return subprocess.run(words, cwd=folder, capture_output=True, text=True)

    count = failed = 0
    with ThreadPoolExecutor(jobs) as pool:
        for result in pool.map(parse, commands(build, folder)):
            count += 1
            failed += result.returncode != 0
            sys.stderr.write(result.stderr)
    print(f"warnings: {count} sources parsed, {failed} with findings")
    return 1 if failed or not count else 0


if __name__ == "__main__":
    sys.exit(main())
