/* leash_report over eval/report.h. */
#include "eval/report.h"
#include "leash/leash.h"

leash_status leash_report(const char *path, const char *const *run_dirs, int64_t n_runs)
{
    return ls_report_write(path, run_dirs, n_runs);
}
