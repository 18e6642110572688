/* Changing single keys of a JSON object's text and leaving every other byte as it is: numbers keep
 * their spelling, keys their order, lines their indentation. */
#ifndef LS_FORMATS_JSON_EDIT_H
#define LS_FORMATS_JSON_EDIT_H

#include "base/str.h"

/* `text` is a valid JSON object (a parser has read it).  Only its own keys count, not those of
 * objects inside. */
bool ls_json_has_key(const char *text, const char *key);
/* Replaces the value, or adds the key at the end; `value` is JSON. */
void ls_json_set_key(ls_str *text, const char *key, const char *value);
/* Takes key and value out; nothing happens when it is not there. */
void ls_json_remove_key(ls_str *text, const char *key);

#endif
