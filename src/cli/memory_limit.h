/* How much memory the control groups (version 1 and 2) leave to this process. */
#ifndef LS_CLI_MEMORY_LIMIT_H
#define LS_CLI_MEMORY_LIMIT_H

/* The least limit of the process's group and all groups above it, in bytes; 0: none. */
double ls_memory_limit(void);

#endif
