/* The one sink of log lines.  A mutex keeps lines of several threads whole and in order; a sink
 * that logs is not called again from inside itself. */
#include "base/log.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include "base/mem.h"
#include "base/str.h"

#define DROP_ALL ((int)LS_LOG_ERROR + 1)

/* sink and sink_user are guarded by sink_mutex; least_level is read before it so that dropped lines
 * cost nothing. */
static pthread_mutex_t sink_mutex = PTHREAD_MUTEX_INITIALIZER;
static ls_log_sink *current_sink;
static void *sink_user;
static atomic_int least_level = DROP_ALL;
static LS_THREAD_LOCAL bool is_inside_sink;

void ls_log_set_sink(ls_log_sink *sink, void *user, ls_log_level least)
{
    pthread_mutex_lock(&sink_mutex);
    current_sink = sink;
    sink_user = user;
    atomic_store_explicit(&least_level, sink ? (int)least : DROP_ALL, memory_order_relaxed);
    pthread_mutex_unlock(&sink_mutex);
}

void ls_log(ls_log_level level, const char *format, ...)
{
    if ((int)level < atomic_load_explicit(&least_level, memory_order_relaxed) || is_inside_sink)
        return;
    ls_str text = LS_STR_INIT, line = LS_STR_INIT;
    va_list args;
    va_start(args, format);
    ls_str_appendv(&text, format, args);
    va_end(args);
    ls_str_append_visible(&line, text.data, text.len);

    pthread_mutex_lock(&sink_mutex);
    is_inside_sink = true;
    if (current_sink)
        current_sink(sink_user, level, line.data);
    is_inside_sink = false;
    pthread_mutex_unlock(&sink_mutex);
    ls_str_release(&line);
    ls_str_release(&text);
}
