/* Pages of a column chunk.
 *
 *     version 1   compressed { u32 length, repetition runs; u32 length, definition runs; values }
 *     version 2   repetition runs, definition runs (sizes in the header), compressed { values } */
#include "formats/parquet/column.h"

#include <string.h>

#include "formats/codec.h"
#include "formats/parquet/thrift.h"

#define MOST_PAGE_BYTES ((int64_t)256 << 20)

enum { PAGE_DATA = 0, PAGE_INDEX = 1, PAGE_DICTIONARY = 2, PAGE_DATA_V2 = 3 };

typedef struct page_header {
    int64_t type, n_plain, n_packed; /* bytes of the body, decompressed and as stored */
    int64_t n_values, encoding, def_encoding, rep_encoding;
    int64_t n_def_bytes, n_rep_bytes; /* version 2 */
    bool is_compressed;
    const unsigned char *body;
} page_header;

void ls_column_init(ls_column *c, const ls_parquet_footer *footer, const ls_parquet_node *leaf,
                    int32_t index)
{
    *c = (ls_column){.footer = footer,
                     .leaf = leaf,
                     .index = index,
                     .page = LS_STR_INIT,
                     .values = {.last = LS_STR_INIT},
                     .dictionary = {.page = LS_STR_INIT}};
}

void ls_column_release(ls_column *c)
{
    ls_str_release(&c->page);
    ls_values_release(&c->values);
    ls_dictionary_release(&c->dictionary);
}

void ls_column_begin(ls_column *c, int64_t group)
{
    const ls_parquet_chunk *chunk = &c->footer->chunks[group * c->footer->n_leaves + c->index];
    c->group = group;
    c->codec = chunk->codec;
    c->at = c->footer->bytes + chunk->begin;
    c->end = c->footer->bytes + chunk->end;
    c->n_left = chunk->n_values;
    c->n_page = 0;
    c->has_dictionary = c->has_levels = c->is_at_end = false;
    ls_dictionary_release(&c->dictionary);
}

static leash_status at_column(const ls_column *c, leash_status status)
{
    ls_str path = LS_STR_INIT;
    ls_parquet_leaf_path(c->footer, c->index, &path);
    (void)ls_fail_in(status, "%s: row group %lld, column %s", c->footer->name,
                     (long long)c->group + 1, path.data);
    ls_str_release(&path);
    return status;
}

leash_status ls_column_fail(const ls_column *c, const char *what)
{
    return at_column(c, ls_fail(LEASH_FORMAT, "%s", what));
}

/* DataPageHeader, DataPageHeaderV2 and DictionaryPageHeader. */
static void read_page_fields(ls_thrift *t, const ls_thrift_field *field, page_header *h)
{
    bool is_v2 = field->id == 8;
    for (ls_thrift_field f = ls_thrift_enter(t, field); ls_thrift_next(t, &f);) {
        if (f.id == 1)
            h->n_values = ls_thrift_int(t, &f);
        else if (f.id == (is_v2 ? 4 : 2))
            h->encoding = ls_thrift_int(t, &f);
        else if (f.id == 3 && !is_v2 && field->id == 5)
            h->def_encoding = ls_thrift_int(t, &f);
        else if (f.id == 4 && field->id == 5)
            h->rep_encoding = ls_thrift_int(t, &f);
        else if (f.id == 5 && is_v2)
            h->n_def_bytes = ls_thrift_int(t, &f);
        else if (f.id == 6 && is_v2)
            h->n_rep_bytes = ls_thrift_int(t, &f);
        else if (f.id == 7 && is_v2)
            h->is_compressed = ls_thrift_bool(t, &f);
        else
            ls_thrift_skip(t, &f);
    }
}

/* Takes header and body of the next page. */
static leash_status next_page(ls_column *c, page_header *h)
{
    ls_thrift t = {.at = c->at, .end = c->end};
    *h = (page_header){.type = -1,
                       .n_values = -1,
                       .encoding = -1,
                       .def_encoding = LS_ENCODING_RLE,
                       .rep_encoding = LS_ENCODING_RLE,
                       .is_compressed = true};
    for (ls_thrift_field f = ls_thrift_begin(&t); ls_thrift_next(&t, &f);) {
        if (f.id == 1)
            h->type = ls_thrift_int(&t, &f);
        else if (f.id == 2)
            h->n_plain = ls_thrift_int(&t, &f);
        else if (f.id == 3)
            h->n_packed = ls_thrift_int(&t, &f);
        else if (f.id == 5 || f.id == 7 || f.id == 8)
            read_page_fields(&t, &f, h);
        else
            ls_thrift_skip(&t, &f);
    }
    if (t.is_bad || h->n_plain < 0 || h->n_packed < 0 || h->n_packed > c->end - t.at)
        return ls_fail(LEASH_FORMAT, "the header of a page is damaged or its body is cut off");
    if (h->n_plain > MOST_PAGE_BYTES)
        return ls_fail(LEASH_UNSUPPORTED, "a page of %lld bytes; at most %lld are read",
                       (long long)h->n_plain, (long long)MOST_PAGE_BYTES);
    h->body = t.at;
    c->at = t.at + h->n_packed;
    return LEASH_OK;
}

static leash_status read_dictionary(ls_column *c, const page_header *h)
{
    if (c->has_dictionary)
        return ls_fail(LEASH_FORMAT, "there are two dictionaries");
    if (h->n_values < 0 ||
        (h->encoding != LS_ENCODING_PLAIN && h->encoding != LS_ENCODING_PLAIN_DICTIONARY))
        return ls_fail(LEASH_FORMAT, "the header of a dictionary is damaged");
    LS_TRY(ls_decompress(&c->dictionary.page, c->codec, h->body, (size_t)h->n_packed,
                         (size_t)h->n_plain));
    if (!ls_dictionary_index(&c->dictionary, c->leaf, (uint64_t)h->n_values))
        return ls_fail(LEASH_FORMAT, "the dictionary is damaged");
    c->has_dictionary = true;
    return LEASH_OK;
}

/* Takes one block of levels of a version 1 page off the front. */
static leash_status take_levels(ls_hybrid *out, const char **at, size_t *n, uint32_t max,
                                int64_t encoding)
{
    uint32_t length;
    *out = ls_hybrid_open((const unsigned char *)*at, 0, 0);
    if (max == 0)
        return LEASH_OK;
    if (encoding != LS_ENCODING_RLE)
        return ls_fail(LEASH_UNSUPPORTED, "levels with encoding %lld are not read",
                       (long long)encoding);
    if (*n < 4)
        return ls_fail(LEASH_FORMAT, "the levels of a page are cut off");
    memcpy(&length, *at, 4);
    if (length > *n - 4)
        return ls_fail(LEASH_FORMAT, "the levels of a page are cut off");
    *out = ls_hybrid_open((const unsigned char *)*at + 4, length, ls_bit_width(max));
    *at += 4 + (size_t)length;
    *n -= 4 + (size_t)length;
    return LEASH_OK;
}

static leash_status open_values(ls_column *c, const page_header *h, const char *at, size_t n)
{
    return ls_values_open(&c->values, c->leaf, (int)h->encoding, (const unsigned char *)at, n,
                          c->has_dictionary ? &c->dictionary : NULL);
}

static leash_status open_page(ls_column *c, const page_header *h)
{
    LS_TRY(ls_decompress(&c->page, c->codec, h->body, (size_t)h->n_packed, (size_t)h->n_plain));
    const char *at = c->page.data;
    size_t n = c->page.len;
    LS_TRY(take_levels(&c->reps, &at, &n, c->leaf->max_rep, h->rep_encoding));
    LS_TRY(take_levels(&c->defs, &at, &n, c->leaf->max_def, h->def_encoding));
    return open_values(c, h, at, n);
}

static leash_status open_page_v2(ls_column *c, const page_header *h)
{
    int64_t rep = h->n_rep_bytes, def = h->n_def_bytes;
    if (rep < 0 || def < 0 || rep > h->n_packed || def > h->n_packed - rep ||
        rep + def > h->n_plain)
        return ls_fail(LEASH_FORMAT, "the levels of a page are cut off");
    c->reps = ls_hybrid_open(h->body, (size_t)rep, ls_bit_width(c->leaf->max_rep));
    c->defs = ls_hybrid_open(h->body + rep, (size_t)def, ls_bit_width(c->leaf->max_def));
    size_t n_packed = (size_t)(h->n_packed - rep - def), n_plain = (size_t)(h->n_plain - rep - def);
    /* A page of nulls may have no body at all. */
    if (n_packed > 0 || n_plain > 0)
        LS_TRY(ls_decompress(&c->page, h->is_compressed ? c->codec : LS_CODEC_NONE,
                             h->body + rep + def, n_packed, n_plain));
    return open_values(c, h, c->page.data, c->page.len);
}

static leash_status next_data_page(ls_column *c)
{
    for (;;) {
        page_header h;
        if (c->at == c->end)
            return ls_fail(LEASH_FORMAT, "its pages end early, %lld entries are missing",
                           (long long)c->n_left);
        LS_TRY(next_page(c, &h));
        if (h.type == PAGE_DICTIONARY) {
            LS_TRY(read_dictionary(c, &h));
            continue;
        }
        if (h.type == PAGE_INDEX)
            continue;
        if (h.type != PAGE_DATA && h.type != PAGE_DATA_V2)
            return ls_fail(LEASH_FORMAT, "a page of type %lld", (long long)h.type);
        if (h.n_values < 0 || h.n_values > c->n_left)
            return ls_fail(LEASH_FORMAT, "a page with %lld entries, %lld are left in the column",
                           (long long)h.n_values, (long long)c->n_left);
        ls_str_clear(&c->page);
        LS_TRY(h.type == PAGE_DATA ? open_page(c, &h) : open_page_v2(c, &h));
        c->n_page = h.n_values;
        if (c->n_page > 0)
            return LEASH_OK;
    }
}

leash_status ls_column_peek(ls_column *c)
{
    if (c->has_levels)
        return LEASH_OK;
    if (c->n_left == 0) {
        c->is_at_end = c->has_levels = true;
        c->rep = c->def = 0;
        return LEASH_OK;
    }
    if (c->n_page == 0) {
        leash_status status = next_data_page(c);
        if (status != LEASH_OK)
            return at_column(c, status);
    }
    if (!ls_hybrid_next(&c->reps, &c->rep) || !ls_hybrid_next(&c->defs, &c->def))
        return ls_column_fail(c, "the levels of a page end early");
    if (c->rep > c->leaf->max_rep || c->def > c->leaf->max_def)
        return ls_column_fail(c, "a level is greater than the schema allows");
    c->has_levels = true;
    return LEASH_OK;
}

leash_status ls_column_take(ls_column *c, ls_raw *out)
{
    *out = (ls_raw){NULL, 0};
    LS_TRY(ls_column_peek(c));
    if (c->is_at_end)
        return ls_column_fail(c, "it has fewer rows than the row group");
    c->has_levels = false;
    c->n_left--;
    c->n_page--;
    if (c->def == c->leaf->max_def && !ls_values_next(&c->values, out))
        return ls_column_fail(c, "the values of a page end early or are damaged");
    return LEASH_OK;
}
