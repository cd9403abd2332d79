#!/bin/sh
# Makes the general English text that the two base models were trained on.
#
#   models/corpus.sh OUTDIR
#
# Downloads the Debian packages named in models/corpus/sources.tsv (apt-get download, no root, nothing is installed),
# unpacks them, keeps running prose, and writes
#   OUTDIR/train/NAME.txt, OUTDIR/valid/NAME.txt   documents, each followed by a line <|endoftext|>
#   OUTDIR/SOURCES.txt                             package, version, bytes, licences named in its copyright file
# The same packages give the same bytes. What is already there is kept: a second run only writes the text again.
set -eu

if [ $# -ne 1 ]; then
  echo "usage: models/corpus.sh OUTDIR" >&2
  exit 2
fi
here=$(cd "$(dirname "$0")" && pwd)
sources=$here/corpus/sources.tsv
mkdir -p "$1/debs" "$1/unpacked"
out=$(cd "$1" && pwd)

packages=$(grep -v '^#' "$sources" | cut -f1)
for package in $packages; do
  if [ -d "$out/unpacked/$package" ]; then
    continue
  fi
  echo "corpus: fetching $package"
  deb=$(ls "$out/debs/${package}"_*.deb 2>/dev/null | head -n 1)
  if [ -z "$deb" ]; then
    (cd "$out/debs" && apt-get -qq -o APT::Sandbox::User=root download "$package") || {
      echo "corpus: cannot download $package: run 'apt-get update', or see whether this Debian release has it" >&2
      exit 1
    }
    deb=$(ls "$out/debs/${package}"_*.deb | head -n 1)
  fi
  rm -rf "$out/unpacked/.part"
  dpkg-deb -x "$deb" "$out/unpacked/.part"
  mv "$out/unpacked/.part" "$out/unpacked/$package"
done

python3 "$here/corpus/extract.py" "$sources" "$out/unpacked" "$out"

{
  printf 'package | version | MB train | KB held out | share %% | licences of the text (Debian copyright file)\n'
  grep -v '^#' "$sources" | while IFS='	' read -r package _; do
    version=$(dpkg-deb -f "$(ls "$out/debs/${package}"_*.deb | head -n 1)" Version)
    sizes=$(awk -F'\t' -v p="$package" '$1 == p {printf "%.2f | %.1f | %s", $2 / 1e6, $3 / 1e3, $5}' "$out/sizes.tsv")
    licence=$(awk -F'\t' -v p="$package" '$1 == p {print $2}' "$here/corpus/licences.tsv")
    printf '%s | %s | %s | %s\n' "$package" "$version" "$sizes" "$licence"
  done
} >"$out/SOURCES.txt"
rm -f "$out/sizes.tsv"
echo "corpus: $out/train $(du -sm "$out/train" | cut -f1) MB, $out/valid $(du -sk "$out/valid" | cut -f1) KB"
