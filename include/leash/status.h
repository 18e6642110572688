/* What every fallible function of leash returns, and where the text of the last error is found.
 *
 * A status is 0 or negative.  The text names the file, key or row, what was expected, what was
 * found and what to do; it belongs to the calling thread and lasts until that thread's next failing
 * call. */
#ifndef LEASH_STATUS_H
#define LEASH_STATUS_H

#if defined(__GNUC__)
#define LEASH_MUST_USE __attribute__((warn_unused_result))
#define LEASH_API __attribute__((visibility("default")))
#else
#define LEASH_MUST_USE
#define LEASH_API
#endif

#ifdef __cplusplus
extern "C" {
#endif

/*  name              value  exit code of the program, meaning */
#define LEASH_STATUS_LIST(X)                              \
    X(LEASH_OK, 0, 0, "done")                             \
    X(LEASH_FAILED, -1, 1, "failed")                      \
    X(LEASH_USAGE, -2, 2, "wrong usage or configuration") \
    X(LEASH_IO, -3, 1, "file, directory or device")       \
    X(LEASH_FORMAT, -4, 1, "malformed file")              \
    X(LEASH_DATA, -5, 1, "unusable data")                 \
    X(LEASH_MEMORY, -6, 1, "out of memory")               \
    X(LEASH_NUMERIC, -7, 1, "not a finite number")        \
    X(LEASH_BUSY, -8, 1, "in use by another process")     \
    X(LEASH_UNSUPPORTED, -9, 1, "not supported")          \
    X(LEASH_STOPPED, -10, 3, "stopped by a monitor")      \
    X(LEASH_INTERRUPTED, -11, 75, "stopped, can be resumed")

typedef enum leash_status {
#define LEASH_STATUS_ROW(name, value, exit_code, text) name = (value),
    LEASH_STATUS_LIST(LEASH_STATUS_ROW)
#undef LEASH_STATUS_ROW
} leash_status;

/* The symbol ("LEASH_IO"), a short meaning, and the exit code the program uses for a status. */
LEASH_API const char *leash_status_name(leash_status status);
LEASH_API const char *leash_status_text(leash_status status);
LEASH_API int leash_status_exit_code(leash_status status);

/* The text of this thread's last error, "" when there was none. */
LEASH_API const char *leash_error(void);

#ifdef __cplusplus
}
#endif
#endif
