/* The runs that tests of whole runs repeat: a tiny model on sums of two digits, a few steps, well
 * below a second each. */
#ifndef SMALL_RUNS_H
#define SMALL_RUNS_H

#include <math.h>

#include "run.h"

#define SUMS                                                                                     \
    "--task arithmetic --task_args digits=1,operators=+ --max_completion_length 8 --max_length " \
    "64 "

/* Sequences of an update in all small runs. */
#define SMALL_UPDATE 8

#define SMALL_SFT "--model base --learning_rate 3e-3 --weight_decay 0.1 " SUMS
/* More than one group in an update, more than one update and pass in a step, a KL leash, refill,
 * truncated completions. */
#define SMALL_RL "--model base --learning_rate 1e-3 --num_generations 4 " SUMS

typedef struct small_run {
    const char *name, *settings;
} small_run;

static const small_run small_runs[] = {
    {"sft", "sft --max_steps 4 " SMALL_SFT},
    {"packed", "sft --max_steps 4 --packing " SMALL_SFT},
    {"grpo", "grpo --max_steps 4 " SMALL_RL},
    {"off-policy", "grpo --max_steps 3 --generation_batch_size 16 --num_iterations 2 --beta 0 "
                   "--entropy_coef 0.01 --overlong_cache 4 " SMALL_RL},
    {"dapo", "grpo --recipe dapo --warmup_steps 0 --max_steps 3 " SMALL_RL},
    {"rloo", "grpo --recipe rloo --max_steps 3 --mask_truncated_completions --eval_steps 2 "
             "--eval_num_rows 8 " SMALL_RL},
};

/* A model that solves some of the sums, so that rewards within a group differ: base/. */
static inline int small_runs_setup(void **state)
{
    (void)state;
    if (run_workspace_open() != 0)
        return -1;
    run_ok("pretrain --model tiny --max_position_embeddings 256 --per_device_train_batch_size 16 "
           "--learning_rate 5e-3 "
           "--warmup_steps 5 --max_steps 60 --output_dir base " SUMS);
    return 0;
}

static inline int small_runs_teardown(void **state)
{
    (void)state;
    return run_workspace_close();
}

/* --- damage --- */

static inline void copy_folder(const char *from, const char *to)
{
    assert_ok(ls_dir_remove(to));
    run_result r = run_command("/bin/cp", "-r %s %s", from, to);
    assert_int_equal(r.code, 0);
    run_release(&r);
}

static inline void change_byte(const char *path, int64_t offset)
{
    unsigned char byte;
    int fd = open(path, O_RDWR);
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &byte, 1, offset), 1);
    byte ^= 0x10;
    assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
    close(fd);
}

/* Makes one weight of base/ a NaN in the folder nan/. */
static inline void make_nan_model(void)
{
    copy_folder("base/final", "nan");
    assert_int_equal(unlink("nan/manifest.json"), 0);
    ls_str file = run_read_file("nan/model.safetensors");
    uint64_t header;
    long long first, end;
    memcpy(&header, file.data, sizeof header);
    const char *entry = strstr(file.data + 8, "\"model.layers.1.mlp.down_proj.weight\"");
    assert_non_null(entry);
    assert_int_equal(
        sscanf(strstr(entry, "\"data_offsets\""), "\"data_offsets\":[%lld,%lld]", &first, &end), 2);
    float bad = NAN;
    memcpy(file.data + 8 + header + first, &bad, sizeof bad);
    assert_ok(ls_file_write_atomic("nan/model.safetensors", file.data, file.len));
    ls_str_release(&file);
}

#endif
