/* leash pull SPEC...: models and datasets from the hub into the cache.
 *
 * stdout: one path a spec, so that --model "$(leash pull hf:...)" works, or JSON; stderr: progress
 * and the files. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "hub/hub.h"

typedef struct puller { /* one pull, drawn */
    ls_progress line;
    bool has_started;
    double counted_from;
    int64_t first_received;
} puller;

/* The note behind the bar: "12.0 MiB of 98.2 MiB  5.1 MiB/s  model.safetensors". */
static void draw(void *user, const ls_hub_progress *p)
{
    puller *d = user;
    char received[32], total[32], rate[32], note[160];
    double now = ls_clock_seconds();
    if (!d->has_started) {
        *d = (puller){.has_started = true, .counted_from = now, .first_received = p->received};
        ls_progress_start(&d->line, "pull", false, 0);
        d->line.last_shown = now; /* what is done within the second needs no line */
    }
    double seconds = now - d->counted_from;
    int64_t percent = p->total > 0 ? 100 * p->received / p->total : 0;
    if (percent > 99) /* the end is the table's to tell */
        percent = 99;
    ls_format_bytes(received, (double)p->received);
    ls_format_bytes(rate, seconds > 0 ? (double)(p->received - d->first_received) / seconds : 0);
    ls_format_bytes(total, (double)p->total);
    snprintf(note, sizeof note, "%s%s%s  %s/s  %s", received, p->total >= 0 ? " of " : "",
             p->total >= 0 ? total : "", rate, p->file);
    ls_progress_step(&d->line, percent, 100, note);
}

static void append_json(ls_str *out, const char *spec, const ls_hub_result *r)
{
    ls_str_append(out, "{\"spec\": ");
    ls_str_append_json(out, spec, strlen(spec));
    ls_str_append(out, ", \"path\": ");
    ls_str_append_json(out, r->path, strlen(r->path));
    ls_str_appendf(out, ", \"commit\": \"%s\", \"files\": [", r->commit);
    for (int64_t i = 0; i < r->n_files; i++) {
        ls_str_append(out, i ? ", {\"name\": " : "{\"name\": ");
        ls_str_append_json(out, r->files[i].name, strlen(r->files[i].name));
        ls_str_appendf(out, ", \"bytes\": %lld, \"was_cached\": %s}", (long long)r->files[i].size,
                       r->files[i].was_cached ? "true" : "false");
    }
    ls_str_append(out, "]}");
}

/* Names as wide as the widest, up to a limit, then sizes and where each file came from. */
static void show_files(const char *spec, const ls_hub_result *r)
{
    ls_str line = LS_STR_INIT, name = LS_STR_INIT;
    int width = 0;
    for (int64_t i = 0; i < r->n_files; i++) {
        int n = (int)strlen(r->files[i].name);
        width = n > width ? n : width;
    }
    width = width > 60 ? 60 : width;
    ls_str_appendf(&line, "%s, commit %.12s", spec, r->commit);
    ls_progress_message(line.data);
    for (int64_t i = 0; i < r->n_files; i++) {
        char size[32];
        const ls_hub_file *file = &r->files[i];
        ls_str_clear(&line);
        ls_str_clear(&name);
        ls_str_append_visible(&name, file->name, strlen(file->name));
        ls_str_appendf(&line, "  %-*s  %10s  %s", width, name.data,
                       ls_format_bytes(size, (double)file->size),
                       file->was_cached ? "was in the cache" : "downloaded");
        ls_progress_message(line.data);
    }
    ls_str_release(&name);
    ls_str_release(&line);
}

static leash_status pull_one(ls_str *json, const ls_hub_request *request)
{
    puller d = {0};
    ls_hub_result result;
    ls_hub_request drawn = *request;
    drawn.hooks =
        (ls_hub_hooks){.user = &d, .on_progress = draw, .should_stop = ls_cli_should_stop};
    leash_status status = ls_hub_pull(&result, &drawn);
    if (d.has_started)
        ls_progress_end(&d.line);
    if (status == LEASH_OK && json != NULL) {
        ls_str_append(json, json->len > 1 ? ",\n " : "");
        append_json(json, request->spec, &result);
    } else if (status == LEASH_OK) {
        show_files(request->spec, &result);
        ls_print_row(result.path);
    }
    ls_hub_result_release(&result);
    return status;
}

/* Takes every --include; the array is the caller's to free. */
static leash_status take_patterns(ls_hub_request *request, const char **patterns, int *argc,
                                  char **argv)
{
    const char *pattern;
    request->include = patterns;
    for (;;) {
        LS_TRY(ls_cli_take_value(&pattern, argc, argv, "--include"));
        if (pattern == NULL)
            return LEASH_OK;
        patterns[request->n_include++] = pattern;
    }
}

static leash_status pull_all(const ls_command *self, ls_hub_request *request, int argc, char **argv)
{
    bool wants_json = ls_cli_take_flag(&argc, argv, "--json"), is_done;
    ls_str json = LS_STR_INIT;
    leash_status status = LEASH_OK;
    LS_TRY(ls_cli_take_value(&request->revision, &argc, argv, "--revision"));
    LS_TRY(ls_cli_check_flags(&is_done, self, argc, argv));
    if (is_done)
        return LEASH_OK;
    if (argc < 1)
        return ls_fail(LEASH_USAGE, "leash pull needs a name: leash pull hf:OWNER/NAME, or "
                                    "hf:datasets/OWNER/NAME");
    ls_cli_catch_signals();
    ls_str_append(&json, "[");
    for (int i = 0; i < argc; i++) {
        request->spec = argv[i];
        LS_TRY_OUT(pull_one(wants_json ? &json : NULL, request));
    }
    if (wants_json)
        ls_print("%s]\n", json.data);
out:
    ls_str_release(&json);
    return status;
}

leash_status ls_cmd_pull(const ls_command *self, int argc, char **argv)
{
    ls_hub_request request = {0};
    const char **patterns = ls_malloc(((size_t)argc + 1) * sizeof *patterns);
    leash_status status = take_patterns(&request, patterns, &argc, argv);
    if (status == LEASH_OK)
        status = pull_all(self, &request, argc, argv);
    ls_free(patterns);
    return status;
}
