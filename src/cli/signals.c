/* SIGINT and SIGTERM ask once, then end.
 *
 * A stage of `leash run` is a child in a process group of its own, so a signal reaches it exactly
 * once, through here, whether a terminal sent it to the group or somebody to the process.  The
 * terminal's stop (Ctrl-Z) and continue are passed on for the same reason. */
#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

static volatile sig_atomic_t stop_requested, child;

static void on_signal(int number)
{
    int saved = errno;
    if (child > 0)
        kill((pid_t)child, number);
    if (stop_requested) {
        signal(number, SIG_DFL);
        raise(number);
    }
    stop_requested = 1;
    errno = saved;
}

static void on_stop(int number)
{
    int saved = errno;
    (void)number;
    kill((pid_t)child, SIGSTOP);
    raise(SIGSTOP);
    kill((pid_t)child, SIGCONT);
    errno = saved;
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void ls_cli_catch_signals(void)
{
    handle(SIGINT, on_signal);
    handle(SIGTERM, on_signal);
}

bool ls_cli_should_stop(void)
{
    return stop_requested != 0;
}

void ls_cli_clear_stop(void)
{
    stop_requested = 0;
}

void ls_cli_set_child(int pid)
{
    child = pid;
    handle(SIGTSTP, pid > 0 ? on_stop : SIG_DFL);
}
