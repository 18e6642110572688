/* SIGINT and SIGTERM ask once, then end. */
#include <signal.h>
#include <string.h>

#include "cli/cli.h"

static volatile sig_atomic_t stop_requested;

static void on_signal(int number)
{
    if (stop_requested) {
        signal(number, SIG_DFL);
        raise(number);
        return;
    }
    stop_requested = 1;
}

void ls_cli_catch_signals(void)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = on_signal;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

bool ls_cli_should_stop(void)
{
    return stop_requested != 0;
}
