/* Claims about the recipes that are built in, and about their place in the order of origins. */
#include "fixture.h"

#include <unistd.h>
#include "base/file.h"

/* Keys that recipes set, all as texts: what the values mean is checked where the real tables
 * are. */
typedef struct any_options {
    const char *values[32];
} any_options;

static const char *const any_keys[] = {"method",
                                       "objective",
                                       "advantage_estimator",
                                       "aggregation",
                                       "epsilon",
                                       "epsilon_high",
                                       "beta",
                                       "kl_estimator",
                                       "kl_in",
                                       "degenerate_groups",
                                       "max_refill_rounds",
                                       "learning_rate",
                                       "lr_scheduler_type",
                                       "lr_floor",
                                       "warmup_steps",
                                       "weight_decay",
                                       "adam_beta2",
                                       "num_generations",
                                       "per_device_train_batch_size",
                                       "gradient_accumulation_steps",
                                       "completion_only_loss"};

static ls_option any_rows[LS_COUNT(any_keys)];
static const ls_option_table any_table = {"Any", "Texts.", any_rows, LS_COUNT(any_keys)};

static ls_config *any_new(any_options *options)
{
    for (size_t i = 0; i < LS_COUNT(any_keys); i++)
        any_rows[i] = (ls_option){.key = any_keys[i],
                                  .type = LS_OPT_STRING,
                                  .offset = i * sizeof(char *),
                                  .help = "Text."};
    ls_config *config = ls_config_new();
    ls_config_bind(config, &any_table, options);
    return config;
}

static void recipes_are_the_files_byte_for_byte(void **state)
{
    (void)state;
    size_t n;
    const ls_recipe *recipes = ls_recipes(&n);
    assert_true(n > 0);
    for (size_t i = 0; i < n; i++) {
        ls_str path = LS_STR_INIT, text = LS_STR_INIT;
        ls_str_appendf(&path, "%s/recipes/%s.yaml", LEASH_SOURCE_DIR, recipes[i].name);
        assert_int_equal(ls_file_read(&text, path.data), LEASH_OK);
        assert_int_equal(text.len, recipes[i].n);
        assert_memory_equal(text.data, recipes[i].text, text.len);
        assert_true(ls_starts_with(text.data + 2, recipes[i].help));
        assert_int_equal(text.data[2 + strlen(recipes[i].help)], '\n');
        ls_str_release(&path);
        ls_str_release(&text);
    }
}

static void every_file_is_built_in_and_names_are_sorted(void **state)
{
    (void)state;
    size_t n, n_yaml = 0;
    const ls_recipe *recipes = ls_recipes(&n);
    char **names;
    int64_t n_names;
    assert_int_equal(ls_dir_list(&names, &n_names, LEASH_SOURCE_DIR "/recipes"), LEASH_OK);
    for (int64_t i = 0; i < n_names; i++)
        n_yaml += ls_ends_with(names[i], ".yaml");
    ls_names_free(names, n_names);
    assert_int_equal(n, n_yaml);
    for (size_t i = 1; i < n; i++)
        assert_true(strcmp(recipes[i - 1].name, recipes[i].name) < 0);
}

static void a_recipe_sets_values_that_files_override(void **state)
{
    (void)state;
    any_options o;
    ls_config *config = any_new(&o);
    static const char text[] = "beta: 1\nrecipe: grpo\n"; /* in any place of the file */
    assert_int_equal(ls_config_load_text(config, text, sizeof text - 1, "run.yaml", LS_FROM_FILE),
                     LEASH_OK);
    assert_value(config, "beta", "1");
    assert_value(config, "kl_estimator", "k3");
    assert_int_equal(ls_config_origin(config, "beta"), LS_FROM_FILE);
    assert_int_equal(ls_config_origin(config, "kl_estimator"), LS_FROM_RECIPE);
    ls_config_free(config);
}

static void a_second_recipe_takes_the_place_of_the_first(void **state)
{
    (void)state;
    any_options o;
    ls_config *config = any_new(&o);
    assert_int_equal(ls_config_load_recipe(config, "grpo"), LEASH_OK);
    assert_value(config, "kl_in", "loss");
    assert_int_equal(ls_config_load_recipe(config, "dapo"), LEASH_OK);
    assert_value(config, "kl_in", ""); /* dapo does not set it */
    assert_false(ls_config_is_set(config, "kl_in"));
    ls_config_free(config);
}

static void a_recipe_flag_wins_over_that_of_a_file(void **state)
{
    (void)state;
    any_options o;
    ls_config *config = any_new(&o);
    char path[] = "/tmp/leash_test_recipe.XXXXXX", flag[] = "--recipe=rloo", c[] = "--config";
    char *argv[] = {c, path, flag};
    const char *rest[3];
    int n_rest, fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(ls_file_write_atomic(path, "recipe: grpo\nbeta: 9\n", 21), LEASH_OK);
    assert_int_equal(ls_config_parse_args(config, 3, argv, rest, &n_rest), LEASH_OK);
    assert_value(config, "advantage_estimator", "rloo");
    assert_value(config, "beta", "9");
    unlink(path);
    ls_config_free(config);
}

static void an_unknown_recipe_gets_the_list(void **state)
{
    (void)state;
    any_options o;
    ls_config *config = any_new(&o);
    assert_int_equal(ls_config_load_recipe(config, "grop"), LEASH_USAGE);
    assert_true(ls_starts_with(leash_error(), "recipe: 'grop' is none of "));
    assert_true(ls_ends_with(leash_error(), " (did you mean 'grpo'?)"));
    ls_config_free(config);
}

static void a_recipe_does_not_build_on_another(void **state)
{
    (void)state;
    any_options o;
    ls_config *config = any_new(&o);
    static const char text[] = "recipe: grpo\n";
    assert_usage(ls_config_load_text(config, text, sizeof text - 1, "recipe x", LS_FROM_RECIPE),
                 "recipe x:1:1: a recipe may not build on another recipe");
    ls_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recipes_are_the_files_byte_for_byte),
        cmocka_unit_test(every_file_is_built_in_and_names_are_sorted),
        cmocka_unit_test(a_recipe_sets_values_that_files_override),
        cmocka_unit_test(a_second_recipe_takes_the_place_of_the_first),
        cmocka_unit_test(a_recipe_flag_wins_over_that_of_a_file),
        cmocka_unit_test(an_unknown_recipe_gets_the_list),
        cmocka_unit_test(a_recipe_does_not_build_on_another),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
