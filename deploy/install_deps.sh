#!/bin/sh
# Installs what is missing of the Debian packages that building, testing and running Freshet needs. This is the one list.
#
#   deploy/install_deps.sh [PACKAGE...]     the list, and the packages named (the benches and `make fuzz` need a few more)
#   deploy/install_deps.sh --list           prints the list
#   deploy/install_deps.sh --update         refreshes apt's lists alone, for what downloads packages without installing
#
# Asks nothing. A run that finds everything installed touches nothing and needs neither root nor network.
set -eu

packages="
build-essential cmake ninja-build pkg-config
libexpected-dev libfmt-dev libspdlog-dev nlohmann-json3-dev
libsodium-dev
libzmq3-dev cppzmq-dev
librocksdb-dev
capnproto libcapnp-dev libtomlplusplus-dev
libpcre2-dev libutf8proc-dev zlib1g-dev
libtorch-dev libopenblas0-pthread libseccomp-dev
libcli11-dev
libgtest-dev librapidcheck-dev
"

say() { echo "install_deps: $*"; }
fail() { echo "install_deps: $*" >&2; exit 1; }

case ${1:-} in
  --list) for package in $packages; do echo "$package"; done; exit 0 ;;
  --update) ;;
  -*) fail "unknown flag $1 (usage: deploy/install_deps.sh [--list | --update | PACKAGE...])" ;;
esac
command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
  fail "this is no Debian system: install what the list in deploy/install_deps.sh names, then run 'make build'"

# Prints those of its arguments that are not installed.
missing_of() {
  # shellcheck disable=SC2016 # the dollar signs are dpkg's
  installed=$(dpkg-query -W -f='${db:Status-Abbrev} ${Package}\n' "$@" 2>/dev/null | sed -n 's/^ii *//p')
  for package in "$@"; do
    printf '%s\n' "$installed" | grep -qxF "$package" || printf '%s ' "$package"
  done
}

missing=
task=update
if [ "${1:-}" != --update ]; then
  # shellcheck disable=SC2086 # lists of package names
  missing=$(missing_of $packages "$@")
  missing=${missing% }
  [ -n "$missing" ] || exit 0
  say "missing: $missing"
  task="install -y --no-install-recommends $missing"
fi

as_root=
if [ "$(id -u)" -ne 0 ]; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root="sudo -n"
  elif command -v sudo >/dev/null && [ -t 0 ]; then
    as_root=sudo
  else
    fail "needs root: run 'sudo deploy/install_deps.sh $*', or as root 'apt-get $task'"
  fi
fi

apt() {
  $as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -y \
    -o DPkg::Lock::Timeout=600 -o Acquire::Retries=3 -o APT::Color=0 "$@" </dev/null
}

# apt-get waits for dpkg's lock, but not for the lock of the package lists.
update() {
  say "apt-get update"
  tries=0
  until apt update >"$log" 2>&1; do
    tries=$((tries + 1))
    if [ $tries -ge 10 ] || ! grep -q 'lists/lock' "$log"; then
      return 1
    fi
    sleep 5
  done
}

install() {
  # shellcheck disable=SC2086
  apt install --no-install-recommends $missing 2>&1 | tee "$log" | awk '
    /newly installed|Need to get/ { print "install_deps: " $0 }
    /^Fetched/ { print "install_deps: " $0 "; unpacking" }
    /^Unpacking/ { if (++unpacked % 25 == 0) print "install_deps: " unpacked " unpacked" }
    /^Setting up/ { if (++ready % 25 == 0) print "install_deps: " ready " set up" }
    { fflush() }'
  # shellcheck disable=SC2086
  [ -z "$(missing_of $missing)" ]
}

log=$(mktemp)
trap 'rm -f "$log"' EXIT INT TERM
if [ "${1:-}" = --update ]; then
  update || fail "apt-get update failed: $(tail -n 3 "$log" | tr '\n' ' ')"
  exit 0
fi
updated=no
# shellcheck disable=SC2086
if ! apt-cache show --no-all-versions $missing >/dev/null 2>&1; then
  update || say "apt-get update failed, going on with the lists that are there: $(tail -n 2 "$log" | tr '\n' ' ')"
  updated=yes
fi
if ! install; then
  if [ $updated = yes ] || ! update || ! install; then
    tail -n 15 "$log" >&2
    # shellcheck disable=SC2086
    fail "could not install: $(missing_of $missing)- apt's last words stand above"
  fi
fi
say "done"
