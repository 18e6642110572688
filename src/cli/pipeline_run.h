/* `leash run`: a pipeline on its way, and what its parts share.  cmd_run.c is the course,
 * pipeline_stage.c one stage as a child process, pipeline_summary.c what is printed at the end. */
#ifndef LS_CLI_PIPELINE_RUN_H
#define LS_CLI_PIPELINE_RUN_H

#include "base/file.h"
#include "cli/pipeline.h"

typedef struct ls_pipeline_run {
    ls_pipeline pipeline;
    const char *path, *output_dir; /* of the file; of the stages' directories */
    bool resume, overwrite, wants_config;
    char **overrides; /* flags for every stage */
    int n_overrides;
} ls_pipeline_run;

/* The run directory of a stage; returns out. */
char *ls_stage_dir(char out[LS_PATH_MAX], const ls_pipeline_run *r, const ls_stage *stage);
/* Flags, values and what must fit together, as the stage's command will check them.  Errors name
 * file and stage. */
leash_status ls_stage_check(ls_pipeline_run *r, const ls_stage *stage) LEASH_MUST_USE;
/* Runs the stage to its end.  Its errors are on stderr already; the status is what its exit code
 * says. */
leash_status ls_stage_run(ls_pipeline_run *r, const ls_stage *stage) LEASH_MUST_USE;

/* A table for people, 80 columns wide, or one JSON object.  report: path of the page. */
void ls_pipeline_print_table(const ls_pipeline_run *r, const char *report);
void ls_pipeline_print_json(const ls_pipeline_run *r, const char *report, double seconds);

#endif
