/* Runs, deltas and plain values, one at a time. */
#include "formats/parquet/decode.h"

#include <string.h>

#include "base/mem.h"
#include "formats/parquet/thrift.h"

/* `width` bits from bit `bit` on, least bits first; they must lie before `end`. */
static bool read_bits(const unsigned char *base, const unsigned char *end, uint64_t bit, int width,
                      uint64_t *out)
{
    if ((bit + (uint64_t)width + 7) / 8 > (uint64_t)(end - base))
        return false;
    uint64_t value = 0;
    for (int got = 0; got < width;) {
        int shift = (int)(bit & 7), take = 8 - shift < width - got ? 8 - shift : width - got;
        uint64_t piece = (uint64_t)(base[bit >> 3] >> shift) & ((1u << take) - 1);
        value |= piece << got;
        got += take;
        bit += (uint64_t)take;
    }
    *out = value;
    return true;
}

static uint32_t read_u32(const unsigned char *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

int ls_bit_width(uint32_t max)
{
    int width = 0;
    for (; max; max >>= 1)
        width++;
    return width;
}

ls_hybrid ls_hybrid_open(const unsigned char *at, size_t n, int width)
{
    return (ls_hybrid){.at = at, .end = at + n, .width = width};
}

static bool begin_run(ls_hybrid *h)
{
    uint64_t header;
    if (!ls_read_varint(&h->at, h->end, &header) || header >> 33)
        return false;
    h->is_packed = header & 1;
    if (h->is_packed) {
        /* Eight values a group.  The last group of a page may be cut off. */
        uint64_t n_bytes = (header >> 1) * (uint64_t)h->width, left = (uint64_t)(h->end - h->at);
        h->left = (header >> 1) * 8;
        h->base = h->at;
        h->bit = 0;
        h->at += n_bytes < left ? n_bytes : left;
        return true;
    }
    int n = (h->width + 7) / 8;
    if (h->end - h->at < n)
        return false;
    h->left = header >> 1;
    h->value = 0;
    for (int i = 0; i < n; i++)
        h->value |= (uint32_t)*h->at++ << (8 * i);
    return true;
}

bool ls_hybrid_next(ls_hybrid *h, uint32_t *out)
{
    if (h->width == 0) {
        *out = 0;
        return true;
    }
    while (h->left == 0)
        if (!begin_run(h))
            return false;
    h->left--;
    if (!h->is_packed) {
        *out = h->value;
        return true;
    }
    uint64_t value;
    if (!read_bits(h->base, h->at, h->bit, h->width, &value))
        return false;
    h->bit += (uint64_t)h->width;
    *out = (uint32_t)value;
    return true;
}

bool ls_delta_open(ls_delta *d, const unsigned char *at, const unsigned char *end)
{
    uint64_t block, first;
    *d = (ls_delta){.at = at, .end = end};
    if (!ls_read_varint(&d->at, end, &block) || !ls_read_varint(&d->at, end, &d->n_minis) ||
        !ls_read_varint(&d->at, end, &d->n_left) || !ls_read_varint(&d->at, end, &first))
        return false;
    if (d->n_minis == 0 || d->n_minis > 65536 || block > 1 << 24 || block % d->n_minis)
        return false;
    d->mini_size = block / d->n_minis;
    d->mini = d->n_minis;
    d->last = ls_unzigzag(first);
    return d->mini_size > 0;
}

/* The next miniblock, with the header of a block where one begins. */
static bool begin_mini(ls_delta *d)
{
    if (d->mini == d->n_minis) {
        uint64_t least;
        if (!ls_read_varint(&d->at, d->end, &least) || (uint64_t)(d->end - d->at) < d->n_minis)
            return false;
        d->min_delta = ls_unzigzag(least);
        d->widths = d->at;
        d->at += d->n_minis;
        d->mini = 0;
    }
    int width = d->widths[d->mini];
    uint64_t n_bytes = (d->mini_size * (uint64_t)width + 7) / 8;
    if (width > 64 || n_bytes > (uint64_t)(d->end - d->at))
        return false;
    d->bits = d->at;
    d->at += n_bytes;
    d->bit = 0;
    d->in_mini = d->mini_size;
    d->mini++;
    return true;
}

bool ls_delta_next(ls_delta *d, int64_t *out)
{
    if (d->n_left == 0)
        return false;
    d->n_left--;
    if (!d->has_last) {
        d->has_last = true;
        *out = d->last;
        return true;
    }
    if (d->in_mini == 0 && !begin_mini(d))
        return false;
    int width = d->widths[d->mini - 1];
    uint64_t delta;
    if (!read_bits(d->bits, d->at, d->bit, width, &delta))
        return false;
    d->bit += (uint64_t)width;
    d->in_mini--;
    d->last = (int64_t)((uint64_t)d->last + (uint64_t)d->min_delta + delta); /* wraps by design */
    *out = d->last;
    return true;
}

const unsigned char *ls_delta_end(ls_delta d)
{
    /* Whole miniblocks: their values need no look. */
    if (d.n_left > 0 && !d.has_last)
        d.n_left--;
    while (d.n_left > d.in_mini) {
        d.n_left -= d.in_mini;
        if (!begin_mini(&d))
            return NULL;
    }
    return d.at;
}

size_t ls_parquet_width(const ls_parquet_node *leaf)
{
    switch (leaf->type) {
    case LS_PARQUET_INT32:
    case LS_PARQUET_FLOAT: return 4;
    case LS_PARQUET_INT64:
    case LS_PARQUET_DOUBLE: return 8;
    case LS_PARQUET_INT96: return 12;
    case LS_PARQUET_FIXED: return (size_t)leaf->width;
    default: return 0;
    }
}

static leash_status open_deltas(ls_values *v)
{
    const unsigned char *at = v->at;
    bool is_good = true;
    if (v->encoding == LS_ENCODING_DELTA || v->encoding == LS_ENCODING_DELTA_BYTES) {
        is_good = ls_delta_open(&v->numbers, at, v->end);
        if (is_good && v->encoding == LS_ENCODING_DELTA_BYTES)
            is_good = (at = ls_delta_end(v->numbers)) != NULL;
    }
    if (is_good && v->encoding != LS_ENCODING_DELTA) {
        is_good = ls_delta_open(&v->lengths, at, v->end);
        if (is_good)
            is_good = (v->at = ls_delta_end(v->lengths)) != NULL;
    }
    return is_good ? LEASH_OK : ls_fail(LEASH_FORMAT, "the deltas of a page are damaged");
}

static leash_status open_dictionary(ls_values *v, const ls_dictionary *dictionary)
{
    if (!dictionary)
        return ls_fail(LEASH_FORMAT, "a page needs a dictionary and there is none");
    if (v->at == v->end) /* only nulls */
        return LEASH_OK;
    if (*v->at > 32)
        return ls_fail(LEASH_FORMAT, "dictionary indices of %d bits", (int)*v->at);
    v->indices = ls_hybrid_open(v->at + 1, (size_t)(v->end - v->at) - 1, *v->at);
    return LEASH_OK;
}

static leash_status open_booleans(ls_values *v)
{
    if (v->at == v->end)
        return LEASH_OK;
    if (v->end - v->at < 4 || read_u32(v->at) > (uint64_t)(v->end - v->at) - 4)
        return ls_fail(LEASH_FORMAT, "the booleans of a page are cut off");
    v->indices = ls_hybrid_open(v->at + 4, read_u32(v->at), 1);
    return LEASH_OK;
}

leash_status ls_values_open(ls_values *v, const ls_parquet_node *leaf, int encoding,
                            const unsigned char *at, size_t n, const ls_dictionary *dictionary)
{
    ls_parquet_type type = leaf->type;
    ls_str last = v->last;
    ls_str_clear(&last);
    *v = (ls_values){.encoding = (ls_encoding)encoding,
                     .type = type,
                     .width = ls_parquet_width(leaf),
                     .at = at,
                     .end = at + n,
                     .dictionary = dictionary,
                     .last = last};
    bool is_number = type == LS_PARQUET_INT32 || type == LS_PARQUET_INT64;
    switch (encoding) {
    case LS_ENCODING_PLAIN: return LEASH_OK;
    case LS_ENCODING_PLAIN_DICTIONARY:
    case LS_ENCODING_RLE_DICTIONARY:
        v->encoding = LS_ENCODING_RLE_DICTIONARY;
        return open_dictionary(v, dictionary);
    case LS_ENCODING_RLE:
        if (type == LS_PARQUET_BOOLEAN)
            return open_booleans(v);
        break;
    case LS_ENCODING_DELTA:
        if (is_number)
            return open_deltas(v);
        break;
    case LS_ENCODING_DELTA_LENGTH:
        if (type == LS_PARQUET_BYTES)
            return open_deltas(v);
        break;
    case LS_ENCODING_DELTA_BYTES:
        if (type == LS_PARQUET_BYTES || type == LS_PARQUET_FIXED)
            return open_deltas(v);
        break;
    case LS_ENCODING_SPLIT:
        if (v->width > 0 && n % v->width == 0)
            return LEASH_OK;
        break;
    default: break;
    }
    return ls_fail(LEASH_UNSUPPORTED, "encoding %d of a column of type %d is not read", encoding,
                   (int)type);
}

/* The next n bytes. */
static bool take(ls_values *v, uint64_t n, ls_raw *out)
{
    if (n > (uint64_t)(v->end - v->at))
        return false;
    *out = (ls_raw){v->at, (size_t)n};
    v->at += n;
    return true;
}

static bool next_boolean(ls_values *v, bool is_packed, ls_raw *out)
{
    uint64_t bit = 0;
    uint32_t run = 0;
    if (is_packed ? !read_bits(v->at, v->end, v->bit++, 1, &bit)
                  : !ls_hybrid_next(&v->indices, &run))
        return false;
    v->scratch[0] = (unsigned char)(bit | run);
    *out = (ls_raw){v->scratch, 1};
    return true;
}

static bool next_plain(ls_values *v, ls_raw *out)
{
    ls_raw length;
    if (v->type == LS_PARQUET_BOOLEAN)
        return next_boolean(v, true, out);
    if (v->type != LS_PARQUET_BYTES)
        return take(v, v->width, out);
    return take(v, 4, &length) && take(v, read_u32(length.bytes), out);
}

static bool next_indexed(ls_values *v, ls_raw *out)
{
    const ls_dictionary *d = v->dictionary;
    uint32_t i;
    if (!ls_hybrid_next(&v->indices, &i) || i >= d->n)
        return false;
    const unsigned char *bytes = (const unsigned char *)d->page.data;
    if (d->offsets) /* the four bytes before the next value are its length */
        *out = (ls_raw){bytes + d->offsets[i], d->offsets[i + 1] - 4 - d->offsets[i]};
    else
        *out = (ls_raw){bytes + (size_t)i * d->width, d->width};
    return true;
}

static bool next_delta(ls_values *v, ls_raw *out)
{
    int64_t value;
    if (!ls_delta_next(&v->numbers, &value))
        return false;
    for (size_t i = 0; i < v->width; i++)
        v->scratch[i] = (unsigned char)((uint64_t)value >> (8 * i));
    *out = (ls_raw){v->scratch, v->width};
    return true;
}

static bool next_delta_length(ls_values *v, ls_raw *out)
{
    int64_t n;
    return ls_delta_next(&v->lengths, &n) && n >= 0 && take(v, (uint64_t)n, out);
}

static bool next_delta_bytes(ls_values *v, ls_raw *out)
{
    int64_t n_prefix;
    ls_raw suffix;
    if (!ls_delta_next(&v->numbers, &n_prefix) || n_prefix < 0 ||
        (uint64_t)n_prefix > v->last.len || !next_delta_length(v, &suffix))
        return false;
    v->last.len = (size_t)n_prefix;
    ls_str_append_n(&v->last, (const char *)suffix.bytes, suffix.n);
    *out = (ls_raw){(const unsigned char *)v->last.data, v->last.len};
    return v->type != LS_PARQUET_FIXED || v->last.len == v->width;
}

static bool next_split(ls_values *v, ls_raw *out)
{
    uint64_t n = (uint64_t)(v->end - v->at) / v->width;
    if (v->bit >= n)
        return false;
    ls_str_clear(&v->last);
    for (size_t k = 0; k < v->width; k++)
        ls_str_append_char(&v->last, (char)v->at[k * n + v->bit]);
    v->bit++;
    *out = (ls_raw){(const unsigned char *)v->last.data, v->last.len};
    return true;
}

bool ls_values_next(ls_values *v, ls_raw *out)
{
    switch (v->encoding) {
    case LS_ENCODING_PLAIN: return next_plain(v, out);
    case LS_ENCODING_RLE_DICTIONARY: return next_indexed(v, out);
    case LS_ENCODING_RLE: return next_boolean(v, false, out);
    case LS_ENCODING_DELTA: return next_delta(v, out);
    case LS_ENCODING_DELTA_LENGTH: return next_delta_length(v, out);
    case LS_ENCODING_DELTA_BYTES: return next_delta_bytes(v, out);
    case LS_ENCODING_SPLIT: return next_split(v, out);
    default: return false;
    }
}

void ls_values_release(ls_values *v)
{
    ls_str_release(&v->last);
}

static bool index_byte_arrays(ls_dictionary *d, uint64_t n)
{
    /* Each entry has four bytes of length at the least, so n is no more than a claim checked. */
    if (n > d->page.len / 4)
        return false;
    d->offsets = ls_malloc(ls_mul_size((size_t)n + 1, sizeof *d->offsets));
    size_t at = 0;
    for (uint64_t i = 0; i < n; i++) {
        if (d->page.len - at < 4)
            return false;
        uint32_t length = read_u32((const unsigned char *)d->page.data + at);
        at += 4;
        if (length > d->page.len - at)
            return false;
        d->offsets[i] = (uint32_t)at;
        at += length;
    }
    d->offsets[n] = (uint32_t)at + 4;
    return true;
}

bool ls_dictionary_index(ls_dictionary *d, const ls_parquet_node *leaf, uint64_t n)
{
    d->width = ls_parquet_width(leaf);
    d->n = 0;
    if (n > INT32_MAX || leaf->type == LS_PARQUET_BOOLEAN)
        return false;
    bool is_good =
        leaf->type == LS_PARQUET_BYTES ? index_byte_arrays(d, n) : n <= d->page.len / d->width;
    if (is_good)
        d->n = (uint32_t)n;
    return is_good;
}

void ls_dictionary_release(ls_dictionary *d)
{
    ls_str_release(&d->page);
    ls_free(d->offsets);
    *d = (ls_dictionary){.page = LS_STR_INIT};
}
