"""Golden vectors of one tiny random model (or two) of every family, from PyTorch and transformers.

    python3 -m venv venv && venv/bin/pip install torch transformers && venv/bin/python generate.py
    venv/bin/python generate.py --check CASE DIR      does DIR, saved by leash, give the logits of CASE?

The second is run by hand after changes of saving: LEASH_KEEP_MODELS=DIR golden.models leaves a folder of every case in
DIR.  With the versions of versions.txt transformers loads all of them without a missing or unexpected tensor.

Writes for each case a folder with config.json and model.safetensors (BF16) and expected.safetensors:
    ids.P            token ids of prompt P (I64)
    logits.P         every fifth of (length, vocabulary)
    loss             mean over all next tokens of both prompts of -log p
    grad.NAME        every 23rd element of d(loss)/d(weight NAME), of small weights every element
    greedy           the 64 tokens that follow the first 7 (phi3_long: 19) of prompt 0, each the most likely
computed in double precision from the rounded weights, without a KV cache, and stored as float32.  A case with V4 set
has its config.json rewritten as transformers 4 spelled it.  Versions: see versions.txt.
"""
import copy
import json
import pathlib
import platform
import sys

import torch
import transformers as hf
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
LENGTHS = (37, 11)
SIZES = dict(vocab_size=96, hidden_size=24, intermediate_size=28, num_hidden_layers=2,
             num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=96,
             initializer_range=0.2, bos_token_id=1, eos_token_id=2, pad_token_id=0)


def sizes(**changes):
    return {**SIZES, **changes}


def rope(kind, theta=10000.0, **numbers):
    return dict(rope_type=kind, rope_theta=theta, **numbers)


V4 = {"mistral", "qwen2", "smollm3", "llama_linear_biases", "gemma3", "phi3_short", "neox_parallel", "llama3"}
CASES = {
    "llama": (hf.LlamaForCausalLM, hf.LlamaConfig, sizes(
        hidden_size=27, num_attention_heads=3, num_key_value_heads=3, head_dim=10,
        rope_parameters=rope("default", 500.0))),
    "llama3": (hf.LlamaForCausalLM, hf.LlamaConfig, sizes(
        num_key_value_heads=1, head_dim=10, tie_word_embeddings=True, rope_parameters=rope(
            "llama3", 500.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
            original_max_position_embeddings=32))),
    "llama_linear_biases": (hf.LlamaForCausalLM, hf.LlamaConfig, sizes(
        attention_bias=True, mlp_bias=True, rope_parameters=rope("linear", factor=4.0))),
    "llama_yarn": (hf.LlamaForCausalLM, hf.LlamaConfig, sizes(
        rope_parameters=rope("yarn", 100.0, factor=4.0, original_max_position_embeddings=24))),
    "llama_dynamic": (hf.LlamaForCausalLM, hf.LlamaConfig, sizes(
        rope_parameters=rope("dynamic", factor=2.0))),
    "smollm3": (hf.SmolLM3ForCausalLM, hf.SmolLM3Config, sizes(
        num_hidden_layers=3, no_rope_layer_interval=2, rope_parameters=rope("default", 2000.0))),
    "mistral": (hf.MistralForCausalLM, hf.MistralConfig, sizes(
        head_dim=8, sliding_window=8, rope_parameters=rope("default", 300.0))),
    "qwen2": (hf.Qwen2ForCausalLM, hf.Qwen2Config, sizes(
        use_sliding_window=True, sliding_window=6, max_window_layers=1, tie_word_embeddings=True,
        rope_parameters=rope("default", 1000.0))),
    "qwen3": (hf.Qwen3ForCausalLM, hf.Qwen3Config, sizes(
        num_key_value_heads=1, head_dim=10, tie_word_embeddings=True,
        rope_parameters=rope("default", 1000.0))),
    "gemma2": (hf.Gemma2ForCausalLM, hf.Gemma2Config, sizes(
        head_dim=8, sliding_window=8, query_pre_attn_scalar=20, attn_logit_softcapping=2.0,
        final_logit_softcapping=3.0)),
    "gemma3": (hf.Gemma3ForCausalLM, hf.Gemma3TextConfig, sizes(
        num_hidden_layers=3, num_key_value_heads=1, head_dim=12, sliding_window=8,
        sliding_window_pattern=2, query_pre_attn_scalar=12, rope_parameters={
            "full_attention": rope("linear", 20000.0, factor=4.0),
            "sliding_attention": rope("default", 400.0)})),
    "phi3_short": (hf.Phi3ForCausalLM, hf.Phi3Config, sizes(
        hidden_size=32, original_max_position_embeddings=80, rope_parameters=rope(
            "longrope", 300.0, partial_rotary_factor=0.75, original_max_position_embeddings=80,
            short_factor=[1.0, 1.1, 1.3], long_factor=[2.0, 3.0, 4.0]))),
    "phi3_long": (hf.Phi3ForCausalLM, hf.Phi3Config, sizes(
        num_attention_heads=3, num_key_value_heads=3, sliding_window=9,
        original_max_position_embeddings=10, rope_parameters=rope(
            "longrope", 300.0, partial_rotary_factor=1.0, original_max_position_embeddings=10,
            short_factor=[1.0, 1.1, 1.3, 1.5], long_factor=[2.0, 3.0, 4.0, 5.5]))),
    "olmo2": (hf.Olmo2ForCausalLM, hf.Olmo2Config, sizes(
        rope_parameters=rope("default", 500.0))),
    "granite": (hf.GraniteForCausalLM, hf.GraniteConfig, sizes(
        embedding_multiplier=3.0, attention_multiplier=0.3, residual_multiplier=0.6, logits_scaling=1.7,
        tie_word_embeddings=True)),
    "gpt2": (hf.GPT2LMHeadModel, hf.GPT2Config, dict(
        vocab_size=96, n_positions=96, n_embd=24, n_layer=2, n_head=3, n_inner=28, initializer_range=0.2,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, scale_attn_by_inverse_layer_idx=True,
        bos_token_id=1, eos_token_id=1)),
    "neox_parallel": (hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig, sizes(
        num_key_value_heads=None, num_attention_heads=3, rope_parameters=rope("default", 200.0,
        partial_rotary_factor=0.5))),
    "qwen3_moe": (hf.Qwen3MoeForCausalLM, hf.Qwen3MoeConfig, sizes(
        num_hidden_layers=3, head_dim=8, num_experts=6, num_experts_per_tok=2, moe_intermediate_size=14,
        norm_topk_prob=True, mlp_only_layers=[1])),
    "olmoe": (hf.OlmoeForCausalLM, hf.OlmoeConfig, sizes(
        intermediate_size=18, num_experts=5, num_experts_per_tok=3)),
    "neox_sequential": (hf.GPTNeoXForCausalLM, hf.GPTNeoXConfig, sizes(
        num_key_value_heads=None, num_attention_heads=2, use_parallel_residual=False,
        rope_parameters=rope("default", partial_rotary_factor=0.5))),
}


def as_version_4(folder):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    parameters = config.pop("rope_parameters", None)
    if parameters and "full_attention" in parameters:
        config["rope_local_base_freq"] = parameters["sliding_attention"]["rope_theta"]
        parameters = parameters["full_attention"]
    if parameters:
        parameters = dict(parameters)
        theta, part = parameters.pop("rope_theta"), parameters.pop("partial_rotary_factor", None)
        is_neox = config["model_type"] == "gpt_neox"
        config["rotary_emb_base" if is_neox else "rope_theta"] = theta
        if part is not None:
            config["rotary_pct" if is_neox else "partial_rotary_factor"] = part
        config["rope_scaling"] = None if parameters["rope_type"] == "default" else parameters
    if config["model_type"] == "gemma3_text":
        config["sliding_window_pattern"] = config.pop("_sliding_window_pattern")
    config.pop("layer_types", None)
    config.pop("no_rope_layers", None)
    config["torch_dtype"] = config.pop("dtype")
    path.write_text(json.dumps(config, indent=2) + "\n")


def make(name):
    model_class, config_class, settings = CASES[name]
    torch.manual_seed(len(name) + 31 * ord(name[0]))
    config = config_class(**{k: v for k, v in settings.items() if v is not None})
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    model = model_class(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.dim() == 1:
                weight.add_(0.2 * torch.randn_like(weight))
            weight.copy_(weight.bfloat16())
    folder = HERE / name
    copy.deepcopy(model).to(torch.bfloat16).save_pretrained(folder)
    (folder / "generation_config.json").unlink(missing_ok=True)
    if name in V4:
        as_version_4(folder)
    return model.double(), folder


def sample(values, step):
    return values.detach().float().flatten()[::step].clone()


def gradients(model):
    """Names as in files: in memory GPT-NeoX's head has another one, and experts lie together."""
    for key, weight in model.named_parameters():
        if key.endswith("experts.gate_up_proj"):
            for e, both in enumerate(weight.grad):
                for part, half in zip(("gate", "up"), both.chunk(2)):
                    yield key.replace("gate_up_proj", f"{e}.{part}_proj.weight"), half
        elif key.endswith("experts.down_proj"):
            for e, gradient in enumerate(weight.grad):
                yield key.replace("down_proj", f"{e}.down_proj.weight"), gradient
        elif model.config.model_type == "gpt_neox":
            yield key.replace("lm_head", "embed_out"), weight.grad
        else:
            yield key, weight.grad


def generate(name):
    model, folder = make(name)
    expected, total, count = {}, 0.0, 0
    # Not id 0: PyTorch keeps the gradient of the padding row at zero.
    prompts = [torch.randint(1, model.config.vocab_size, (length,)) for length in LENGTHS]
    for p, ids in enumerate(prompts):
        logits = model(ids[None], use_cache=False).logits[0]
        logp = torch.log_softmax(logits[:-1], -1)
        total = total - logp.gather(1, ids[1:, None]).sum()
        count += len(ids) - 1
        expected[f"ids.{p}"] = ids
        expected[f"logits.{p}"] = sample(logits, 5)
    loss = total / count
    loss.backward()
    expected["loss"] = loss.detach().float().reshape(1)
    for key, gradient in gradients(model):
        expected[f"grad.{key}"] = sample(gradient, 23 if gradient.numel() > 70 else 1)
    ids = prompts[0][:19 if name == "phi3_long" else 7]
    with torch.no_grad():
        for _ in range(64):
            ids = torch.cat([ids, model(ids[None], use_cache=False).logits[0, -1:].argmax(-1)])
    expected["greedy"] = ids[-64:].clone()
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")
    return float(loss)


def check(name, folder):
    from safetensors.torch import load_file
    expected = load_file(HERE / name / "expected.safetensors")
    model, report = hf.AutoModelForCausalLM.from_pretrained(
        folder, dtype=torch.float64, attn_implementation="eager", experts_implementation="eager",
        output_loading_info=True)
    assert not any(report[k] for k in ("missing_keys", "unexpected_keys", "mismatched_keys")), report
    worst = 0.0
    for p in range(2):
        logits = sample(model.eval()(expected[f"ids.{p}"][None], use_cache=False).logits[0], 5)
        worst = max(worst, float((logits - expected[f"logits.{p}"]).abs().max()))
    print(f"{name}: {type(model).__name__}, worst difference of a logit {worst:.1e}")
    assert worst < 5e-6  # Gemma: its embedding scale has the precision of the loaded type


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        check(sys.argv[2], sys.argv[3])
    else:
        for case in sys.argv[1:] or CASES:
            print(case, generate(case))
        (HERE / "versions.txt").write_text(
            f"python {platform.python_version()}\ntorch {torch.__version__}\n"
            f"transformers {hf.__version__}\n")
