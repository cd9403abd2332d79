#pragma once
// The number of threads of everything that computes in this process, and the state that makes it fast.

namespace freshet {

// LibTorch's own pool, as seen by the calling thread, and OpenBLAS's, which LibTorch does not govern.
void set_threads(int count);

int thread_count();         // what the environment (OMP_NUM_THREADS) or set_threads asked for
bool multiplies_bf16();     // in hardware, on this processor

// Once at the start of a process that trains: freed memory stays with the process (no page faults per tensor), denormals
// are zero, and one product runs so that every library has read what it needs and made its threads. After this the
// sandbox may close.
void warm_up(int threads);

}  // namespace freshet
