/* A parsed template: a tree of nodes of one shape.  Names are interned, so that equal names are
 * equal pointers within a template. */
#ifndef LS_TEXT_JINJA_AST_H
#define LS_TEXT_JINJA_AST_H

#include "text/jinja/value.h"

/* Which fields a kind uses stands beside it; `list` and `other` are first elements, linked by
 * `next`. */
typedef enum ls_jkind {
    /* statements */
    LS_JN_TEXT,       /* value                                                        */
    LS_JN_PRINT,      /* a                                                            */
    LS_JN_IF,         /* a condition, list body, other else-body                      */
    LS_JN_FOR,        /* a target, b iterated, c condition or NULL, list body, other else-body */
    LS_JN_SET,        /* a target, b value                                            */
    LS_JN_SET_BLOCK,  /* a target, b filters or NULL, list body                       */
    LS_JN_MACRO,      /* macro, list body                                             */
    LS_JN_FILTER,     /* b filters, list body                                         */
    LS_JN_GENERATION, /* list body                                                    */
    LS_JN_BREAK,
    LS_JN_CONTINUE,
    /* expressions */
    LS_JN_CONSTANT,  /* value                                                        */
    LS_JN_NAME,      /* name                                                         */
    LS_JN_LIST,      /* list                                                         */
    LS_JN_TUPLE,     /* list                                                         */
    LS_JN_DICT,      /* list of LS_JN_PAIR                                           */
    LS_JN_PAIR,      /* a key, b value                                               */
    LS_JN_ATTRIBUTE, /* a, name                                                      */
    LS_JN_ITEM,      /* a, b key                                                     */
    LS_JN_SLICE,     /* a, list of three: start, stop, step (LS_JN_CONSTANT none)    */
    LS_JN_CALL,      /* a, list of arguments, LS_JN_KEYWORD behind the others        */
    LS_JN_KEYWORD,   /* name, a                                                      */
    LS_JN_APPLY,   /* callable (a filter or test), a subject (NULL: the block), list of arguments */
    LS_JN_NOT,     /* a                                                            */
    LS_JN_NEGATE,  /* a                                                            */
    LS_JN_PLUS,    /* a                                                            */
    LS_JN_AND,     /* a, b                                                         */
    LS_JN_OR,      /* a, b                                                         */
    LS_JN_CHOOSE,  /* a condition, b if true, c else or NULL                       */
    LS_JN_COMPARE, /* a, list of LS_JN_COMPARISON                                  */
    LS_JN_COMPARISON, /* op, a                                                       */
    LS_JN_CONCAT,     /* list                                                         */
    LS_JN_BINARY      /* op, a, b                                                     */
} ls_jkind;

/* Operators of LS_JN_COMPARISON; those of LS_JN_BINARY are the letters of ls_jarithmetic. */
enum {
    LS_JOP_EQ = 1,
    LS_JOP_NE,
    LS_JOP_LT,
    LS_JOP_LE,
    LS_JOP_GT,
    LS_JOP_GE,
    LS_JOP_IN,
    LS_JOP_NOT_IN
};

struct ls_jmacro {
    const char *name;
    const char **params; /* interned */
    ls_jnode **defaults; /* NULL: none */
    int n_params;
    ls_jnode *body;
};

struct ls_jnode {
    ls_jkind kind;
    int op;
    int line, column;
    const char *name;
    ls_jval value;
    const ls_jcallable *callable;
    ls_jmacro *macro;
    ls_jnode *a, *b, *c, *list, *other, *next;
};

/* Interned before all others. */
enum { LS_JNAME_LOOP };

struct ls_jinja {
    char *name;
    ls_jpool pool; /* the tree and its texts */
    ls_jnode *body;
    const char **names; /* interned, for the parser */
    int64_t n_names;
    bool has_generation;
};

/* Python's str.isspace(). */
bool ls_jis_space(uint32_t codepoint);

#endif
