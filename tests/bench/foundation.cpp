// Figures of crypto, transport and storage on this machine: bench_foundation [FOLDER on the disk to
// measure].

#include <fmt/core.h>
#include <stdlib.h>
#include <time.h>

#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/limits.h"
#include "crypto/digest.h"
#include "crypto/seal.h"
#include "storage/blob_store.h"
#include "storage/rocksdb_journal.h"
#include "transport/zeromq_dealer.h"
#include "transport/zeromq_router.h"

namespace freshet {
namespace {

constexpr double kMega = 1e6;

// Of the clock on the wall, or of the processor for arithmetic: that one also means something on a
// busy machine.
double now(clockid_t clock) {
  timespec time{};
  ::clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

template <class Body>
double seconds_of(Body body, clockid_t clock = CLOCK_MONOTONIC) {
  const double start = now(clock);
  body();
  return now(clock) - start;
}

template <class T>
T must(Result<T> result) {
  if (!result) {
    fmt::print(stderr, "{}\n", result.error().what);
    std::exit(1);
  }
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

void bench_crypto() {
  const Identity identity = Identity::generate();
  Bytes plain(4 * limits::kMiB);
  random_bytes(plain);
  constexpr int kTimes = 40;
  const double bytes = static_cast<double>(plain.size()) * kTimes;
  Bytes sealed;
  double seconds = seconds_of(
      [&] {
        for (int i = 0; i < kTimes; ++i) sealed = seal_to(identity.open.sealing, plain, {});
      },
      CLOCK_PROCESS_CPUTIME_ID);
  fmt::print("seal          {:8.0f} MB per processor second (4 MiB to a party)\n",
             bytes / seconds / kMega);
  seconds = seconds_of(
      [&] {
        for (int i = 0; i < kTimes; ++i) must(open_sealed(identity, sealed, {}));
      },
      CLOCK_PROCESS_CPUTIME_ID);
  fmt::print("open          {:8.0f} MB per processor second\n", bytes / seconds / kMega);
  Digest digest{};
  seconds = seconds_of(
      [&] {
        for (int i = 0; i < kTimes; ++i) digest = digest_of(plain);
      },
      CLOCK_PROCESS_CPUTIME_ID);
  fmt::print("digest        {:8.0f} MB per processor second ({})\n", bytes / seconds / kMega,
             short_hex(digest));
  const ByteView frame = ByteView(plain).first(1024);
  constexpr int kSignatures = 5000;
  seconds = seconds_of(
      [&] {
        for (int i = 0; i < kSignatures; ++i) sign(identity, "freshet/bench/v1", frame);
      },
      CLOCK_PROCESS_CPUTIME_ID);
  fmt::print("sign 1 KiB    {:8.0f} a processor second\n", kSignatures / seconds);
}

void bench_journal(const Path& folder) {
  const auto journal = must(RocksdbJournal::open(folder / "journal"));
  const Bytes entry(200);
  constexpr int kEntries = 500;
  const double seconds = seconds_of([&] {
    for (int i = 0; i < kEntries; ++i) must(journal->append(entry));
  });
  fmt::print("journal       {:8.0f} synced appends of 200 bytes a second\n", kEntries / seconds);
}

void bench_blobs(const Path& folder) {
  BlobStore store = must(BlobStore::open(folder / "blobs"));
  Bytes blob(40 * limits::kMiB);
  random_bytes(blob);
  const Digest digest = digest_of(blob);
  const double seconds = seconds_of([&] {
    for (std::size_t at = 0; at < blob.size(); at += limits::kChunkBytes)
      must(store.stage(digest, blob.size(), at, ByteView(blob).subspan(at, limits::kChunkBytes)));
  });
  fmt::print("blob staging  {:8.0f} MB/s (40 MiB in chunks of 256 KiB, synced and verified)\n",
             static_cast<double>(blob.size()) / seconds / kMega);
}

// The node keeps several frames under way and the coordinator sends each back.
void bench_echo() {
  const Identity coordinator = Identity::generate(), node = Identity::generate();
  const auto router =
      must(ZeromqRouter::bind("tcp://127.0.0.1:0", coordinator, [&](const TransportPublic& key) {
        return key == node.open.transport;
      }));
  constexpr int kFrames = 2000, kUnderWay = 8;
  std::thread echo([&] {
    for (int i = 0; i < kFrames;) {
      must(router->wait({}, 1000));
      while (auto inbound = must(router->receive())) {
        must(router->send(inbound->from, inbound->frame));
        ++i;
      }
    }
  });
  const auto dealer =
      must(ZeromqDealer::connect(router->address(), node, coordinator.open.transport));
  const Bytes frame(limits::kChunkBytes);
  int sent = 0, received = 0;
  while (sent == 0) {
    sent += dealer->send(coordinator.open.transport, frame).has_value();
    must(dealer->wait({}, 10));
  }
  const double used = now(CLOCK_PROCESS_CPUTIME_ID);
  const double seconds = seconds_of([&] {
    while (received < kFrames) {
      while (sent < kFrames && sent - received < kUnderWay &&
             dealer->send(coordinator.open.transport, frame))
        ++sent;
      must(dealer->wait({}, 1000));
      while (must(dealer->receive())) ++received;
    }
  });
  echo.join();
  fmt::print(
      "echo          {:8.0f} frames of 256 KiB a second, there and back over CURVE; {:.2f} ms of "
      "processor each\n",
      kFrames / seconds, 1e3 * (now(CLOCK_PROCESS_CPUTIME_ID) - used) / kFrames);
}

}  // namespace
}  // namespace freshet

int main(int argc, char** argv) {
  using namespace freshet;
  std::string folder =
      (Path(argc > 1 ? argv[1] : std::filesystem::temp_directory_path().string()) / "bench-XXXXXX")
          .string();
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  bench_crypto();
  bench_journal(folder);
  bench_blobs(folder);
  bench_echo();
  std::filesystem::remove_all(folder);
}
