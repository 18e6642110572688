/* The environment of the hub. */
#include "hub/site.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/str.h"

static const char *get(const char *name)
{
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

static bool is_true(const char *value)
{
    static const char *const words[] = {"1", "on", "yes", "true"};
    for (size_t i = 0; value != NULL && i < LS_COUNT(words); i++)
        if (strcasecmp(value, words[i]) == 0)
            return true;
    return false;
}

/* A path with "~/" for the home; `below` is appended unless it is "". */
static leash_status set_path(char out[LS_PATH_MAX], const char *path, const char *below)
{
    const char *home = "";
    if (ls_starts_with(path, "~/")) {
        home = get("HOME");
        if (home == NULL)
            return ls_fail(LEASH_USAGE, "HOME is not set: set HF_HOME to a folder for models");
        path++;
    }
    int n = snprintf(out, LS_PATH_MAX, "%s%s%s%s", home, path, below[0] ? "/" : "", below);
    if (n < 0 || n >= LS_PATH_MAX)
        return ls_fail(LEASH_USAGE, "the path of the hub's cache is longer than %d bytes",
                       LS_PATH_MAX - 1);
    return LEASH_OK;
}

/* HF_HOME or its default, with a file or folder in it. */
static leash_status set_home_path(char out[LS_PATH_MAX], const char *below)
{
    char home[LS_PATH_MAX];
    if (get("HF_HOME") != NULL)
        return set_path(out, get("HF_HOME"), below);
    const char *caches = get("XDG_CACHE_HOME");
    LS_TRY(set_path(home, caches != NULL ? caches : "~/.cache", "huggingface"));
    return set_path(out, home, below);
}

static leash_status read_cache(ls_hub_site *out)
{
    const char *named = get("HF_HUB_CACHE");
    if (named == NULL)
        named = get("HUGGINGFACE_HUB_CACHE");
    return named != NULL ? set_path(out->cache, named, "") : set_home_path(out->cache, "hub");
}

/* The token without space around it.  It becomes a line of a request, so it is one word. */
static leash_status set_token(ls_hub_site *out, const char *text, const char *origin)
{
    static const char spaces[] = " \t\r\n";
    text += strspn(text, spaces);
    size_t n = strlen(text);
    while (n > 0 && strchr(spaces, text[n - 1]))
        n--;
    if (n >= sizeof out->token)
        return ls_fail(LEASH_USAGE, "%s: a token of %zu bytes is none of the hub's", origin, n);
    for (size_t i = 0; i < n; i++)
        if (text[i] <= ' ' || text[i] > '~')
            return ls_fail(LEASH_USAGE, "%s: expected one word of ASCII characters", origin);
    memcpy(out->token, text, n);
    out->token[n] = '\0';
    return LEASH_OK;
}

static leash_status read_token(ls_hub_site *out)
{
    char path[LS_PATH_MAX];
    if (get("HF_TOKEN") != NULL)
        return set_token(out, get("HF_TOKEN"), "HF_TOKEN");
    LS_TRY(get("HF_TOKEN_PATH") != NULL ? set_path(path, get("HF_TOKEN_PATH"), "")
                                        : set_home_path(path, "token"));
    if (!ls_file_exists(path))
        return LEASH_OK;
    ls_str text = LS_STR_INIT;
    leash_status status = ls_file_read(&text, path);
    if (status == LEASH_OK)
        status = set_token(out, text.data, path);
    ls_str_release(&text);
    return status;
}

static leash_status read_endpoint(ls_hub_site *out)
{
    const char *named = get("HF_ENDPOINT");
    if (named == NULL)
        named = "https://huggingface.co";
    size_t n = strlen(named);
    while (n > 0 && named[n - 1] == '/')
        n--;
    if ((!ls_starts_with(named, "https://") && !ls_starts_with(named, "http://")) ||
        n >= sizeof out->endpoint)
        return ls_fail(LEASH_USAGE, "HF_ENDPOINT: expected an address like https://huggingface.co");
    memcpy(out->endpoint, named, n);
    out->endpoint[n] = '\0';
    return LEASH_OK;
}

leash_status ls_hub_site_read(ls_hub_site *out)
{
    *out = (ls_hub_site){0};
    const char *offline = get("HF_HUB_OFFLINE");
    out->is_offline = is_true(offline != NULL ? offline : get("TRANSFORMERS_OFFLINE"));
    LS_TRY(read_endpoint(out));
    LS_TRY(read_cache(out));
    return read_token(out);
}
