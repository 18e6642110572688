/* Which files a `dataset` setting means.
 *
 *     rows.jsonl                    a file
 *     rows/                         all data files below a folder, by name; where names say train,
 *                                   test or validation, those of dataset_split
 *     shard-*.parquet               a pattern of the shell
 *     a.jsonl,b.csv                 one after the other
 *     a.jsonl:0.7,b.parquet:0.3     mixed: seven of ten rows come from the first
 *     hf:datasets/OWNER/NAME        a dataset of the hub, pulled when it is missing (hub/hub.h)
 *
 * A path that exists is taken as it stands, commas and colons included. */
#ifndef LS_DATA_FILES_H
#define LS_DATA_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

typedef struct ls_data_source { /* files that are read one after the other */
    char **files;
    int64_t n_files;
    double weight; /* share of the rows drawn; 1 where there is one source */
} ls_data_source;

typedef struct ls_data_sources {
    ls_data_source *items;
    int64_t n;
} ls_data_sources;

/* Errors: LEASH_USAGE for weights on some and not on others, or that are no positive number;
 * LEASH_IO for what does not exist or holds no data file. */
leash_status ls_data_sources_find(ls_data_sources *out, const char *dataset,
                                  const char *split) LEASH_MUST_USE;
void ls_data_sources_release(ls_data_sources *sources);

#endif
