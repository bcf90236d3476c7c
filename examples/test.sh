#!/bin/sh
# Installs a finished build into a folder of its own, builds the examples against that and runs them.
#   examples/test.sh BUILD
set -eu
here="$(cd "$(dirname "$0")" && pwd)"
build="$(cd "$1" && pwd)"
model="$here/../assets/demo"
place="$build/examples"
rm -rf "$place"
mkdir -p "$place"

cmake --install "$build" --prefix "$place/installed" >"$place/install.log"
cmake -S "$here" -B "$place/build" -G Ninja -DCMAKE_BUILD_TYPE=Debug \
  -DCMAKE_PREFIX_PATH="$place/installed" >"$place/configure.log"
cmake --build "$place/build" -j 2

# expect TEXT COMMAND...: the command ends well and prints TEXT.
expect() {
  text="$1"
  shift
  "$@" >"$place/output" || { echo "failed: $*" >&2; exit 1; }
  grep -q -- "$text" "$place/output" || { echo "no '$text' in the output of: $*" >&2; cat "$place/output" >&2; exit 1; }
}
# 16 windows of 512 tokens to calibrate on.
for _ in 1 2 3 4 5 6 7 8; do cat "$model/sample.txt"; done >"$place/notes.txt"
expect '[a-z]' "$place/build/generate" "$model" 'Once upon a time'
expect 'bits a weight' "$place/build/quantize" "$model" "$place/out" "$place/notes.txt"
expect '[a-z]' "$place/build/generate" "$place/out" 'Once upon a time'
expect 'divergence' "$place/build/measure" "$model" "$model/sample.txt" "$place/out"
expect 'perplexity [0-9]' "$place/build/measure" "$model" "$model/sample.txt"
