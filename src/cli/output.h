/* stdout.  Every write is checked, so that a result that could not be written is never taken for
 * one that was: when the reader has gone (`leash generate | head`) the program ends as SIGPIPE
 * would end it, after any other failure (a full disk) it ends with a message and code 1, both at
 * the first failed write. */
#ifndef LS_CLI_OUTPUT_H
#define LS_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include "base/compiler.h"

/* Before anything else: standard streams that the caller closed become /dev/null, so that no file
 * of a run takes their numbers; SIGPIPE becomes an error of write. */
void ls_output_open(void);
void ls_print(const char *format, ...) LS_PRINTF(1, 2);
void ls_print_text(const char *text);
void ls_print_bytes(const char *bytes, size_t n); /* which may hold NUL */
/* One line, sent at once: rows of long work. */
void ls_print_row(const char *line);
void ls_output_flush(void);
/* At the end of the program: what is still buffered goes out or is an error. */
void ls_output_close(void);

/* The terminal shows characters beyond ASCII (LC_ALL, LC_CTYPE, LANG). */
bool ls_locale_is_utf8(void);

#endif
