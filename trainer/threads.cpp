#include "trainer/threads.h"

#include <ATen/ATen.h>
#include <ATen/Parallel.h>
#include <dlfcn.h>
#include <malloc.h>

namespace freshet {

void set_threads(int count) {
  at::set_num_threads(count);
  using SetThreads = void (*)(int);
  if (void* symbol = ::dlsym(RTLD_DEFAULT, "openblas_set_num_threads")) reinterpret_cast<SetThreads>(symbol)(count);
}

int thread_count() { return at::get_num_threads(); }

bool multiplies_bf16() {
#if defined(__x86_64__)
  return __builtin_cpu_supports("avx512bf16");
#else
  return false;
#endif
}

void warm_up(int threads) {
  ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
  ::mallopt(M_TRIM_THRESHOLD, 512 << 20);
  ::mallopt(M_TOP_PAD, 16 << 20);
  set_threads(threads);
  at::globalContext().setFlushDenormal(true);
  const at::Tensor a = at::ones({256, 256});
  at::mm(a, a);
  at::mm(a.to(at::kBFloat16), a.to(at::kBFloat16));
  at::parallel_for(0, 4096, 1, [](std::int64_t, std::int64_t) {});
}

}  // namespace freshet
