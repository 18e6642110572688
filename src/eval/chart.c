/* Line charts in SVG, 400 by 200 units, coloured by CSS classes of the page. */
#include "eval/chart.h"

#include <math.h>

#define WIDTH 400.0
#define HEIGHT 190.0
#define LEFT 46.0
#define RIGHT 8.0
#define TOP 18.0
#define BOTTOM 22.0
#define MOST_TICKS 12

typedef struct frame { /* data ranges and the mapping to the picture */
    double x0, x1, y0, y1;
    int64_t n_finite;
} frame;

static double map_x(const frame *f, double x)
{
    return LEFT + (x - f->x0) / (f->x1 - f->x0) * (WIDTH - LEFT - RIGHT);
}

static double map_y(const frame *f, double y)
{
    return HEIGHT - BOTTOM - (y - f->y0) / (f->y1 - f->y0) * (HEIGHT - TOP - BOTTOM);
}

static frame measure(const ls_chart *chart)
{
    frame f = {.x0 = INFINITY, .x1 = -INFINITY, .y0 = INFINITY, .y1 = -INFINITY};
    for (size_t s = 0; s < chart->n_series; s++) {
        for (size_t i = 0; i < chart->series[s].n; i++) {
            ls_chart_point p = chart->series[s].points[i];
            if (!isfinite(p.y))
                continue;
            f.x0 = fmin(f.x0, p.x);
            f.x1 = fmax(f.x1, p.x);
            f.y0 = fmin(f.y0, p.y);
            f.y1 = fmax(f.y1, p.y);
            f.n_finite++;
        }
    }
    for (size_t i = 0; i < chart->n_parts; i++) {
        f.x0 = fmin(f.x0, chart->parts[i].from);
        f.x1 = fmax(f.x1, chart->parts[i].to);
    }
    if (chart->from_zero) {
        f.y0 = fmin(f.y0, 0);
        f.y1 = fmax(f.y1, 0);
    }
    if (!(f.x1 > f.x0))
        f.x1 = f.x0 + 1;
    if (!(f.y1 > f.y0))
        f.y1 = f.y0 + (f.y0 != 0 ? fabs(f.y0) * 0.1 : 1);
    return f;
}

/* A step of 1, 2 or 5 times a power of ten that gives about four lines. */
static double tick_step(double span)
{
    double raw = span / 4, power = pow(10, floor(log10(raw))), scaled = raw / power;
    return (scaled < 1.5 ? 1 : scaled < 3.5 ? 2 : scaled < 7.5 ? 5 : 10) * power;
}

static void append_value(ls_str *out, double value, const ls_chart *chart)
{
    char text[32];
    if (fabs(value) < 1e-12) /* a tick at 0 may be -0 or what rounding left of it */
        value = 0;
    if (chart->is_share)
        ls_str_appendf(out, "%.4g %%", 100 * value);
    else if (fabs(value) >= 10000)
        ls_str_append(out, ls_format_count(text, value));
    else
        ls_str_appendf(out, "%.4g", value);
}

static void draw_axes(ls_str *out, const ls_chart *chart, const frame *f)
{
    double step = tick_step(f->y1 - f->y0);
    double first = ceil(f->y0 / step - 1e-9) * step;
    for (int i = 0; i < MOST_TICKS && first + i * step <= f->y1 + step * 1e-6; i++) {
        double y = first + i * step;
        double at = map_y(f, y);
        ls_str_appendf(out,
                       "<line class=\"grid\" x1=\"%.1f\" x2=\"%.1f\" y1=\"%.1f\" y2=\"%.1f\"/>",
                       LEFT, WIDTH - RIGHT, at, at);
        ls_str_appendf(out, "<text class=\"tick\" text-anchor=\"end\" x=\"%.1f\" y=\"%.1f\">",
                       LEFT - 5, at + 3.5);
        append_value(out, y, chart);
        ls_str_append(out, "</text>");
    }
    for (size_t i = 0; i < chart->n_parts; i++) {
        double from = map_x(f, chart->parts[i].from), to = map_x(f, chart->parts[i].to);
        if (i % 2 == 1)
            ls_str_appendf(
                out, "<rect class=\"band\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
                from, TOP, to - from, HEIGHT - TOP - BOTTOM);
        ls_str_appendf(out, "<text class=\"part\" text-anchor=\"middle\" x=\"%.1f\" y=\"%.1f\">",
                       (from + to) / 2, HEIGHT - 7);
        ls_str_append_html(out, chart->parts[i].name, __builtin_strlen(chart->parts[i].name));
        ls_str_append(out, "</text>");
    }
}

static void draw_series(ls_str *out, const ls_chart_series *series, const frame *f, size_t index)
{
    ls_str_appendf(out, "<polyline class=\"line s%zu\" points=\"", index);
    for (size_t i = 0; i < series->n; i++)
        if (isfinite(series->points[i].y))
            ls_str_appendf(out, "%.1f,%.1f ", map_x(f, series->points[i].x),
                           map_y(f, series->points[i].y));
    ls_str_append(out, "\"/>");
    for (size_t i = 0; series->has_dots && i < series->n; i++)
        if (isfinite(series->points[i].y))
            ls_str_appendf(out, "<circle class=\"dot s%zu\" r=\"2.6\" cx=\"%.1f\" cy=\"%.1f\"/>",
                           index, map_x(f, series->points[i].x), map_y(f, series->points[i].y));
}

static void draw_legend(ls_str *out, const ls_chart *chart)
{
    if (chart->n_series < 2)
        return;
    ls_str_append(out, "<span class=\"legend\">");
    for (size_t s = 0; s < chart->n_series; s++) {
        ls_str_appendf(out, "<i class=\"key k%zu\"></i>", s);
        ls_str_append_html(out, chart->series[s].name, __builtin_strlen(chart->series[s].name));
        ls_str_append(out, " ");
    }
    ls_str_append(out, "</span>");
}

bool ls_chart_svg(ls_str *out, const ls_chart *chart)
{
    frame f = measure(chart);
    if (f.n_finite == 0)
        return false;
    ls_str_append(out, "<figure><figcaption><b>");
    ls_str_append_html(out, chart->title, __builtin_strlen(chart->title));
    ls_str_append(out, "</b>");
    if (chart->unit && chart->unit[0]) {
        ls_str_append(out, " <small>");
        ls_str_append_html(out, chart->unit, __builtin_strlen(chart->unit));
        ls_str_append(out, "</small>");
    }
    draw_legend(out, chart);
    if (chart->note) {
        ls_str_append(out, "<br><small>");
        ls_str_append_html(out, chart->note, __builtin_strlen(chart->note));
        ls_str_append(out, "</small>");
    }
    ls_str_appendf(out, "</figcaption><svg viewBox=\"0 0 %.0f %.0f\" role=\"img\">", WIDTH, HEIGHT);
    draw_axes(out, chart, &f);
    for (size_t s = 0; s < chart->n_series; s++)
        draw_series(out, &chart->series[s], &f, s);
    ls_str_append(out, "</svg></figure>\n");
    return true;
}
