#!/bin/sh
# units.sh UNITS BIN: systemd finds nothing to say about the units of the folder UNITS, run with the programs of BIN, and
# rates their exposure at 1.5 or below. Exits with 77 (skipped) where systemd-analyze is missing.
set -eu
units=$1
bin=$2
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is not installed: nothing checked"; exit 77; }
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
failed=0
for unit in "$units"/*.service; do
  name=$(basename "$unit")
  # Man pages come with the packages, programs are where the build has put them.
  sed -e "s|/usr/bin/|$bin/|" -e '/^Documentation=/d' "$unit" >"$place/$name"
  said=$(systemd-analyze verify --man=no "$place/$name" 2>&1 | grep -F "$name" || true)
  if [ -n "$said" ]; then
    echo "$name: $said"
    failed=1
  fi
  level=$(systemd-analyze security --offline=true --no-pager "$place/$name" | sed -n 's/.*exposure level for .*: \([0-9.]*\) .*/\1/p')
  echo "$name: exposure ${level:-unknown}"
  awk -v level="${level:-10}" 'BEGIN { exit !(level <= 1.5) }' || failed=1
done
exit $failed
