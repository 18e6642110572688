/* stdout, checked. */
#include "cli/output.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

void ls_output_open(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0 && open("/dev/null", O_RDWR) < 0)
            _Exit(1);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file size fails the write, as a full disk does */
}

static void end_unwritten(int error)
{
    if (error == EPIPE) {
        signal(SIGPIPE, SIG_DFL);
        raise(SIGPIPE);
    }
    fprintf(stderr, "leash: cannot write the output: %s\n", strerror(error));
    _Exit(1);
}

void ls_print(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vprintf(format, args);
    va_end(args);
    if (n < 0)
        end_unwritten(errno);
}

void ls_print_text(const char *text)
{
    if (fputs(text, stdout) < 0)
        end_unwritten(errno);
}

void ls_print_bytes(const char *bytes, size_t n)
{
    if (fwrite(bytes, 1, n, stdout) != n)
        end_unwritten(errno);
}

void ls_print_row(const char *line)
{
    ls_print("%s\n", line);
    ls_output_flush();
}

void ls_output_flush(void)
{
    if (fflush(stdout) != 0)
        end_unwritten(errno);
}

void ls_output_close(void)
{
    if (fclose(stdout) != 0)
        end_unwritten(errno);
}

bool ls_locale_is_utf8(void)
{
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value && value[0])
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}
