#!/bin/sh
# Makes build/interop-venv: a Python environment with the reference libraries that `make interop` and the benches compare with,
# from the package registry that pip is configured with. Prints what it does and, where it cannot, why; exit code 0 both times.
# An environment that is whole is left as it is. FRESHET_PYTHON names another Python than python3.
set -u

cd "$(dirname "$0")/.."
venv=build/interop-venv
packages="torch transformers peft safetensors tokenizers gguf numpy jinja2 protobuf sentencepiece"
log=build/interop-venv.log
python=${FRESHET_PYTHON:-python3}

works() { "$venv/bin/python" -c 'import torch, transformers, peft, safetensors, tokenizers, gguf, jinja2' 2>/dev/null; }
skip() { echo "skipped: $*"; exit 0; }

# What has few users and much to bring along: without it its comparisons are skipped.
accountants() {
  "$venv/bin/python" -c 'import dp_accounting, opacus' 2>/dev/null && return
  "$venv/bin/pip" install --disable-pip-version-check --no-input --retries 2 dp-accounting opacus >>"$log" 2>&1 ||
    echo "skipped: the package registry gave no dp-accounting or opacus: privacy accounting is not compared"
}

works && { accountants; exit 0; }
mkdir -p build
free_mb=$(df -Pm build | awk 'NR == 2 { print $4 }')
[ "$free_mb" -ge 9000 ] || skip "the environment needs 9 GB of disk (torch brings its CUDA libraries along), $free_mb MB are free"
"$python" -m venv "$venv" >"$log" 2>&1 ||
  skip "$python -m venv failed: $(tail -n 1 "$log") (Debian: apt-get install python3-venv)"
echo "interop_env: $packages, once: some 3 GB of downloads"
# shellcheck disable=SC2086 # a list
if ! "$venv/bin/pip" install --disable-pip-version-check --no-input --retries 2 $packages >"$log" 2>&1; then
  skip "the package registry gave no environment: $(grep -E '^ERROR' "$log" | tail -n 1 | sed 's#[a-z]*://[^ ]*##g')"
fi
works || skip "the packages are installed but do not load: $("$venv/bin/python" -c 'import torch, transformers, peft, gguf' 2>&1 | tail -n 1)"
accountants
exit 0
