/* The functions that a template finds without being given them. */
#include <locale.h>
#include <string.h>
#include <time.h>

#include "text/jinja/callable.h"

#define MOST_RANGE 100000

static leash_status range(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    int64_t first, second, step;
    (void)self;
    LS_TRY(ls_jarg_int(run, args, 0, 0, &first));
    LS_TRY(ls_jarg_int(run, args, 1, 0, &second));
    LS_TRY(ls_jarg_int(run, args, 2, 1, &step));
    if (!args->is_given[1]) {
        second = first;
        first = 0;
    }
    if (step == 0)
        return ls_jfail(run, "range: the step cannot be zero");
    *out = ls_jlist_new(run, LS_J_LIST, 0);
    for (int64_t i = first; step > 0 ? i < second : i > second;) {
        if (out->list->n == MOST_RANGE)
            return ls_jfail(run, "range: more than %d numbers", MOST_RANGE);
        LS_TRY(ls_jlist_add(run, out->list, ls_jint(i)));
        if (__builtin_add_overflow(i, step, &i))
            break;
    }
    return LEASH_OK;
}

/* dict({...}, name=value) and namespace alike. */
static leash_status make_dict(ls_jrun *run, const ls_jbound *args, ls_jtype type, ls_jval *out)
{
    *out = ls_jdict_new(run, type);
    if (args->all.n > 1 || (args->all.n && args->all.values[0].type != LS_J_DICT))
        return ls_jfail(run, "dict and namespace take one dict, and values with names");
    for (int64_t i = 0; args->all.n && i < args->all.values[0].dict->n; i++)
        LS_TRY(ls_jdict_set(run, out->dict, args->all.values[0].dict->keys[i],
                            args->all.values[0].dict->values[i]));
    for (int64_t i = 0; i < args->all.n_keywords; i++)
        LS_TRY(ls_jdict_set(run, out->dict, ls_jliteral(args->all.keywords[i].name),
                            args->all.keywords[i].value));
    return LEASH_OK;
}

static leash_status dict(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)self;
    return make_dict(run, args, LS_J_DICT, out);
}

static leash_status new_namespace(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    (void)self;
    return make_dict(run, args, LS_J_NAMESPACE, out);
}

static leash_status raise_exception(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    ls_jtext text;
    (void)self;
    (void)out;
    LS_TRY(ls_jto_string(run, args->slots[0], &text));
    return ls_jfail(run, "the template refuses the messages: %.*s",
                    text.n > 1000 ? 1000 : (int)text.n, text.at);
}

/* English names whatever the locale of the process. */
static leash_status strftime_now(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out)
{
    ls_jtext format;
    char text[512];
    struct tm date;
    (void)self;
    LS_TRY(ls_jarg_text(run, args, 0, NULL, &format));
    time_t now = run->now ? (time_t)run->now : time(NULL);
    if (!(run->now ? gmtime_r(&now, &date) : localtime_r(&now, &date)))
        return ls_jfail(run, "strftime_now: the time is out of range");
    locale_t english = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    size_t n = format.n < 200
                   ? strftime_l(text, sizeof text, ls_jpool_copy(&run->pool, format.at, format.n),
                                &date, english)
                   : 0;
    freelocale(english);
    if (n == 0 && format.n)
        return ls_jfail(run, "strftime_now: the format is empty or too long");
    *out = ls_jstring(ls_jpool_copy(&run->pool, text, n), n);
    return LEASH_OK;
}

const ls_jcallable *ls_jfind_global(const char *name)
{
    static const ls_jcallable globals[] = {
        {"range", range, "start,stop,step", 1},
        {"dict", dict, "*", 0},
        {"namespace", new_namespace, "*", 0},
        {"raise_exception", raise_exception, "message", 1},
        {"strftime_now", strftime_now, "format", 1},
    };
    for (size_t i = 0; i < LS_COUNT(globals); i++)
        if (strcmp(globals[i].name, name) == 0)
            return &globals[i];
    return NULL;
}
