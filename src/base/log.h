/* Messages on the way.  Nothing below cli/ prints: it logs, and whoever runs the library decides
 * where lines go. */
#ifndef LS_BASE_LOG_H
#define LS_BASE_LOG_H

#include "base/compiler.h"

typedef enum ls_log_level { LS_LOG_DEBUG, LS_LOG_INFO, LS_LOG_WARN, LS_LOG_ERROR } ls_log_level;
typedef void ls_log_sink(void *user, ls_log_level level, const char *line);

/* A NULL sink (the start) drops everything.  Lines carry no newline. */
void ls_log_set_sink(ls_log_sink *sink, void *user, ls_log_level least);
void ls_log(ls_log_level level, const char *format, ...) LS_PRINTF(2, 3);
#define ls_debug(...) ls_log(LS_LOG_DEBUG, __VA_ARGS__)
#define ls_info(...) ls_log(LS_LOG_INFO, __VA_ARGS__)
#define ls_warn(...) ls_log(LS_LOG_WARN, __VA_ARGS__)

#endif
