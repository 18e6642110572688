/* Time for people and for rates; never an input of a result. */
#ifndef LS_BASE_CLOCK_H
#define LS_BASE_CLOCK_H

double ls_clock_seconds(void); /* monotonic */
/* "2026-01-31T12:00:00Z" */
char *ls_clock_utc(char out[32]);

#endif
