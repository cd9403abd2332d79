#!/bin/sh
# Fetches the Debian packages whose text `freshet demo` reads (deploy/demo_packages.txt) and unpacks them below
# build/demo-text, a folder a package: no root, nothing installed. Needs `apt-get update` to have run once. A package that
# is there already, or that is installed with all of its files (slim images leave out documentation), is left alone; a
# second run does nothing.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
target=${1:-$here/../build/demo-text}
mkdir -p "$target"
target=$(cd "$target" && pwd)

installed_in_full() {
  files=$(dpkg -L "$1" 2>/dev/null) || return 1
  echo "$files" | while IFS= read -r file; do
    [ -e "$file" ] || [ -L "$file" ] || exit 1
  done
}

missing=
while IFS= read -r package; do
  case $package in '' | '#'*) continue ;; esac
  [ -d "$target/$package" ] || installed_in_full "$package" || missing="$missing $package"
done <"$here/demo_packages.txt"
[ -n "$missing" ] || exit 0

echo "demo text: fetching$missing"
work=$(mktemp -d "$target/.fetch.XXXXXX")
trap 'rm -rf "$work"' EXIT INT TERM
cd "$work"
# shellcheck disable=SC2086 # a list of package names
apt-get -qq -o APT::Sandbox::User="$(id -un)" download $missing
for deb in *.deb; do
  package=${deb%%_*}
  dpkg-deb -x "$deb" "unpacked-$package"
  mv "unpacked-$package" "$target/$package"
done
