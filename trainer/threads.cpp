#include "trainer/threads.h"

#include <dlfcn.h>
#include <malloc.h>
#include <omp.h>

#include "trainer/kernels/no_memory.h"

#if defined(__SSE__)
#include <immintrin.h>
#endif

namespace freshet {

void set_threads(int count) {
  ::omp_set_num_threads(count);
  using SetThreads = void (*)(int);
  if (void* symbol = ::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))
    reinterpret_cast<SetThreads>(symbol)(count);
}

int thread_count() { return ::omp_get_max_threads(); }

void warm_up(int threads) {
  end_where_new_has_no_memory();
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 512 << 20);
  ::mallopt(M_TOP_PAD, 16 << 20);
  set_threads(threads);
#if defined(__SSE__)
  _mm_setcsr(_mm_getcsr() |
             0x8040u);  // flush to zero, denormals are zero; the threads below inherit it
#endif
  int started = 0;
#pragma omp parallel reduction(+ : started)
  ++started;
}

}  // namespace freshet
