/* Names, meanings and exit codes of leash_status, from the one list in leash/status.h.
 *
 * The text of the last error lives in err.c. */
#include "leash/status.h"

const char *leash_status_name(leash_status status)
{
    switch (status) {
#define NAME_CASE(name, value, exit_code, text) \
    case name: return #name;
        LEASH_STATUS_LIST(NAME_CASE)
#undef NAME_CASE
    }
    return "LEASH_UNKNOWN";
}

const char *leash_status_text(leash_status status)
{
    switch (status) {
#define TEXT_CASE(name, value, exit_code, text) \
    case name: return text;
        LEASH_STATUS_LIST(TEXT_CASE)
#undef TEXT_CASE
    }
    return "unknown status";
}

int leash_status_exit_code(leash_status status)
{
    switch (status) {
#define EXIT_CODE_CASE(name, value, exit_code, text) \
    case name: return exit_code;
        LEASH_STATUS_LIST(EXIT_CODE_CASE)
#undef EXIT_CODE_CASE
    }
    return 1;
}
