/* "Did you mean": the name that a misspelt word most probably meant. */
#include "base/str.h"

#include <string.h>
#include "base/mem.h"

static size_t least_of(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Edits from a to b, where an edit inserts, deletes or replaces one byte or swaps two neighbours
 * (optimal string alignment).  rows: 3 rows of n_b + 1 values; row i holds the distances from the
 * first i bytes of a. */
static size_t edit_distance(const char *a, size_t n_a, const char *b, size_t n_b, size_t *rows)
{
    size_t *before = rows, *last = rows + n_b + 1, *row = rows + 2 * (n_b + 1);
    for (size_t j = 0; j <= n_b; j++)
        last[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            size_t replaced = last[j - 1] + (a[i - 1] != b[j - 1]);
            row[j] = least_of(replaced, 1 + least_of(last[j], row[j - 1]));
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                row[j] = least_of(row[j], before[j - 2] + 1);
        }
        size_t *spare = before;
        before = last;
        last = row;
        row = spare;
    }
    return last[n_b];
}

const char *ls_nearest_name(const char *text, const char *const *names, int64_t n)
{
    size_t n_text = strlen(text), best = n_text / 3 > 2 ? n_text / 3 : 2;
    const char *nearest = NULL;
    for (int64_t i = 0; i < n; i++) {
        size_t n_name = strlen(names[i]);
        size_t longer = n_name > n_text ? n_name - n_text : n_text - n_name;
        if (longer > best)
            continue; /* each byte of difference in length is an edit */
        size_t *rows = ls_malloc(ls_mul_size(3 * (n_name + 1), sizeof *rows));
        size_t distance = edit_distance(text, n_text, names[i], n_name, rows);
        ls_free(rows);
        if (distance < best || (distance == best && nearest == NULL)) {
            best = distance;
            nearest = names[i];
        }
    }
    return nearest;
}
