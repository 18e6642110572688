/* Tables of rotary positions: the frequencies of every kind of scaling, and their cosines and
 * sines.
 *
 * With R the rotated part of a head and i = 0 .. R/2-1, plain frequencies are base^(-2i/R).  The
 * kinds stretch them for positions beyond those of pretraining (original length L):
 *   linear    all divided by the factor
 *   dynamic   the base grows with a sequence longer than max_position_embeddings; here none is, so
 *             the frequencies are the plain ones
 *   llama3    wavelengths above L / low_freq_factor divided, below L / high_freq_factor kept,
 *             between them blended
 *   yarn      blended over the index: kept where a frequency turns more than beta_fast times
 *             within L, divided where less than beta_slow times       arXiv:2309.00071
 *   longrope  each divided by a factor of its own, short ones or long ones by the length of the
 *             longest sequence of the run, never by a batch's          arXiv:2402.13753
 * yarn and longrope also multiply cosines and sines, which sharpens attention.
 *
 * A frequency is rounded to float, as the reference implementations do, which also hides last-bit
 * differences between one libm's pow and another's; the angle is then exact in double. */
#include <math.h>
#include "base/vmath.h"
#include "model/decoder.h"

#define TWO_PI 6.283185307179586

int64_t ls_rope_width(const ls_model_config *c)
{
    double part = c->partial_rotary_factor > 0 ? c->partial_rotary_factor : 1.0;
    return (int64_t)((double)c->head_dim * part);
}

static double original_length(const ls_model_config *c, const ls_rope_scaling *s)
{
    return (double)(s->original_max_position_embeddings > 0 ? s->original_max_position_embeddings
                                                            : c->max_position_embeddings);
}

/* Positions now over positions in pretraining. */
static double stretch(const ls_model_config *c, const ls_rope_scaling *s)
{
    if (s->factor > 0)
        return s->factor;
    return (double)c->max_position_embeddings / original_length(c, s);
}

static double llama3_frequency(double plain, double length, const ls_rope_scaling *s)
{
    double wavelength = TWO_PI / plain;
    if (wavelength > length / s->low_freq_factor)
        return plain / s->factor;
    if (wavelength < length / s->high_freq_factor)
        return plain;
    double blend =
        (length / wavelength - s->low_freq_factor) / (s->high_freq_factor - s->low_freq_factor);
    return (1.0 - blend) * plain / s->factor + blend * plain;
}

typedef struct {
    double low, high, factor;
} yarn_ramp;

static yarn_ramp make_ramp(const ls_model_config *c, const ls_rope_scaling *s, double base)
{
    double R = (double)ls_rope_width(c), length = original_length(c, s);
    double fast = s->beta_fast > 0 ? s->beta_fast : 32.0;
    double slow = s->beta_slow > 0 ? s->beta_slow : 1.0;
    yarn_ramp ramp = {.low = R * log(length / (fast * TWO_PI)) / (2.0 * log(base)),
                      .high = R * log(length / (slow * TWO_PI)) / (2.0 * log(base)),
                      .factor = stretch(c, s)};
    if (!s->keeps_fractions) {
        ramp.low = floor(ramp.low);
        ramp.high = ceil(ramp.high);
    }
    ramp.low = fmax(ramp.low, 0.0);
    ramp.high = fmin(ramp.high, R - 1.0);
    if (ramp.low == ramp.high)
        ramp.high += 0.001;
    return ramp;
}

static double yarn_frequency(double plain, double i, const yarn_ramp *ramp)
{
    double divided = fmin(fmax((i - ramp->low) / (ramp->high - ramp->low), 0.0), 1.0);
    return plain / ramp->factor * divided + plain * (1.0 - divided);
}

static bool is_long(const ls_model_config *c, const ls_rope_scaling *s)
{
    return (double)c->longest_sequence > original_length(c, s);
}

static double frequency(const ls_model_config *c, const ls_rope_scaling *s, double base, int64_t i)
{
    double plain = pow(base, -2.0 * (double)i / (double)ls_rope_width(c));
    switch (s ? s->type : LS_ROPE_DEFAULT) {
    case LS_ROPE_LINEAR: return plain / s->factor;
    case LS_ROPE_LLAMA3: return llama3_frequency(plain, original_length(c, s), s);
    case LS_ROPE_YARN: {
        yarn_ramp ramp = make_ramp(c, s, base);
        return yarn_frequency(plain, (double)i, &ramp);
    }
    case LS_ROPE_LONGROPE: return plain / (is_long(c, s) ? s->long_factor[i] : s->short_factor[i]);
    case LS_ROPE_DEFAULT:
    case LS_ROPE_DYNAMIC: break;
    }
    return plain;
}

static double yarn_magnitude(double factor, double weight)
{
    return factor <= 1.0 ? 1.0 : 0.1 * weight * log(factor) + 1.0;
}

/* What cosines and sines are multiplied by. */
static double magnitude(const ls_model_config *c, const ls_rope_scaling *s)
{
    if (s == NULL || (s->type != LS_ROPE_YARN && s->type != LS_ROPE_LONGROPE))
        return 1.0;
    if (s->attention_factor > 0)
        return s->attention_factor;
    double factor = stretch(c, s);
    if (s->type == LS_ROPE_LONGROPE)
        return factor <= 1.0 ? 1.0 : sqrt(1.0 + log(factor) / log(original_length(c, s)));
    if (s->mscale > 0 && s->mscale_all_dim > 0)
        return yarn_magnitude(factor, s->mscale) / yarn_magnitude(factor, s->mscale_all_dim);
    return yarn_magnitude(factor, 1.0);
}

void ls_rope_build(ls_rope_table *out, ls_model *model, double base, const ls_rope_scaling *scaling)
{
    const ls_model_config *c = &model->config;
    int64_t n = ls_model_context(c), R = ls_rope_width(c), half = R / 2;
    float *cosines = ls_arena_floats(model->arena, n * half);
    float *sines = ls_arena_floats(model->arena, n * half);
    *out = (ls_rope_table){.cos = cosines, .sin = sines, .n_positions = n, .R = R};
    if (model->dev->k->is_null)
        return;
    float size = (float)magnitude(c, scaling);
    for (int64_t i = 0; i < half; i++) {
        float turns = (float)frequency(c, scaling, base, i);
        for (int64_t p = 0; p < n; p++) {
            float *cosine = &cosines[p * half + i], *sine = &sines[p * half + i];
            ls_sincosf(sine, cosine, (double)p * (double)turns);
            *cosine *= size;
            *sine *= size;
        }
    }
}

static leash_status need(const char *key, double value)
{
    if (value > 0 && isfinite(value))
        return LEASH_OK;
    if (value == 0)
        return ls_fail(LEASH_FORMAT,
                       "model: rope_scaling: %s is missing or 0, expected a positive number", key);
    return ls_fail(LEASH_FORMAT, "model: rope_scaling: %s is %g, expected a positive number", key,
                   value);
}

static leash_status check_factors(const ls_model_config *c, const ls_rope_scaling *s)
{
    if (s->n_factors != ls_rope_width(c) / 2)
        return ls_fail(LEASH_FORMAT,
                       "model: rope_scaling: short_factor and long_factor have %lld numbers, "
                       "expected %lld (half of the rotated part of a head)",
                       (long long)s->n_factors, (long long)ls_rope_width(c) / 2);
    for (int64_t i = 0; i < s->n_factors; i++) {
        LS_TRY(need("short_factor", s->short_factor[i]));
        LS_TRY(need("long_factor", s->long_factor[i]));
    }
    return LEASH_OK;
}

/* 0 stands for what is absent. */
static leash_status check_scaling(const ls_rope_scaling *s)
{
    const struct {
        const char *key;
        double value;
    } numbers[] = {
        {"factor", s->factor},
        {"attention_factor", s->attention_factor},
        {"beta_fast", s->beta_fast},
        {"beta_slow", s->beta_slow},
        {"mscale", s->mscale},
        {"mscale_all_dim", s->mscale_all_dim},
        {"original_max_position_embeddings", (double)s->original_max_position_embeddings},
    };
    for (size_t i = 0; i < LS_COUNT(numbers); i++)
        if (numbers[i].value != 0.0)
            LS_TRY(need(numbers[i].key, numbers[i].value));
    return LEASH_OK;
}

leash_status ls_rope_check(const ls_model_config *c)
{
    const ls_rope_scaling *s = &c->rope_scaling;
    if (!(c->rope_theta > 1.0) || !isfinite(c->rope_theta))
        return ls_fail(LEASH_FORMAT, "model: rope_theta is %g, expected a number above 1",
                       c->rope_theta);
    if (!(c->partial_rotary_factor >= 0 && c->partial_rotary_factor <= 1))
        return ls_fail(LEASH_FORMAT, "model: partial_rotary_factor is %g, expected 0 to 1",
                       c->partial_rotary_factor);
    int64_t R = ls_rope_width(c);
    if (R < 2 || R % 2 != 0)
        return ls_fail(LEASH_FORMAT,
                       "model: rotary positions need an even part of a head; head_dim %lld and "
                       "partial_rotary_factor %g give %lld",
                       (long long)c->head_dim, c->partial_rotary_factor, (long long)R);
    if (!(c->rope_local_base_freq == 0 || c->rope_local_base_freq > 1.0))
        return ls_fail(LEASH_FORMAT, "model: rope_local_base_freq is %g, expected a number above 1",
                       c->rope_local_base_freq);
    LS_TRY(check_scaling(s));
    switch (s->type) {
    case LS_ROPE_LINEAR:
    case LS_ROPE_DYNAMIC: return need("factor", s->factor);
    case LS_ROPE_LLAMA3:
        LS_TRY(need("factor", s->factor));
        LS_TRY(need("low_freq_factor", s->low_freq_factor));
        return need("high_freq_factor minus low_freq_factor",
                    s->high_freq_factor - s->low_freq_factor);
    case LS_ROPE_LONGROPE: return check_factors(c, s);
    case LS_ROPE_YARN: /* the factor follows from the original length where that is known */
        return s->original_max_position_embeddings > 0 ? LEASH_OK : need("factor", s->factor);
    case LS_ROPE_DEFAULT: break;
    }
    return LEASH_OK;
}
