#pragma once
// One source, several instruction sets: the loader picks the widest that the processor has.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define FRESHET_SIMD __attribute__((target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")))
#else
#define FRESHET_SIMD
#endif
