/* leash doctor: what the machine offers, and what to do about what it lacks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/threads.h"
#include "cli/cli.h"
#include "kernels/kernels.h"

typedef struct checkup {
    bool wants_json;
    int64_t n, n_warnings;
} checkup;

/* remedy NULL: fine. */
static void report(checkup *c, const char *name, const char *found, const char *remedy)
{
    c->n_warnings += remedy != NULL;
    if (c->wants_json) {
        ls_str line = LS_STR_INIT;
        ls_str_append(&line, c->n++ ? ",\n " : "[");
        ls_str_appendf(&line, "{\"check\": \"%s\", \"found\": ", name);
        ls_str_append_json(&line, found, strlen(found));
        ls_str_appendf(&line, ", \"ok\": %s", remedy ? "false" : "true");
        if (remedy) {
            ls_str_append(&line, ", \"remedy\": ");
            ls_str_append_json(&line, remedy, strlen(remedy));
        }
        ls_str_append_char(&line, '}');
        fputs(line.data, stdout);
        ls_str_release(&line);
        return;
    }
    printf("%-5s %-12s %s\n", remedy ? "warn" : "ok", name, found);
    if (remedy)
        printf("%-18s -> %s\n", "", remedy);
}

/* First value of a "key : value" file of the kernel; "" when there is none. */
static void read_key(const char *path, const char *key, char *out, size_t size)
{
    char line[512];
    FILE *file = fopen(path, "r");
    out[0] = 0;
    while (file && fgets(line, sizeof line, file)) {
        char *colon = strchr(line, ':');
        if (ls_starts_with(line, key) && colon) {
            char *value = colon + 1 + strspn(colon + 1, " \t");
            value[strcspn(value, "\n")] = 0;
            snprintf(out, size, "%s", value);
            break;
        }
    }
    if (file)
        fclose(file);
}

static void check_processor(checkup *c)
{
    char name[256], text[320];
    read_key("/proc/cpuinfo", "model name", name, sizeof name);
    snprintf(text, sizeof text, "%s, %d usable", name[0] ? name : "unknown", ls_cpu_count());
    report(c, "processor", text, NULL);
    const ls_kernels *tables[3];
    int n = ls_kernels_available(tables);
    text[0] = 0;
    for (int i = 0; i < n; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), "%s%s", i ? ", " : "", tables[i]->name);
    report(c, "kernels", text, n > 1 ? NULL : "no AVX2: training works, about 50 times slower");
}

static void check_memory(checkup *c)
{
    char value[64], text[96], total[32], available[32];
    int64_t kib = 0, free_kib = 0;
    read_key("/proc/meminfo", "MemTotal", value, sizeof value);
    value[strcspn(value, " ")] = 0;
    (void)ls_parse_int64(value, &kib);
    read_key("/proc/meminfo", "MemAvailable", value, sizeof value);
    value[strcspn(value, " ")] = 0;
    (void)ls_parse_int64(value, &free_kib);
    snprintf(text, sizeof text, "%s, %s available", ls_format_bytes(total, (double)kib * 1024), ls_format_bytes(available, (double)free_kib * 1024));
    report(c, "memory", text, free_kib < 512 * 1024 ? "less than 512 MiB are free: leash plan says what a run needs" : NULL);
}

static void check_huge_pages(checkup *c)
{
    ls_str text = LS_STR_INIT;
    bool is_known = ls_file_read(&text, "/sys/kernel/mm/transparent_hugepage/enabled") == LEASH_OK;
    const char *found = !is_known ? "unknown" : strstr(text.data, "[never]") ? "never" : strstr(text.data, "[always]") ? "always" : "madvise";
    report(c, "huge pages", found,
           strcmp(found, "never") == 0 ? "echo madvise > /sys/kernel/mm/transparent_hugepage/enabled makes large models faster" : NULL);
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
    report(c, "disk", text, available < 1e9 ? "checkpoints hold weights and two moments: three times the model's size, twice" : NULL);
    report(c, "directory", access(".", W_OK) == 0 ? "writable" : "not writable",
           access(".", W_OK) == 0 ? NULL : "runs go to ./runs: choose another --output_dir");
}

leash_status ls_cmd_doctor(const ls_command *self, int argc, char **argv)
{
    checkup c = {.wants_json = ls_cli_take_flag(&argc, argv, "--json")};
    if (ls_cli_take_flag(&argc, argv, "--help") || ls_cli_take_flag(&argc, argv, "-h")) {
        printf("leash %s [--json]\n\n%s\n", self->name, self->help);
        return LEASH_OK;
    }
    LS_TRY(ls_cli_no_arguments(self, argc, (const char *const *)argv));
    check_processor(&c);
    check_memory(&c);
    check_huge_pages(&c);
    check_disk(&c);
    if (c.wants_json)
        puts("]");
    return LEASH_OK;
}
