/* leash doctor: what the machine offers, and what to do about what it lacks.
 *
 * Each check is one line, ok or warn; a warning has a remedy below it.  A warning is no failure:
 * the exit code is 0. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/threads.h"
#include "cli/cli.h"
#include "cli/memory_limit.h"
#include "kernels/kernels.h"

#define LEAST_BYTES (512.0 * 1024 * 1024)
#define LEAST_DISK_BYTES 1e9

typedef struct checkup {
    bool wants_json;
    int64_t n;
} checkup;

/* remedy NULL: fine. */
static void report(checkup *c, const char *name, const char *found, const char *remedy)
{
    ls_str line = LS_STR_INIT;
    if (!c->wants_json) {
        ls_str_appendf(&line, "%-5s %-14s ", remedy ? "warn" : "ok", name);
        ls_wrap(&line, found, 21, ls_cli_columns());
        ls_str_append(&line, remedy ? "\n                     -> " : "");
        ls_wrap(&line, remedy ? remedy : "", 24, ls_cli_columns());
    } else {
        ls_str_append(&line, c->n++ ? ",\n " : "[");
        ls_str_appendf(&line, "{\"check\": \"%s\", \"found\": ", name);
        ls_str_append_json(&line, found, strlen(found));
        ls_str_appendf(&line, ", \"ok\": %s", remedy ? "false, \"remedy\": " : "true");
        if (remedy)
            ls_str_append_json(&line, remedy, strlen(remedy));
        ls_str_append_char(&line, '}');
    }
    ls_print("%s%s", line.data, c->wants_json ? "" : "\n");
    ls_str_release(&line);
}

/* First value of a "key : value" file of the kernel; "" when there is none. */
static void read_key(const char *path, const char *key, char *out, size_t size)
{
    ls_str text = LS_STR_INIT;
    out[0] = 0;
    if (ls_file_read(&text, path) == LEASH_OK) {
        for (char *line = text.data; *line && !out[0];) {
            size_t n = strcspn(line, "\n");
            char *colon = memchr(line, ':', n);
            if (ls_starts_with(line, key) && colon) {
                colon += 1 + strspn(colon + 1, " \t");
                snprintf(out, size, "%.*s", (int)(line + n - colon), colon);
            }
            line += n + (line[n] == '\n');
        }
    }
    ls_str_release(&text);
}

/* "123 kB" of /proc/meminfo in bytes. */
static double meminfo_bytes(const char *key)
{
    char value[64];
    int64_t kib = 0;
    read_key("/proc/meminfo", key, value, sizeof value);
    value[strcspn(value, " ")] = 0;
    return ls_parse_int64(value, &kib) ? (double)kib * 1024 : 0;
}

static void check_processor(checkup *c)
{
    char name[256], text[320];
    int seen = (int)sysconf(_SC_NPROCESSORS_ONLN), usable = ls_cpu_count();
    read_key("/proc/cpuinfo", "model name", name, sizeof name);
    report(c, "processor", name[0] ? name : "unknown", NULL);
    snprintf(text, sizeof text, "%d of %d", usable, seen);
    if (usable < seen)
        snprintf(text + strlen(text), sizeof text - strlen(text),
                 ": an affinity mask or a control group keeps the others");
    report(c, "processors", text, NULL);
    const ls_kernels *tables[3];
    int n = ls_kernels_available(tables);
    text[0] = 0;
    for (int i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? ", " : "",
                 tables[i]->name);
    report(c, "kernels", text,
           n > 1 ? NULL : "no AVX2 and FMA: training works, about 50 times slower");
}

static void check_memory(checkup *c)
{
    char text[128], a[32], b[32];
    double available = meminfo_bytes("MemAvailable"), limit = ls_memory_limit();
    snprintf(text, sizeof text, "%s, %s available", ls_format_bytes(a, meminfo_bytes("MemTotal")),
             ls_format_bytes(b, available));
    report(c, "memory", text,
           available < LEAST_BYTES ? "less than 512 MiB are free: leash plan says what a run needs"
                                   : NULL);
    report(c, "memory limit", limit > 0 ? ls_format_bytes(a, limit) : "none",
           limit > 0 && limit < LEAST_BYTES
               ? "the kernel ends a run that needs more: raise the limit of the control group, and "
                 "compare it with the total of leash plan"
               : NULL);
}

/* Arenas reserve addresses that are far more than the memory they use. */
static void check_reservations(checkup *c)
{
    struct rlimit limit;
    char text[96], a[32];
    ls_str mode = LS_STR_INIT;
    bool is_known = ls_file_read(&mode, "/proc/sys/vm/overcommit_memory") == LEASH_OK;
    bool is_strict = is_known && mode.data[0] == '2';
    if (is_strict)
        snprintf(text, sizeof text, "2 (strict), %s may be promised",
                 ls_format_bytes(a, meminfo_bytes("CommitLimit")));
    report(c, "overcommit",
           is_strict             ? text
           : !is_known           ? "unknown"
           : mode.data[0] == '1' ? "1 (always)"
                                 : "0 (by estimate)",
           is_strict ? "large models may be refused memory that is free: sysctl "
                       "vm.overcommit_memory=0"
                     : NULL);
    ls_str_release(&mode);
    bool is_limited = getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
    if (is_limited)
        snprintf(text, sizeof text, "limited to %s", ls_format_bytes(a, (double)limit.rlim_cur));
    report(c, "address space", is_limited ? text : "unlimited",
           is_limited ? "arenas reserve addresses ahead of memory: ulimit -v unlimited" : NULL);
}

static void check_huge_pages(checkup *c)
{
    ls_str text = LS_STR_INIT;
    const char *path = "/sys/kernel/mm/transparent_hugepage/enabled";
    bool is_known = ls_file_read(&text, path) == LEASH_OK;
    const char *found = !is_known                       ? "unknown"
                        : strstr(text.data, "[never]")  ? "never"
                        : strstr(text.data, "[always]") ? "always"
                                                        : "madvise";
    report(c, "huge pages", found,
           strcmp(found, "never") == 0 ? "large models are faster with: echo madvise > "
                                         "/sys/kernel/mm/transparent_hugepage/enabled"
                                       : NULL);
    ls_str_release(&text);
}

static void check_disk(checkup *c)
{
    struct statvfs disk;
    char text[96] = "cannot be asked", bytes[32];
    double available = 0;
    if (statvfs(".", &disk) == 0) {
        available = (double)disk.f_bavail * (double)disk.f_frsize;
        snprintf(text, sizeof text, "%s free here", ls_format_bytes(bytes, available));
    }
    report(c, "disk", text,
           available < LEAST_DISK_BYTES
               ? "a checkpoint holds weights and two moments, three times the weights, and two are "
                 "kept: free some space or choose another --output_dir"
               : NULL);
}

static void check_directory(checkup *c, const char *name, const char *path, const char *remedy)
{
    bool is_writable = access(path, W_OK | X_OK) == 0;
    char text[300];
    snprintf(text, sizeof text, "%.256s is %swritable", path, is_writable ? "" : "not ");
    report(c, name, text, is_writable ? NULL : remedy);
}

static void check_directories(checkup *c)
{
    const char *temporary = getenv("TMPDIR");
    char here[LS_PATH_MAX];
    check_directory(c, "directory", getcwd(here, sizeof here) ? here : ".",
                    "runs go to ./runs: go to another directory or choose --output_dir");
    check_directory(c, "TMPDIR", temporary && temporary[0] ? temporary : "/tmp",
                    "programs that use temporary files fail, the tests among them: point TMPDIR to "
                    "a directory of yours");
}

static void check_locale(checkup *c)
{
    bool is_utf8 = ls_locale_is_utf8();
    report(c, "locale", is_utf8 ? "UTF-8" : "not UTF-8",
           is_utf8 ? NULL : "the line of progress is drawn in ASCII: export LC_ALL=C.UTF-8");
}

static void check_core_dumps(checkup *c)
{
    struct rlimit limit;
    bool is_on = getrlimit(RLIMIT_CORE, &limit) == 0 && limit.rlim_cur != 0;
    report(c, "core dumps", is_on ? "on: a crash writes the memory of the run" : "off", NULL);
}

leash_status ls_cmd_doctor(const ls_command *self, int argc, char **argv)
{
    checkup c = {.wants_json = ls_cli_take_flag(&argc, argv, "--json")};
    bool is_done;
    LS_TRY(ls_cli_check_flags(&is_done, self, argc, argv));
    if (is_done)
        return LEASH_OK;
    LS_TRY(ls_cli_no_arguments(self, argc, (const char *const *)argv));
    check_processor(&c);
    check_memory(&c);
    check_reservations(&c);
    check_huge_pages(&c);
    check_disk(&c);
    check_directories(&c);
    check_locale(&c);
    check_core_dumps(&c);
    if (c.wants_json)
        ls_print_text("]\n");
    return LEASH_OK;
}
