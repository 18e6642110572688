/* Views of whole sequences: the cut of a step into micro-batches. */
#include "rl/waist.h"

#include <stddef.h>
#include "base/err.h"

static const float *from(const float *array, int64_t first)
{
    return array ? array + first : NULL;
}

leash_streams ls_streams_range(const leash_streams *all, int64_t first, int64_t end)
{
    LS_ASSERT(first >= 0 && first <= end && end <= all->n_seqs);
    int64_t token = all->seq_start[first] - all->seq_start[0];
    leash_streams view = *all;
    view.n_seqs = end - first;
    view.n_tokens = all->seq_start[end] - all->seq_start[first];
    view.seq_start = all->seq_start + first;
    view.group = all->group ? all->group + first : NULL;
    view.flags = all->flags ? all->flags + first : NULL;
    view.old_logp = from(all->old_logp, token);
    view.ref_logp = from(all->ref_logp, token);
    view.advantage = from(all->advantage, token);
    view.weight = from(all->weight, token);
    view.sampler_logp = from(all->sampler_logp, token);
    view.anchor = from(all->anchor, token);
    view.old_value = from(all->old_value, token);
    view.ret = from(all->ret, token);
    view.label = from(all->label, first);
    view.margin = from(all->margin, first);
    view.step_label = from(all->step_label, token);
    view.teacher_logp = from(all->teacher_logp, token * all->n_ids);
    return view;
}
