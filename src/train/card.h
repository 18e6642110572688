/* README.md of a checkpoint: how the model in it came about, for people who find the folder
 * alone. */
#ifndef LS_TRAIN_CARD_H
#define LS_TRAIN_CARD_H

#include "train/run.h"

/* Appends a model card (Markdown with the header that model hubs read).  It says the same after
 * every resume: nothing of machine, time or place is in it. */
void ls_run_card(ls_str *out, const ls_run *run);

#endif
