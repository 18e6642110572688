/* Functions that may not appear in this project: included by every layer through base/compiler
 * checks in script/lint, and by files that want the compiler to refuse them. */
#ifndef LS_BASE_BANNED_H
#define LS_BASE_BANNED_H

#pragma GCC poison strcpy strcat sprintf vsprintf gets atoi atol atof rand srand strtok

#endif
