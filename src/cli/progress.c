/* The progress line: steps done, rate, time left, figures. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/clock.h"
#include "cli/cli.h"

#define REDRAW_SECONDS 0.1
#define BAR_CELLS 20

static int terminal_columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= 20 ? size.ws_col : 80;
}

void ls_progress_start(ls_progress *p, const char *label, int64_t every)
{
    const char *terminal = getenv("TERM");
    memset(p, 0, sizeof *p);
    p->is_terminal = isatty(STDERR_FILENO) && terminal && strcmp(terminal, "dumb") != 0;
    p->started = ls_clock_seconds();
    p->first_step = -1;
    p->every = every > 0 ? every : 1;
    snprintf(p->label, sizeof p->label, "%s", label);
}

/* Seconds left, from the pace of this process; NAN before there is one. */
static double seconds_left(const ls_progress *p, double done, int64_t n_steps)
{
    double pace = done - (double)(p->first_step > 0 ? p->first_step : 0);
    return pace > 0 ? (ls_clock_seconds() - p->started) / pace * ((double)n_steps - done) : NAN;
}

static void draw_line(ls_progress *p, double done, int64_t step, int64_t n_steps, const char *phase)
{
    char line[512], left[32] = "", bar[BAR_CELLS * 3 + 1];
    double eta = seconds_left(p, done, n_steps), share = n_steps > 0 ? done / (double)n_steps : 0;
    int filled = (int)(share * BAR_CELLS), at = 0, columns = terminal_columns();
    for (int i = 0; i < BAR_CELLS; i++)
        at += snprintf(bar + at, sizeof bar - (size_t)at, "%s", i < filled ? "\xe2\x94\x81" : "\xe2\x94\x80");
    if (!isnan(eta))
        ls_format_seconds(left, eta);
    int n = snprintf(line, sizeof line, "%-9s %s %lld/%lld %s%s  %s", p->label, bar, (long long)step, (long long)n_steps, left,
                     left[0] ? " left" : "", p->note[0] ? p->note : phase);
    /* the bar's cells are 3 bytes and one column each */
    int width = n - 2 * BAR_CELLS;
    if (width > columns - 1)
        n -= width - (columns - 1);
    fprintf(stderr, "\r%.*s\033[K", n, line);
    fflush(stderr);
}

void ls_progress_draw(ls_progress *p, int64_t step, int64_t n_steps, const char *phase, double share)
{
    double now = ls_clock_seconds();
    if (p->first_step < 0)
        p->first_step = step;
    if (!p->is_terminal || now - p->last_drawn < REDRAW_SECONDS)
        return;
    p->last_drawn = now;
    draw_line(p, (double)step + (share < 1 ? share : 1) * 0.5, step, n_steps, phase);
}

void ls_progress_step(ls_progress *p, int64_t step, int64_t n_steps, const char *note)
{
    double now = ls_clock_seconds();
    if (p->first_step < 0)
        p->first_step = step - 1;
    snprintf(p->note, sizeof p->note, "%s", note);
    if (p->is_terminal && (now - p->last_drawn >= REDRAW_SECONDS || step == n_steps)) {
        p->last_drawn = now;
        draw_line(p, (double)step, step, n_steps, "");
    } else if (!p->is_terminal && (step % p->every == 0 || step == n_steps)) {
        char left[32];
        fprintf(stderr, "%s %lld/%lld  %s  %s left\n", p->label, (long long)step, (long long)n_steps, note,
                ls_format_seconds(left, fmax(0, seconds_left(p, (double)step, n_steps))));
    }
}

void ls_progress_end(ls_progress *p)
{
    if (p->is_terminal && p->last_drawn > 0)
        fputc('\n', stderr);
}
