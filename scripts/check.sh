#!/usr/bin/env bash
# Format, clang-tidy and tree rules; `./dev check` runs this first and the sanitizer tests after it.
#   scripts/check.sh           clang-tidy on the files that differ from the last commit or from main
#   scripts/check.sh --all     clang-tidy on every source file (slow)
set -euo pipefail
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/.."

say() { printf '== %s\n' "$*" >&2; }

sources() { git ls-files --cached --others --exclude-standard -- '*.cc' '*.h' | sort -u; }

changed() {
  local base
  base="$(git merge-base HEAD origin/main 2>/dev/null || git rev-parse HEAD)"
  { git diff --name-only --diff-filter=d "$base"; git ls-files --others --exclude-standard; } |
    grep -E '^(src|tests|bench|fuzz)/.*\.cc$' | sort -u || true
}

say "format"
sources | xargs -r clang-format --dry-run --Werror

say "tree rules"
python3 scripts/check_tree.py

if [[ "${1:-}" == --all ]]; then
  mapfile -t files < <(sources | grep -E '^src/.*\.cc$')
else
  mapfile -t files < <(changed)
fi
if ((${#files[@]})); then
  say "clang-tidy on ${#files[@]} files"
  [[ -f build/dev/compile_commands.json ]] || cmake --preset dev >/dev/null
  # GCC's options that clang does not know are no findings.
  printf '%s\n' "${files[@]}" |
    xargs -P "$(nproc)" -n 1 clang-tidy -p build/dev --quiet \
      --extra-arg=-Wno-unknown-warning-option --extra-arg=-Wno-unused-command-line-argument
else
  say "clang-tidy: no changed source file"
fi
