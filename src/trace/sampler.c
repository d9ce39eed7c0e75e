#include "trace/sampler.h"

#include <math.h>

#include "base/clock.h"
#include "base/str.h"
#include "trace/internal.h"
#include "trace/names.h"

enum { RANDOM_BYTES = 7 };

/* Compare the id's last 56 bits with a threshold: R >= T means that the trace is sent. */
static bool is_in_ratio(const struct np_trace_id *id, double ratio)
{
    uint64_t random = 0;

    for (size_t i = NP_TRACE_ID_BYTES - RANDOM_BYTES; i < NP_TRACE_ID_BYTES; i++)
        random = random << 8 | id->byte[i];
    return random >= (UINT64_C(1) << 56) - (uint64_t)rint(ratio * 0x1p56);
}

bool np_sampler_keeps(const struct np_sampler *sampler, const struct np_span *root)
{
    if (root->status == NP_STATUS_ERROR)
        return true;
    if (sampler->is_parent_based && root->flags & NP_FLAG_PARENT_REMOTE)
        return root->flags & NP_FLAG_SAMPLED;
    return sampler->ratio > 0 && is_in_ratio(&root->trace_id, sampler->ratio);
}

void np_span_set_sampled(struct np_span *span, bool sampled)
{
    span->flags =
        sampled ? span->flags | NP_FLAG_SAMPLED : span->flags & ~(uint32_t)NP_FLAG_SAMPLED;
}

void np_trace_log_sampling(struct np_trace *trace, const struct np_trace_id *trace_id, bool sampled)
{
    NP_AUTO(np_log_record_done)
    struct np_log_record record = {
        .time_ns = np_clock_unix_ns(),
        .severity = NP_DEBUG,
        .body = np_xstrdup(sampled ? "The trace is to be sent." : "The trace is not to be sent."),
        .trace_id = *trace_id,
    };

    np_attrs_string(&record.attrs, NP_KEY_EVENT_NAME, NP_EVENT_SAMPLING);
    np_attrs_bool(&record.attrs, NP_KEY_NEURO_SAMPLED, sampled);
    np_trace_log_unlimited(trace, &record); /* this record is for our own sender */
}
