#pragma once
// The number of threads of everything that computes in this process, and the state that makes it
// fast.

namespace freshet {

// OpenMP's threads, which the kernels and LibTorch use, and OpenBLAS's, which LibTorch does not
// govern.
void set_threads(int count);

int thread_count();  // what the environment (OMP_NUM_THREADS) or set_threads asked for

// Once at the start of a process that trains: freed memory stays with the process (no page faults
// per step), denormals are zero, and the threads are there; where new finds no memory, no_memory()
// follows. After this the sandbox may close.
void warm_up(int threads);

}  // namespace freshet
