/* Views of whole sequences: the cut of a step into micro-batches. */
#include "rl/waist.h"

#include <stddef.h>
#include "base/err.h"

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
    view.old_logp = all->old_logp ? all->old_logp + token : NULL;
    view.ref_logp = all->ref_logp ? all->ref_logp + token : NULL;
    view.advantage = all->advantage ? all->advantage + token : NULL;
    view.weight = all->weight ? all->weight + token : NULL;
    view.sampler_logp = all->sampler_logp ? all->sampler_logp + token : NULL;
    view.anchor = all->anchor ? all->anchor + token : NULL;
    return view;
}
