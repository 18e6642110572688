/* Values of a running template, and the run that owns their memory.
 *
 * A value is small and copied; what it points to lives in the run's pool until the run ends and is
 * never changed once made, but for namespaces and for generators, which can be read once.  Strings
 * are UTF-8, counted and indexed by code point. */
#ifndef LS_TEXT_JINJA_VALUE_H
#define LS_TEXT_JINJA_VALUE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "text/jinja/jinja.h"

typedef enum ls_jtype {
    LS_J_UNDEFINED, /* text says what is undefined */
    LS_J_NONE,
    LS_J_BOOL,
    LS_J_INT,
    LS_J_FLOAT,
    LS_J_STRING,
    LS_J_LIST,
    LS_J_TUPLE,
    LS_J_GENERATOR, /* a list that can be read once and has no length */
    LS_J_DICT,
    LS_J_NAMESPACE,
    LS_J_MACRO,
    LS_J_METHOD, /* a method with its object */
    LS_J_FUNCTION,
    LS_J_LOOP
} ls_jtype;

typedef struct ls_jval ls_jval;
typedef struct ls_jlist ls_jlist;
typedef struct ls_jdict ls_jdict;
typedef struct ls_jnode ls_jnode;
typedef struct ls_jscope ls_jscope;
typedef struct ls_jmacro ls_jmacro;
typedef struct ls_jmethod ls_jmethod;
typedef struct ls_jloop ls_jloop;
typedef struct ls_jrun ls_jrun;
typedef struct ls_jcallable ls_jcallable;

typedef struct ls_jtext {
    const char *at;
    size_t n;
} ls_jtext;

struct ls_jval {
    ls_jtype type;
    union {
        bool truth;
        int64_t integer;
        double number;
        ls_jtext text;
        ls_jlist *list; /* list, tuple, generator */
        ls_jdict *dict; /* dict, namespace */
        const ls_jmacro *macro;
        const ls_jmethod *method;
        const ls_jcallable *function;
        ls_jloop *loop;
    };
};

struct ls_jlist {
    ls_jval *items;
    int64_t n, cap;
};

struct ls_jdict { /* in the order of insertion */
    ls_jval *keys, *values;
    int64_t n, cap;
};

/* Memory that is freed all at once. */
typedef struct ls_jpool {
    struct ls_jchunk *chunks;
    size_t total; /* bytes asked from the heap */
} ls_jpool;
void *ls_jpool_alloc(ls_jpool *pool, size_t bytes);              /* zeroed, 16-byte aligned */
char *ls_jpool_copy(ls_jpool *pool, const char *text, size_t n); /* with a NUL behind */
void ls_jpool_release(ls_jpool *pool);

/* A text that grows, in the pool. */
typedef struct ls_jbuf {
    char *data;
    size_t n, cap;
} ls_jbuf;

struct ls_jscope {
    ls_jscope *parent;
    const char **names; /* interned: the same name is the same pointer */
    ls_jval *values;
    int32_t n, cap;
};

struct ls_jrun {
    const ls_jinja *source;
    ls_jpool pool;
    ls_jbuf root;
    ls_jbuf *out; /* root, or what captures the output now */
    ls_jscope *scope;
    const ls_jnode *at; /* what is evaluated, for messages */
    ls_jinja_output *result;
    int64_t n_steps, now;
    int depth;
};

/* "NAME:LINE:COLUMN: ...", LEASH_DATA. */
leash_status ls_jfail(const ls_jrun *run, const char *format, ...) LS_PRINTF(2, 3);
/* Counts work: every loop over data calls it, so that no template runs for long. */
leash_status ls_jcharge(ls_jrun *run, size_t work) LEASH_MUST_USE;
leash_status ls_jenter(ls_jrun *run) LEASH_MUST_USE; /* one level deeper; run->depth-- leaves */

leash_status ls_jput(ls_jrun *run, ls_jbuf *buf, const char *text, size_t n) LEASH_MUST_USE;
leash_status ls_jputs(ls_jrun *run, ls_jbuf *buf, const char *text) LEASH_MUST_USE;
leash_status ls_jput_char(ls_jrun *run, ls_jbuf *buf, uint32_t codepoint) LEASH_MUST_USE;

ls_jval ls_jbool(bool truth);
ls_jval ls_jint(int64_t integer);
ls_jval ls_jfloat(double number);
ls_jval ls_jstring(const char *text, size_t n); /* borrows */
ls_jval ls_jliteral(const char *text);          /* borrows */
ls_jval ls_jof(const ls_jbuf *buf);
ls_jval ls_jnone(void);
ls_jval ls_jundefined(ls_jrun *run, const char *format, ...) LS_PRINTF(2, 3);
ls_jval ls_jlist_new(ls_jrun *run, ls_jtype type, int64_t cap);
leash_status ls_jlist_add(ls_jrun *run, ls_jlist *list, ls_jval item) LEASH_MUST_USE;
ls_jval ls_jdict_new(ls_jrun *run, ls_jtype type);
/* Keys that cannot be (lists, dicts) are an error. */
leash_status ls_jdict_set(ls_jrun *run, ls_jdict *dict, ls_jval key, ls_jval value) LEASH_MUST_USE;
/* *out is NULL when there is no such key. */
leash_status ls_jdict_get(ls_jrun *run, const ls_jdict *dict, ls_jval key,
                          const ls_jval **out) LEASH_MUST_USE;
leash_status ls_jval_of_json(ls_jrun *run, const json_t *json, ls_jval *out) LEASH_MUST_USE;

bool ls_jtruth(ls_jval v);
bool ls_jis_number(ls_jval v);                /* bool, int, float */
bool ls_jis_integer(ls_jval v, int64_t *out); /* bool, int */
double ls_jnumber(ls_jval v);
const char *ls_jtype_name(ls_jval v); /* Python's: "str", "dict", "NoneType" */
leash_status ls_jequal(ls_jrun *run, ls_jval a, ls_jval b, bool *out) LEASH_MUST_USE;
/* <0, 0, >0; types without an order are an error that names the operator `what`. */
leash_status ls_jcompare(ls_jrun *run, ls_jval a, ls_jval b, const char *what,
                         int *out) LEASH_MUST_USE;
leash_status ls_jcontains(ls_jrun *run, ls_jval container, ls_jval item, bool *out) LEASH_MUST_USE;
/* The items that a loop sees: list, tuple, generator (which is then used up), characters of a
 * string, keys of a dict, nothing of an undefined value.  *out may be borrowed. */
leash_status ls_jiterate(ls_jrun *run, ls_jval v, ls_jlist **out) LEASH_MUST_USE;
/* len(); an error for what has none. */
leash_status ls_jlength(ls_jrun *run, ls_jval v, int64_t *out) LEASH_MUST_USE;
int64_t ls_jchars(ls_jtext text); /* code points */

/* format.c: str(v), repr(v), and json.dumps. */
leash_status ls_jput_str(ls_jrun *run, ls_jbuf *buf, ls_jval v) LEASH_MUST_USE;
leash_status ls_jput_repr(ls_jrun *run, ls_jbuf *buf, ls_jval v) LEASH_MUST_USE;
/* As a string value; strings pass unchanged. */
leash_status ls_jto_string(ls_jrun *run, ls_jval v, ls_jtext *out) LEASH_MUST_USE;
typedef struct ls_jjson_style {
    bool ensure_ascii, sort_keys, has_indent;
    ls_jtext indent;    /* of one level */
    ls_jtext item, key; /* separators */
} ls_jjson_style;
leash_status ls_jput_json(ls_jrun *run, ls_jbuf *buf, ls_jval v,
                          const ls_jjson_style *style) LEASH_MUST_USE;

/* access.c: v.name, v[key], v[start:stop:step] (absent parts are None). */
leash_status ls_jattribute(ls_jrun *run, ls_jval v, const char *name, ls_jval *out) LEASH_MUST_USE;
leash_status ls_jitem(ls_jrun *run, ls_jval v, ls_jval key, ls_jval *out) LEASH_MUST_USE;
leash_status ls_jslice(ls_jrun *run, ls_jval v, const ls_jval part[3], ls_jval *out) LEASH_MUST_USE;

/* operators.c: op is '+', '-', '*', '/', 'd' (//), '%', 'p' (**). */
leash_status ls_jarithmetic(ls_jrun *run, int op, ls_jval a, ls_jval b,
                            ls_jval *out) LEASH_MUST_USE;

#endif
