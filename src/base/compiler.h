/* The only home of compiler extensions. */
#ifndef LS_BASE_COMPILER_H
#define LS_BASE_COMPILER_H

#define LS_PRINTF(format_at, args_at) __attribute__((format(printf, format_at, args_at)))
#define LS_NORETURN __attribute__((noreturn))
#define LS_UNUSED __attribute__((unused))
#define LS_ALIGNED(bytes) __attribute__((aligned(bytes)))
#define LS_NOINLINE __attribute__((noinline))
#define LS_ALWAYS_INLINE static inline __attribute__((always_inline))
#define LS_LIKELY(x) __builtin_expect(!!(x), 1)
#define LS_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define LS_COUNT(array) (sizeof(array) / sizeof((array)[0]))
/* Before a loop whose bounds are constant: unroll it whole. */
#if defined(__clang__)
#define LS_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LS_UNROLL _Pragma("GCC unroll 16")
#endif
/* A variable of the running thread. */
#define LS_THREAD_LOCAL _Thread_local

/* Tells the processor that this is a waiting loop. */
#if defined(__x86_64__)
#define LS_CPU_PAUSE() __builtin_ia32_pause()
#else
#define LS_CPU_PAUSE() ((void)0)
#endif

/* Which sanitizer this build runs under, 0 or 1: gcc defines names, clang answers questions. */
#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define LS_HAS_ASAN 1
#else
#define LS_HAS_ASAN 0
#endif
#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define LS_HAS_TSAN 1
#else
#define LS_HAS_TSAN 0
#endif

/* Before a function that touches poisoned memory on purpose. */
#define LS_NO_ASAN __attribute__((no_sanitize("address")))

/* Marks memory that may not be touched, for the address sanitizer; nothing in other builds. */
#if LS_HAS_ASAN
#include <sanitizer/asan_interface.h>
#define LS_POISON(start, bytes) __asan_poison_memory_region(start, bytes)
#define LS_UNPOISON(start, bytes) __asan_unpoison_memory_region(start, bytes)
#else
#define LS_POISON(start, bytes) ((void)(start), (void)(bytes))
#define LS_UNPOISON(start, bytes) ((void)(start), (void)(bytes))
#endif

#endif
