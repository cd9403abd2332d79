#!/bin/sh
# Builds the torch-free part for aarch64 on another machine and runs its tests, and masked rounds in
# the simulator, under qemu-user. The machine itself stays as it is: compiler, emulator and the
# libraries for aarch64 are Debian's packages, unpacked under build/arm64. Without them, and without
# the network to bring them, it says so and leaves with 0.
#
#   deploy/test_arm64.sh [JOBS]
set -eu

cd "$(dirname "$0")/.."
root=$PWD/build/arm64
jobs=${1:-$(nproc)}
tests="base crypto storage transport aggregation protocol membership edge_node simulations"

say() { echo "test_arm64: $*"; }
skip() { say "skipped: $*"; exit 0; }

case $(uname -m) in
  aarch64) skip "this machine is aarch64 itself; make test says more" ;;
  x86_64) ;;
  *) skip "made for x86_64 machines, this one is $(uname -m)" ;;
esac
for tool in apt-get apt-cache dpkg-deb capnp; do
  command -v $tool >/dev/null || skip "$tool is missing: this takes a Debian system after deploy/install_deps.sh"
done

# apt with lists and archives of its own; $1: the architecture.
own_apt() {
  arch=$1; shift
  mkdir -p "$root/apt-$arch/lists/partial" "$root/apt-$arch/archives/partial"
  touch "$root/apt-$arch/status"
  apt-get -q -y -o APT::Architecture="$arch" -o APT::Architectures="$arch" -o APT::Color=0 -o Acquire::Retries=3 \
    -o APT::Sandbox::User= -o Dir::State="$root/apt-$arch" -o Dir::State::status="$root/apt-$arch/status" \
    -o Dir::Cache="$root/apt-$arch" "$@" </dev/null
}

# Brings packages with all that they need, and unpacks them into $2.
unpack() {
  arch=$1; into=$2; shift 2
  [ -e "$into.done" ] && return 0
  log=$root/apt-$arch.log
  mkdir -p "$into"
  { own_apt "$arch" update && own_apt "$arch" install --no-install-recommends --download-only "$@"; } >"$log" 2>&1 ||
    skip "cannot bring the packages for $arch ($(grep -m 1 '^E:' "$log" || tail -n 1 "$log"); all of it in $log)"
  for package in "$root/apt-$arch"/archives/*.deb; do dpkg-deb -x "$package" "$into"; done
  touch "$into.done"
}

mkdir -p "$root"
if command -v aarch64-linux-gnu-g++ >/dev/null && command -v qemu-aarch64-static >/dev/null; then
  tools=
else
  say "bringing compiler and emulator"
  unpack amd64 "$root/tools" g++-aarch64-linux-gnu qemu-user-static
  tools=$root/tools
  # Where these say that libraries lie, they do not.
  find "$tools/usr/aarch64-linux-gnu/lib" -name '*.so' -size -4k -type f -exec sed -i 's|/usr/aarch64-linux-gnu/lib/||g' {} +
  # What the tools were linked with and this machine may not have; its own libraries come first.
  LD_LIBRARY_PATH=${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}/usr/lib/x86_64-linux-gnu:$tools/usr/lib/x86_64-linux-gnu
  export LD_LIBRARY_PATH
fi
say "bringing libraries for aarch64"
unpack arm64 "$root/sysroot" libc6-dev libstdc++-12-dev libgcc-12-dev libexpected-dev libfmt-dev libspdlog-dev \
  nlohmann-json3-dev libsodium-dev libzmq3-dev cppzmq-dev librocksdb-dev capnproto libcapnp-dev libtomlplusplus-dev \
  libpcre2-dev libutf8proc-dev zlib1g-dev libcli11-dev libgtest-dev librapidcheck-dev libseccomp-dev
# Links that name places of a whole system point into the sysroot.
find "$root/sysroot" -type l -lname '/*' | while read -r link; do
  ln -sfn "$root/sysroot$(readlink "$link")" "$link"
done

FRESHET_ARM64_SYSROOT=$root/sysroot FRESHET_ARM64_TOOLS=$tools
export FRESHET_ARM64_SYSROOT FRESHET_ARM64_TOOLS
say "building"
cmake -S . -B "$root/build" -G Ninja -DCMAKE_TOOLCHAIN_FILE="$PWD/deploy/cmake/arm64.cmake" -DCMAKE_BUILD_TYPE=Release \
  -DCMAKE_CXX_FLAGS_RELEASE="-O1" -DFRESHET_TORCH=OFF -DFRESHET_BATCHES=ON \
  -DFRESHET_ONLY="base;crypto;aggregation;transport;storage;model;protocol;membership;authority;coordinator;edge_node;simulations;tests" \
  -DFRESHET_TESTS="$(echo "$tests" | tr ' ' ';')" >"$root/configure.log" 2>&1 || { tail -n 20 "$root/configure.log" >&2; exit 1; }
cmake --build "$root/build" -j "$jobs" >"$root/build.log" 2>&1 || { tail -n 40 "$root/build.log" >&2; exit 1; }
say "testing under $("$tools${tools:+/usr/bin/}qemu-aarch64-static" --version | head -n 1)"
# A program that starts others of its kind would need the kernel to know the emulator, which keeps
# memory limits to itself.
GTEST_FILTER=-ProcessLimits.HoldAndLeaveTheHardOnes
export GTEST_FILTER
ctest --test-dir "$root/build" --output-on-failure --no-tests=error -j "$jobs" -E '^trainer_service$'
say "masked rounds of 8 nodes in the simulator"
"$tools${tools:+/usr/bin/}qemu-aarch64-static" -L "$root/sysroot" "$root/build/bin/freshet-sim" \
  --masked --nodes 8 --rounds 2 --seeds 2
