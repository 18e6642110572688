"""Golden vectors of models that score, from PyTorch and transformers.

    python3 -m venv venv && venv/bin/pip install torch transformers && venv/bin/python generate.py
    venv/bin/python generate.py --check CASE DIR      does DIR, saved by leash, give the scores of CASE?

The second is run by hand after changes of saving: LEASH_KEEP_MODELS=DIR golden.scores leaves a folder of every case in
DIR.  Writes for each case a folder with config.json and model.safetensors (F32) and expected.safetensors:
    ids          token ids of one sequence (I64)
    values       (length) the score at every position; of two labels the second logit less the first
    pooled       what the class itself returns for the sequence (classes of sequences)
    grad.NAME    every 7th element of d(sum_t values[t] seeds[t])/d(weight NAME), seeds[t] = (t % 5 - 2) / 4
computed in double precision and stored as float32.  Versions: see versions.txt.
"""
import copy
import json
import pathlib
import platform
import sys

import torch
import transformers as hf
from safetensors.torch import load_file, save_file

HERE = pathlib.Path(__file__).parent
SIZES = dict(vocab_size=40, hidden_size=16, intermediate_size=20, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=48, initializer_range=0.2, bos_token_id=1,
             eos_token_id=2, pad_token_id=0)
CASES = {
    "llama": (hf.LlamaForSequenceClassification, hf.LlamaConfig, dict(SIZES, num_labels=1)),
    "qwen2_tied": (hf.Qwen2ForSequenceClassification, hf.Qwen2Config,
                   dict(SIZES, num_labels=1, tie_word_embeddings=True)),
    "gemma3": (hf.Gemma3TextForSequenceClassification, hf.Gemma3TextConfig,
               dict(SIZES, num_labels=1, head_dim=8, sliding_window=8, query_pre_attn_scalar=8)),
    "gpt2_two": (hf.GPT2ForSequenceClassification, hf.GPT2Config, dict(
        vocab_size=40, n_positions=48, n_embd=16, n_layer=2, n_head=2, initializer_range=0.2, resid_pdrop=0.0,
        embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=1, eos_token_id=1, pad_token_id=0, num_labels=2)),
    "llama_steps": (hf.LlamaForTokenClassification, hf.LlamaConfig, dict(SIZES, num_labels=2)),
    "neox_steps": (hf.GPTNeoXForTokenClassification, hf.GPTNeoXConfig,
                   dict(SIZES, num_key_value_heads=2, num_attention_heads=2, num_labels=2, classifier_dropout=0.0,
                        hidden_dropout=0.0, rope_parameters=dict(rope_type="default", rope_theta=10000.0,
                                                                 partial_rotary_factor=0.5))),
}


def values_of(model, ids):
    trunk = getattr(model, model.base_model_prefix)
    head = model.score if hasattr(model, "score") else model.classifier
    logits = head(trunk(ids).last_hidden_state)[0]
    return logits[:, -1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]


def pooled_of(model, ids):
    logits = model(ids).logits
    return logits[:, -1] - logits[:, 0] if logits.shape[1] == 2 else logits[:, 0]


def make(name):
    model_class, config_class, settings = CASES[name]
    torch.manual_seed(len(name))
    config = config_class(**settings)
    config._attn_implementation = "eager"
    model = model_class(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 1:
                weight.add_(0.2 * torch.randn_like(weight))
    folder = HERE / name
    copy.deepcopy(model).save_pretrained(folder)
    return model.double(), folder


def record(name):
    model, folder = make(name)
    ids = torch.randint(3, 40, (1, 21))
    values = values_of(model, ids)
    seeds = torch.tensor([(t % 5 - 2) / 4 for t in range(ids.shape[1])], dtype=torch.float64)
    (values * seeds).sum().backward()
    out = {"ids": ids[0], "values": values.detach().float()}
    if "Sequence" in type(model).__name__:
        pooled = pooled_of(model, ids).detach()
        assert torch.equal(pooled[0], values[-1].detach())
        out["pooled"] = pooled.float()
    for key, weight in model.named_parameters():
        out["grad." + key] = weight.grad.flatten()[::7].float()
    save_file({k: v.contiguous() for k, v in out.items()}, folder / "expected.safetensors")


def check(name, folder):
    expected = load_file(HERE / name / "expected.safetensors")
    auto = hf.AutoModelForSequenceClassification if "pooled" in expected else hf.AutoModelForTokenClassification
    model, report = auto.from_pretrained(folder, output_loading_info=True, dtype=torch.float32)
    assert not any(report.values()), report
    error = (values_of(model.eval(), expected["ids"][None]) - expected["values"]).abs().max().item()
    print(f"{name}: {type(model).__name__}, largest difference {error:.1e}")
    assert error < 1e-5


if sys.argv[1:2] == ["--check"]:
    check(sys.argv[2], sys.argv[3])
else:
    for case in CASES:
        record(case)
    (HERE / "versions.txt").write_text(f"python {platform.python_version()}\ntorch {torch.__version__}\n"
                                       f"transformers {hf.__version__}\n")
