/* How many processors this process may use: its affinity mask, cut by the quota of its control
 * groups.
 *
 * A container often sees all processors of the machine and may use the time of two; a pool sized by
 * what it sees would be stopped by the scheduler in the middle of its loops. */
#include "base/threads.h"

#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"

#define MOST_CPUS 8192

/* quota / period rounded up, 0 for none.  Texts: "max" or "-1" for no limit, else microseconds. */
static int quota_cpus(const char *quota_text, const char *period_text)
{
    int64_t quota, period;
    if (!ls_parse_int64(quota_text, &quota) || !ls_parse_int64(period_text, &period) ||
        quota <= 0 || period <= 0)
        return 0;
    int64_t cpus = quota / period + (quota % period != 0);
    return cpus < MOST_CPUS ? (int)cpus : 0;
}

/* Reads the first words of a file into two texts of 32 bytes; false when it has not at least one.
 * */
static bool read_words(char first[32], char second[32], const char *path)
{
    ls_str text = LS_STR_INIT;
    first[0] = second[0] = '\0';
    bool is_read =
        ls_file_read(&text, path) == LEASH_OK && sscanf(text.data, "%31s %31s", first, second) >= 1;
    ls_str_release(&text);
    return is_read;
}

static int quota_of_v2(const char *dir)
{
    char quota[32], period[32];
    ls_str path = LS_STR_INIT;
    ls_str_appendf(&path, "%s/cpu.max", dir);
    int cpus = read_words(quota, period, path.data) ? quota_cpus(quota, period) : 0;
    ls_str_release(&path);
    return cpus;
}

static int quota_of_v1(const char *dir)
{
    char quota[32], period[32], rest[32];
    ls_str path = LS_STR_INIT;
    ls_str_appendf(&path, "%s/cpu.cfs_quota_us", dir);
    bool is_read = read_words(quota, rest, path.data);
    ls_str_clear(&path);
    ls_str_appendf(&path, "%s/cpu.cfs_period_us", dir);
    is_read = is_read && read_words(period, rest, path.data);
    ls_str_release(&path);
    return is_read ? quota_cpus(quota, period) : 0;
}

static int smaller_limit(int a, int b)
{
    return a == 0 ? b : b == 0 ? a : a < b ? a : b;
}

/* The least quota of a group and all groups above it, up to the mount.  Inside a container the
 * mount is often the group itself while the path is still the one seen outside; groups that are not
 * there give no limit. */
static int quota_of_path(const char *mount, const char *group, int (*quota_of)(const char *dir))
{
    ls_str dir = LS_STR_INIT;
    ls_str_append(&dir, mount);
    size_t n_mount = dir.len;
    ls_str_append(&dir, group);
    int cpus = 0;
    for (;;) {
        cpus = smaller_limit(cpus, quota_of(dir.data));
        char *slash = strrchr(dir.data + n_mount, '/');
        if (slash == NULL)
            break;
        *slash = '\0';
        dir.len = (size_t)(slash - dir.data);
    }
    ls_str_release(&dir);
    return cpus;
}

static bool list_has_cpu(const char *controllers)
{
    char padded[256];
    snprintf(padded, sizeof padded, ",%s,", controllers);
    return strstr(padded, ",cpu,") != NULL;
}

int ls_cpu_quota(const char *cgroup_file, const char *sysfs_root)
{
    ls_str text = LS_STR_INIT, mount = LS_STR_INIT;
    int cpus = 0;
    if (ls_file_read(&text, cgroup_file) != LEASH_OK)
        text.len = 0;
    char *rest = NULL;
    for (char *line = text.len > 0 ? strtok_r(text.data, "\n", &rest) : NULL; line != NULL;
         line = strtok_r(NULL, "\n", &rest)) {
        /* "id:controllers:path"; version 2 has id 0 and no controllers */
        char *controllers = strchr(line, ':');
        char *group = controllers ? strchr(controllers + 1, ':') : NULL;
        if (group == NULL)
            continue;
        *group++ = '\0';
        controllers++;
        ls_str_clear(&mount);
        if (controllers[0] == '\0') {
            cpus = smaller_limit(cpus, quota_of_path(sysfs_root, group, quota_of_v2));
        } else if (list_has_cpu(controllers)) {
            ls_str_appendf(&mount, "%s/%s", sysfs_root, controllers);
            cpus = smaller_limit(cpus, quota_of_path(mount.data, group, quota_of_v1));
        }
    }
    ls_str_release(&mount);
    ls_str_release(&text);
    ls_error_clear(); /* absent groups are no error */
    return cpus;
}

static int affinity_cpus(void)
{
    cpu_set_t *set = CPU_ALLOC(MOST_CPUS);
    size_t bytes = CPU_ALLOC_SIZE(MOST_CPUS);
    int cpus = 1;
    if (set != NULL && sched_getaffinity(0, bytes, set) == 0)
        cpus = CPU_COUNT_S(bytes, set);
    CPU_FREE(set);
    return cpus > 1 ? cpus : 1;
}

int ls_cpu_count(void)
{
    return smaller_limit(affinity_cpus(), ls_cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup"));
}
