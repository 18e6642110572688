/* Reading the goldens of chat templates: files of one JSON value a line. */
#ifndef LEASH_TEST_TEMPLATE_GOLDENS_H
#define LEASH_TEST_TEMPLATE_GOLDENS_H

#include <jansson.h>
#include <string.h>

#include "base/file.h"

#define GOLDEN_TEMPLATES LEASH_TEST_DATA "/templates/"

static inline ls_str golden_text(const char *path)
{
    ls_str text = LS_STR_INIT;
    LS_ASSERT(ls_file_read(&text, path) == LEASH_OK);
    return text;
}

/* An array of the lines' values. */
static inline json_t *golden_lines(const char *path)
{
    ls_str text = golden_text(path);
    json_t *lines = json_array();
    for (char *at = text.data, *end; *at && (end = strchr(at, '\n')); at = end + 1) {
        json_t *line = json_loadb(at, (size_t)(end - at), JSON_DECODE_ANY, NULL);
        LS_ASSERT(line != NULL);
        json_array_append_new(lines, line);
    }
    ls_str_release(&text);
    return lines;
}

/* FNV-1a, which needs no library on either side. */
static inline uint64_t golden_hash(const char *text, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < n; i++)
        h = (h ^ (unsigned char)text[i]) * 0x100000001b3u;
    return h;
}

#endif
