/* Reading a pipeline file through libyaml's document tree, strictly. */
#include "cli/pipeline.h"

#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/file.h"
#include "base/str.h"

typedef struct reader {
    yaml_document_t document;
    const char *path;
    ls_pipeline *out;
} reader;

static leash_status fail_at(const reader *r, const yaml_node_t *node, const char *text)
{
    return ls_fail(LEASH_USAGE, "%s:%zu:%zu: %s", r->path, node->start_mark.line + 1,
                   node->start_mark.column + 1, text);
}

static const char *scalar(const reader *r, const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE
               ? ls_arena_strdup(&r->out->arena, (const char *)node->data.scalar.value)
               : NULL;
}

/* Replaces the setting of the same key, so that a stage's own value wins over the pipeline's. */
static leash_status add_setting(const reader *r, ls_stage *stage, const yaml_node_t *key,
                                const yaml_node_t *value)
{
    const char *name = scalar(r, key), *text = scalar(r, value);
    if (!name || !text)
        return fail_at(r, value, "a setting is one key: value");
    int64_t i = 0;
    while (i < stage->n_settings && strcmp(stage->settings[i].key, name) != 0)
        i++;
    if (i == LS_PIPELINE_SETTINGS)
        return fail_at(r, key, "too many settings, 128 are allowed");
    if (i == stage->n_settings)
        stage->n_settings++;
    stage->settings[i] = (ls_setting){name, text};
    return LEASH_OK;
}

static leash_status read_settings(reader *r, ls_stage *stage, const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE)
        return fail_at(r, node, "settings is a mapping of key: value");
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++)
        LS_TRY(add_setting(r, stage, yaml_document_get_node(&r->document, p->key),
                           yaml_document_get_node(&r->document, p->value)));
    return LEASH_OK;
}

static leash_status read_gate(reader *r, ls_stage *stage, const yaml_node_t *node)
{
    bool has_min = false;
    if (node->type != YAML_MAPPING_NODE)
        return fail_at(r, node, "gate is {metric: NAME, min: NUMBER}");
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *value = yaml_document_get_node(&r->document, p->value);
        const char *key = scalar(r, yaml_document_get_node(&r->document, p->key)),
                   *text = scalar(r, value);
        if (key && text && strcmp(key, "metric") == 0)
            stage->gate_metric = text;
        else if (key && text && strcmp(key, "min") == 0 && ls_parse_double(text, &stage->gate_min))
            has_min = true;
        else
            return fail_at(r, value, "gate is {metric: NAME, min: NUMBER}");
    }
    return stage->gate_metric && has_min ? LEASH_OK
                                         : fail_at(r, node, "gate is {metric: NAME, min: NUMBER}");
}

static bool stage_exists(const ls_pipeline *pipeline, const char *name)
{
    for (int64_t i = 0; i < pipeline->n_stages; i++)
        if (strcmp(pipeline->stages[i].name, name) == 0)
            return true;
    return false;
}

static bool is_training(const char *command)
{
    static const char *const commands[] = {"pretrain", "sft",  "dpo", "kto",    "reward",
                                           "prm",      "grpo", "ppo", "distill"};
    for (size_t i = 0; i < LS_COUNT(commands); i++)
        if (strcmp(command, commands[i]) == 0)
            return true;
    return false;
}

static leash_status check_stage(const reader *r, const ls_stage *stage, const yaml_node_t *node)
{
    if (!stage->name || !stage->command)
        return fail_at(r, node, "a stage needs name and command");
    if (strchr(stage->name, '/') || stage->name[0] == '.' || !stage->name[0])
        return fail_at(r, node, "a stage's name is a plain directory name");
    if (stage_exists(r->out, stage->name))
        return fail_at(r, node, "two stages have this name");
    if (!is_training(stage->command))
        return fail_at(
            r, node, "command is none of pretrain, sft, dpo, kto, reward, prm, grpo, ppo, distill");
    if (stage->from && !stage_exists(r->out, stage->from))
        return fail_at(r, node, "from names no earlier stage");
    return LEASH_OK;
}

static leash_status read_stage(reader *r, const ls_stage *common, const yaml_node_t *node)
{
    if (node->type != YAML_MAPPING_NODE)
        return fail_at(r, node, "a stage is a mapping with name and command");
    if (r->out->n_stages == LS_PIPELINE_STAGES)
        return fail_at(r, node, "too many stages, 32 are allowed");
    ls_stage *stage = &r->out->stages[r->out->n_stages];
    *stage = *common;
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *key_node = yaml_document_get_node(&r->document, p->key),
                          *value = yaml_document_get_node(&r->document, p->value);
        const char *key = scalar(r, key_node), *text = scalar(r, value);
        if (key && strcmp(key, "settings") == 0)
            LS_TRY(read_settings(r, stage, value));
        else if (key && strcmp(key, "gate") == 0)
            LS_TRY(read_gate(r, stage, value));
        else if (key && text && strcmp(key, "name") == 0)
            stage->name = text;
        else if (key && text && strcmp(key, "command") == 0)
            stage->command = text;
        else if (key && text && strcmp(key, "recipe") == 0)
            stage->recipe = text;
        else if (key && text && strcmp(key, "from") == 0)
            stage->from = text;
        else
            return fail_at(r, key_node,
                           "unknown key: a stage has name, command, recipe, from, settings, gate");
    }
    LS_TRY(check_stage(r, stage, node));
    r->out->n_stages++;
    return LEASH_OK;
}

static leash_status read_stages(reader *r, const ls_stage *common, const yaml_node_t *node)
{
    if (node->type != YAML_SEQUENCE_NODE ||
        node->data.sequence.items.start == node->data.sequence.items.top)
        return fail_at(r, node, "stages is a list with at least one stage");
    for (yaml_node_item_t *i = node->data.sequence.items.start; i < node->data.sequence.items.top;
         i++)
        LS_TRY(read_stage(r, common, yaml_document_get_node(&r->document, *i)));
    return LEASH_OK;
}

static leash_status read_root(reader *r, ls_stage *common)
{
    const yaml_node_t *root = yaml_document_get_root_node(&r->document), *stages = NULL;
    if (!root || root->type != YAML_MAPPING_NODE)
        return ls_fail(LEASH_USAGE, "%s: a pipeline is a mapping with name, settings, stages",
                       r->path);
    for (yaml_node_pair_t *p = root->data.mapping.pairs.start; p < root->data.mapping.pairs.top;
         p++) {
        const yaml_node_t *key_node = yaml_document_get_node(&r->document, p->key),
                          *value = yaml_document_get_node(&r->document, p->value);
        const char *key = scalar(r, key_node);
        if (key && strcmp(key, "name") == 0 && value->type == YAML_SCALAR_NODE)
            r->out->name = scalar(r, value);
        else if (key && strcmp(key, "settings") == 0)
            LS_TRY(read_settings(r, common, value));
        else if (key && strcmp(key, "stages") == 0)
            stages = value;
        else
            return fail_at(r, key_node, "unknown key: a pipeline has name, settings, stages");
    }
    if (!r->out->name || !stages)
        return fail_at(r, root, "a pipeline needs name and stages");
    return read_stages(r, common, stages);
}

static leash_status parse(ls_pipeline *out, const char *path, const ls_str *text)
{
    reader r = {.path = path, .out = out};
    yaml_parser_t parser;
    ls_stage *common = ls_calloc(1, sizeof *common);
    yaml_parser_initialize(&parser);
    yaml_parser_set_input_string(&parser, (const unsigned char *)text->data, text->len);
    leash_status status;
    if (yaml_parser_load(&parser, &r.document)) {
        status = read_root(&r, common);
        yaml_document_delete(&r.document);
    } else {
        status = ls_fail(LEASH_USAGE, "%s:%zu:%zu: malformed YAML: %s", path,
                         parser.problem_mark.line + 1, parser.problem_mark.column + 1,
                         parser.problem ? parser.problem : "unreadable");
    }
    yaml_parser_delete(&parser);
    ls_free(common);
    return status;
}

leash_status ls_pipeline_load(ls_pipeline *out, const char *path)
{
    ls_str text = LS_STR_INIT;
    memset(out, 0, sizeof *out);
    leash_status status = ls_file_read(&text, path);
    if (status == LEASH_OK)
        status = ls_arena_init(&out->arena, "pipeline", 1 << 24);
    if (status == LEASH_OK)
        status = parse(out, path, &text);
    ls_str_release(&text);
    if (status != LEASH_OK)
        ls_pipeline_release(out);
    return status;
}

void ls_pipeline_release(ls_pipeline *pipeline)
{
    ls_arena_release(&pipeline->arena);
}
