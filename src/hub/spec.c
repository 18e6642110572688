/* Taking hf: names apart.  What is accepted here becomes names of files and parts of addresses, so
 * it is narrow. */
#include "hub/spec.h"

#include <stdio.h>
#include <string.h>

#include "base/str.h"

#define MOST_PART 255 /* bytes of a file's name, as file systems have it */
#define MOST_NAME 96  /* characters of an owner or a name, as the hub has it */

static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";

bool ls_hub_is_safe_path(const char *path)
{
    for (const char *part = path;; part++) {
        size_t n = strcspn(part, "/");
        if (n == 0 || n > MOST_PART || strncmp(part, "..", n) == 0) /* "." is its beginning */
            return false;
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)part[i] < 0x20 || part[i] == 0x7f || part[i] == '\\')
                return false;
        part += n;
        if (*part == '\0')
            return true;
    }
}

bool ls_hub_is_commit(const char *revision)
{
    return strlen(revision) == 40 && strspn(revision, "0123456789abcdef") == 40;
}

/* Of an owner or a model: letters, digits and -_. inside, "--" being the cache's own separator. */
static bool is_name(const char *text, size_t n)
{
    static const char edges[] = "-.";
    if (n == 0 || n > MOST_NAME || strspn(text, letters) < n || strchr(edges, text[0]) ||
        strchr(edges, text[n - 1]))
        return false;
    for (size_t i = 0; i + 1 < n; i++)
        if ((text[i] == '-' && text[i + 1] == '-') || (text[i] == '.' && text[i + 1] == '.'))
            return false;
    return true;
}

static leash_status fail_form(const char *text)
{
    ls_str shown = LS_STR_INIT;
    ls_str_append_visible(&shown, text, strlen(text));
    leash_status status =
        ls_fail(LEASH_USAGE,
                "'%s' is no name on the hub: expected hf:OWNER/NAME, hf:datasets/OWNER/NAME, "
                "either with @REVISION and /PATH behind it",
                shown.data);
    ls_str_release(&shown);
    return status;
}

/* Copies n bytes; false when they do not fit. */
static bool copy(char *out, size_t size, const char *text, size_t n)
{
    if (n >= size)
        return false;
    memcpy(out, text, n);
    out[n] = '\0';
    return true;
}

/* A revision ends at the next slash, but the hub's own kinds of refs have two. */
static size_t revision_length(const char *text)
{
    static const char *const kinds[] = {"refs/pr/", "refs/convert/"};
    for (size_t i = 0; i < LS_COUNT(kinds); i++)
        if (ls_starts_with(text, kinds[i]))
            return strlen(kinds[i]) + strcspn(text + strlen(kinds[i]), "/");
    return strcspn(text, "/");
}

leash_status ls_hub_spec_parse(ls_hub_spec *out, const char *text, const char *revision)
{
    static const char datasets[] = "datasets/";
    *out = (ls_hub_spec){.revision = "main"};
    if (!ls_starts_with(text, "hf:"))
        return fail_form(text);
    const char *at = text + 3;
    at += ls_starts_with(at, "//") ? 2 : 0; /* as fsspec writes it: hf://OWNER/NAME */
    out->is_dataset = ls_starts_with(at, datasets);
    at += out->is_dataset ? sizeof datasets - 1 : 0;
    size_t n_first = strcspn(at, "/@"), n = n_first;
    if (at[n_first] == '/') {
        size_t n_second = strcspn(at + n_first + 1, "/@");
        if (!is_name(at + n_first + 1, n_second))
            return fail_form(text);
        n += 1 + n_second;
    }
    if (!is_name(at, n_first) || !copy(out->id, sizeof out->id, at, n))
        return fail_form(text);
    at += n;
    if (*at == '@') {
        n = revision_length(++at);
        if (!copy(out->revision, sizeof out->revision, at, n))
            return fail_form(text);
        at += n;
    }
    if (*at == '/' && at[1] != '\0' &&
        (!copy(out->path, sizeof out->path, at + 1, strlen(at + 1)) ||
         !ls_hub_is_safe_path(out->path)))
        return fail_form(text);
    if (revision != NULL && !copy(out->revision, sizeof out->revision, revision, strlen(revision)))
        return fail_form(text);
    if (!ls_hub_is_safe_path(out->revision))
        return ls_fail(LEASH_USAGE, "%s: the revision is to be a branch, a tag or a commit",
                       revision != NULL ? "--revision" : text);
    return LEASH_OK;
}
