#!/usr/bin/env python3
"""Checks that code compiled with an instruction set's flags stays where that set is chosen: a function that the
linker may merge with its namesake of another file (weak) lies in the namespace of its folder under src/kernels.

usage: check_symbols.py NM OBJECT…      exit code 1 when a function breaks the rule
"""
import re
import subprocess
import sys

FOLDER = re.compile(r"src/kernels/(\w+)/[^/]+$")
# nm's W: a function that may be merged. Merged data (V, u) runs nowhere.
WEAK = re.compile(r"^[0-9a-f]+ W (.+)$", re.M)


def folder_of(path):
    """The folder under src/kernels with flags of its own, or None."""
    found = FOLDER.search(path)
    return found[1] if found and found[1] != "scalar" else None


def strangers(listing, folder):
    """Mangled names of the weak functions in nm's listing that do not lie in nibble::folder."""
    own = re.compile(rf"^_ZN(K?)6nibble{len(folder)}{folder}")
    return [name for name in WEAK.findall(listing) if not own.match(name)]


def main():
    nm, objects = sys.argv[1], [path for path in sys.argv[2:] if folder_of(path)]
    if not objects:
        print("check_symbols.py: no object of an instruction set; expected paths that hold src/kernels/")
        return 1
    broken = 0
    for path in objects:
        listing = subprocess.run([nm, "--defined-only", path], check=True, capture_output=True, text=True).stdout
        for name in strangers(listing, folder_of(path)):
            print(f"{path}: {name}: other files may run this copy; put it into nibble::{folder_of(path)} or a namespace "
                  "without a name")
            broken += 1
    print(f"symbol check: {len(objects)} objects, {broken} functions that other files may run")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
