#!/bin/sh
# Configures and builds one preset of CMakePresets.json: deploy/build_preset.sh PRESET [JOBS [TARGET]]; JOBS may be empty.
# Says little: Ninja's own line on a terminal, every tenth line and whatever the compiler says elsewhere.
set -eu

preset=$1
cd "$(dirname "$0")/.."
jobs=${2:-}
target=${3:-all}
if [ -z "$jobs" ]; then                     # a job per core, and 2 GB of memory for each: LibTorch's headers are large
  memory_jobs=$(awk '/^MemTotal/ { print int($2 / 2000000) }' /proc/meminfo)
  jobs=$(nproc)
  [ "$memory_jobs" -ge "$jobs" ] || jobs=$memory_jobs
  [ "$jobs" -ge 1 ] || jobs=1
fi

mkdir -p build
echo "== configure $preset"
if ! cmake --preset "$preset" >"build/configure-$preset.log" 2>&1; then
  cat "build/configure-$preset.log" >&2
  exit 1
fi

echo "== build $preset: $target ($jobs jobs)"
export NINJA_STATUS='[%f/%t %es] '
if [ -t 1 ]; then
  exec cmake --build --preset "$preset" -j "$jobs" --target "$target"
fi
rm -f "build/$preset/failed"
{ cmake --build --preset "$preset" -j "$jobs" --target "$target" 2>&1 || touch "build/$preset/failed"; } |
  awk '/^\[[0-9]+\/[0-9]+ / { if (++lines % 10 == 0) { print; fflush() } next } { print; fflush() }'
if [ -e "build/$preset/failed" ]; then
  echo "build $preset failed: the compiler's words stand above" >&2
  exit 1
fi
