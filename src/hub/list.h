/* The files of a revision, as the hub lists them. */
#ifndef LS_HUB_LIST_H
#define LS_HUB_LIST_H

#include "hub/hub.h"

typedef struct ls_hub_listing {
    char commit[41];
    ls_hub_file *files; /* owned, with their names */
    int64_t n_files, cap;
} ls_hub_listing;

void ls_hub_listing_init(ls_hub_listing *listing);
void ls_hub_listing_release(ls_hub_listing *listing);
/* Appends a file of unknown size; the pointer lasts until the next call. */
ls_hub_file *ls_hub_listing_add(ls_hub_listing *listing, const char *name);

/* Reads the answer of /api/models/OWNER/NAME/revision/REVISION?blobs=true; names that would leave
 * the cache's folder are LEASH_FORMAT. */
leash_status ls_hub_listing_parse(ls_hub_listing *out, const char *text, size_t n) LEASH_MUST_USE;

#endif
