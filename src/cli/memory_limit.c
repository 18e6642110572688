/* Memory limits of control groups, read from sysfs. */
#include "cli/memory_limit.h"

#include <string.h>

#include "base/file.h"

#define MOST_BYTES 1e15 /* version 1 writes "no limit" as a number near 2^63 */

typedef struct version {    /* of control groups */
    const char *controller; /* how its line of /proc/self/cgroup goes on after the number */
    const char *mount, *limit;
} version;

static const version versions[] = {
    {"::", "/sys/fs/cgroup", "memory.max"},
    {":memory:", "/sys/fs/cgroup/memory", "memory.limit_in_bytes"},
};

/* A number that stands in a file; 0 for "max", other texts, and no file. */
static double read_bytes(const char *dir, const char *name)
{
    char path[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    int64_t bytes = 0;
    if (strlen(dir) + strlen(name) + 2 < sizeof path &&
        ls_file_read(&text, ls_path_join(path, dir, name)) == LEASH_OK) {
        text.data[strcspn(text.data, "\n")] = 0;
        if (!ls_parse_int64(text.data, &bytes))
            bytes = 0;
    }
    ls_str_release(&text);
    return bytes > 0 && (double)bytes < MOST_BYTES ? (double)bytes : 0;
}

/* From the group up to the mount.  In a container the mount is often the group itself while the
 * path is still the one seen outside; groups that are not there give no limit. */
static void read_groups(double *least, const version *v, const char *group)
{
    ls_str dir = LS_STR_INIT;
    ls_str_appendf(&dir, "%s%s", v->mount, group);
    size_t n_mount = strlen(v->mount);
    for (;;) {
        double bytes = read_bytes(dir.data, v->limit);
        if (bytes > 0 && (*least == 0 || bytes < *least))
            *least = bytes;
        char *slash = strrchr(dir.data, '/');
        if (dir.len <= n_mount || !slash || (size_t)(slash - dir.data) < n_mount)
            break;
        *slash = 0;
        dir.len = (size_t)(slash - dir.data);
    }
    ls_str_release(&dir);
}

double ls_memory_limit(void)
{
    double least = 0;
    ls_str text = LS_STR_INIT;
    if (ls_file_read(&text, "/proc/self/cgroup") == LEASH_OK) {
        for (char *line = text.data, *next; *line; line = next) {
            size_t n = strcspn(line, "\n");
            next = line + n + (line[n] == '\n');
            line[n] = 0;
            for (size_t i = 0; i < LS_COUNT(versions); i++) {
                const char *rest = line + strspn(line, "0123456789");
                if (ls_starts_with(rest, versions[i].controller))
                    read_groups(&least, &versions[i], rest + strlen(versions[i].controller));
            }
        }
    }
    ls_str_release(&text);
    return least;
}
