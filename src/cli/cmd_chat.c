/* leash chat: talk with a model on a terminal, or line by line from a pipe. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/str.h"
#include "cli/cli.h"

typedef struct talk {
    leash_chat *chat;
    const leash_settings *settings;
    bool is_terminal; /* the questions come from one: prompts and figures on stderr */
} talk;

static void print_piece(void *user, const char *text)
{
    (void)user;
    ls_print_text(text);
    ls_output_flush();
}

static const char help[] =
    "/reset          forget the conversation\n"
    "/system TEXT    forget it and begin with this system message\n"
    "/messages       print it as JSON\n"
    "/quit           end (as Ctrl-D does)\n"
    "A \\ at the end of a line continues the message; Ctrl-C stops a reply.\n";

/* Reads a message; false at the end of the input, and after Ctrl-C. */
static bool read_message(ls_str *message, bool is_terminal)
{
    char *line = NULL;
    size_t capacity = 0;
    bool goes_on = true, is_read = false;
    ls_str_clear(message);
    while (goes_on) {
        if (is_terminal)
            fputs(is_read ? ". " : "> ", stderr);
        ssize_t n = getline(&line, &capacity, stdin);
        if (n < 0)
            break;
        is_read = true;
        while (n > 0 && (line[n - 1] == '\n' || line[n - 1] == '\r'))
            n--;
        goes_on = n > 0 && line[n - 1] == '\\';
        ls_str_append_n(message, line, (size_t)(n - goes_on));
        if (goes_on)
            ls_str_append_char(message, '\n');
    }
    free(line); /* getline's */
    return is_read;
}

/* A line that begins with '/'.  Sets *is_done for /quit. */
static leash_status obey(const talk *t, const char *line, bool *is_done)
{
    *is_done = strcmp(line, "/quit") == 0 || strcmp(line, "/exit") == 0;
    if (*is_done)
        return LEASH_OK;
    if (strcmp(line, "/reset") == 0)
        return leash_chat_reset(t->chat, t->settings->options.data.system_prompt);
    if (strncmp(line, "/system ", 8) == 0)
        return leash_chat_reset(t->chat, line + 8);
    if (strcmp(line, "/messages") == 0) {
        char *text = leash_chat_messages(t->chat);
        ls_print_row(text);
        leash_free(text);
        return LEASH_OK;
    }
    fputs(help, stderr);
    return LEASH_OK;
}

static leash_status say(const talk *t, const char *message)
{
    leash_chat_reply reply;
    leash_events events = {.should_stop = ls_cli_should_stop, .on_text = print_piece};
    leash_status status = leash_chat_say(&reply, t->chat, message, &events);
    ls_cli_clear_stop();
    if (status != LEASH_OK)
        return status;
    ls_print("\n");
    ls_output_flush();
    if (!t->is_terminal)
        return LEASH_OK;
    fprintf(stderr, "  (%lld tokens, %.1f tokens/s, context %lld%s", (long long)reply.n_tokens,
            (double)reply.n_tokens / reply.seconds, (long long)(reply.n_context + reply.n_tokens),
            reply.is_complete ? "" : ", cut");
    if (reply.n_left_out > 0)
        fprintf(stderr, ", the oldest %lld messages left out", (long long)reply.n_left_out);
    fputs(")\n", stderr);
    return LEASH_OK;
}

/* On a terminal a message that cannot be answered is told of, and the conversation goes on. */
static leash_status converse(const talk *t)
{
    ls_str message = LS_STR_INIT;
    leash_status status = LEASH_OK;
    bool is_done = false;
    while (!is_done && status == LEASH_OK && read_message(&message, t->is_terminal)) {
        if (message.len == 0)
            continue;
        status = message.data[0] == '/' ? obey(t, message.data, &is_done) : say(t, message.data);
        if (status != LEASH_OK && t->is_terminal) {
            fprintf(stderr, "%s\n", leash_error());
            status = LEASH_OK;
        }
    }
    ls_str_release(&message);
    return status;
}

leash_status ls_cmd_chat(const ls_command *self, int argc, char **argv)
{
    ls_invocation inv;
    leash_status status = ls_cli_open_plain(&inv, self, NULL, argc, argv);
    if (status == LEASH_OK && !inv.is_done) {
        talk t = {.settings = inv.settings, .is_terminal = isatty(STDIN_FILENO) != 0};
        ls_cli_catch_signals();
        status = leash_chat_new(&t.chat, inv.settings);
        if (status == LEASH_OK) {
            if (t.is_terminal)
                fputs("/help tells what else can be typed.\n", stderr);
            status = converse(&t);
            leash_chat_free(t.chat);
        }
    }
    ls_cli_close(&inv);
    return status;
}
