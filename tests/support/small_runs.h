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

/* On pairs.jsonl: sums of two digits, the right one against a wrong one of another length. */
#define SMALL_PAIRS "--model base --dataset pairs.jsonl --learning_rate 1e-3 --max_length 64 "

/* On steps.jsonl: sums of three digits in two steps, some of them wrong. */
#define SMALL_STEPS "--model base --dataset steps.jsonl --learning_rate 1e-3 --max_length 64 "

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
    {"lora", "grpo --use_peft --lora_r 4 --max_steps 4 " SMALL_RL},
    {"dpo", "dpo --entropy_coef 0.01 --max_steps 4 " SMALL_PAIRS},
    {"precomputed",
     "dpo --precompute_ref_log_probs --entropy_coef 0.01 --max_steps 4 " SMALL_PAIRS},
    {"tr-dpo", "dpo --recipe tr-dpo --ref_model_sync_steps 2 --max_steps 4 " SMALL_PAIRS},
    {"beta-dpo", "dpo --recipe beta-dpo --beta_dpo_rho 0.4 --max_steps 4 " SMALL_PAIRS},
    {"simpo", "dpo --recipe simpo --ld_alpha 0.5 --max_steps 4 " SMALL_PAIRS},
    {"lora-dpo", "dpo --use_peft --lora_r 4 --max_steps 4 " SMALL_PAIRS},
    {"kto", "kto --undesirable_weight 1.5 --max_steps 4 " SMALL_PAIRS},
    {"bco", "kto --recipe bco --max_steps 4 " SMALL_PAIRS},
    {"online-dpo", "grpo --recipe online-dpo --max_steps 3 --generation_batch_size 16 " SMALL_RL},
    {"reward", "reward --center_rewards_coefficient 0.01 --max_steps 4 " SMALL_PAIRS},
    {"prm", "prm --max_steps 4 " SMALL_STEPS},
    {"model-reward", "grpo --reward_model rm --max_steps 3 " SMALL_RL},
    {"ppo", "ppo --reward_model rm --value_learning_rate 3e-3 --missing_eos_penalty 0.5 "
            "--whiten_rewards --max_steps 2 --generation_batch_size 16 " SMALL_RL},
    {"distill", "distill --teacher_model teacher --teacher_top_k 5 --max_steps 4 " SMALL_SFT},
    {"gkd", "distill --recipe gkd --teacher_model teacher --max_steps 6 " SMALL_SFT},
    {"raft", "grpo --recipe raft --max_steps 3 " SMALL_RL},
    {"lora-sft", "sft --use_peft --lora_r 3 --use_rslora --lora_target_modules q_proj,up_proj "
                 "--max_steps 4 " SMALL_SFT},
};

static inline void write_pairs(const char *path)
{
    ls_str text = LS_STR_INIT;
    for (int a = 0; a < 10; a++)
        for (int b = 0; b < 4; b++)
            ls_str_appendf(&text,
                           "{\"prompt\": \"%d+%d=\", \"chosen\": \"%d\", \"rejected\": \"%d\"}\n",
                           a, b, a + b, (a + b + 3 + 7 * b) % 29);
    run_write(path, text.data);
    ls_str_release(&text);
}

static inline void write_steps(const char *path)
{
    ls_str text = LS_STR_INIT;
    for (int i = 0; i < 60; i++) {
        int a = i % 7, b = i % 10, c = i % 4, wrong_first = i % 3 == 0, wrong_last = i % 5 == 1;
        ls_str_appendf(&text,
                       "{\"prompt\": \"%d+%d+%d\", \"completions\": [\"%d+%d=%d\", \"%d+%d=%d\"], "
                       "\"labels\": [%s, %s]}\n",
                       a, b, c, a, b, a + b + wrong_first, a + b, c, a + b + c + 2 * wrong_last,
                       wrong_first ? "false" : "true", wrong_last ? "false" : "true");
    }
    run_write(path, text.data);
    ls_str_release(&text);
}

/* A model that solves some of the sums, so that rewards within a group differ: base/.  A reward
 * model on it: rm/.  One that solves more: teacher/. */
static inline int small_runs_setup(void **state)
{
    (void)state;
    if (run_workspace_open() != 0)
        return -1;
    write_pairs("pairs.jsonl");
    write_steps("steps.jsonl");
    run_ok("pretrain --model tiny --max_position_embeddings 256 --per_device_train_batch_size 16 "
           "--learning_rate 5e-3 "
           "--warmup_steps 5 --max_steps 60 --output_dir base " SUMS);
    run_ok("reward --max_steps 20 --per_device_train_batch_size 20 --overwrite --output_dir "
           "rm " SMALL_PAIRS);
    run_ok("sft --max_steps 20 --overwrite --output_dir teacher " SMALL_SFT);
    return 0;
}

static inline int small_runs_teardown(void **state)
{
    (void)state;
    return run_workspace_close();
}

/* --- refusals --- */

typedef struct refused {
    const char *arguments;
    int code;
    const char *text;
} refused;

/* Each is refused with its text, and its run directory out/ does not appear. */
static inline void check_refused(const refused *cases, size_t n)
{
    assert_ok(ls_dir_remove("out"));
    for (size_t i = 0; i < n; i++) {
        assert_error(run_program("%s", cases[i].arguments), cases[i].code, cases[i].text);
        if (ls_dir_exists("out"))
            fail_msg("a refused run made its directory: %s", cases[i].arguments);
    }
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
