"""Golden vectors of LoRA adapters, from peft on a tiny random Llama model and a tiny random GPT-2.

    python3 -m venv venv && venv/bin/pip install torch transformers peft && venv/bin/python generate.py

Writes base/ and gpt2_base/ (config.json, model.safetensors in bfloat16, so that matrices can be kept as stored), and for each case a
folder as peft's save_pretrained writes it (adapter_config.json, adapter_model.safetensors) with expected.safetensors:
    ids              token ids of the prompt (I64)
    logits           (length, vocabulary)
    base_logits      the same with the adapter disabled
    loss             mean over all next tokens of -log p
    grad.NAME        d(loss)/d(adapter matrix NAME), by the names in adapter_model.safetensors
    merged.NAME      the model's matrix NAME after merge_and_unload, as (out, in)
    greedy           64 token ids after the first eight of the prompt (I64)
computed in double precision from the float32 weights and stored as float32.  B is random, or its product would be zero.
Versions: see versions.txt.
"""
import json
import pathlib
import platform

import peft
import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
LLAMA = dict(
    vocab_size=61, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
    num_key_value_heads=2, max_position_embeddings=96, tie_word_embeddings=True, initializer_range=0.15,
    bos_token_id=1, eos_token_id=None)
GPT2 = dict(
    vocab_size=61, n_embd=32, n_inner=48, n_layer=2, n_head=4, n_positions=96, initializer_range=0.15,
    bos_token_id=1, eos_token_id=None, attn_pdrop=0, embd_pdrop=0, resid_pdrop=0)
BASES = {
    "base": (transformers.LlamaConfig, transformers.LlamaForCausalLM, LLAMA),
    "gpt2_base": (transformers.GPT2Config, transformers.GPT2LMHeadModel, GPT2),
}
CASES = {
    "list": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
    "all_linear": dict(r=3, lora_alpha=7, target_modules="all-linear", use_rslora=True),
    "patterns": dict(
        r=4, lora_alpha=4, target_modules=r".*\.mlp\.(up|down)_proj", exclude_modules=["layers.0.mlp.down_proj"],
        rank_pattern={r"layers\.1\.mlp\.up_proj": 2}, alpha_pattern={"up_proj": 3}),
    "one_layer": dict(r=2, lora_alpha=2, target_modules=["o_proj", "mlp.gate_proj"], layers_to_transform=[1]),
    "gpt2": dict(base="gpt2_base", r=3, lora_alpha=5, target_modules="all-linear", fan_in_fan_out=True),
}
N_GREEDY, N_PROMPT = 64, 8


def make_base(name):
    torch.manual_seed(4)
    make_config, make_model, settings = BASES[name]
    model = make_model(make_config(**settings))
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if weight.ndim == 1:
                weight.add_(0.2 * torch.randn_like(weight))
    model.to(torch.bfloat16).save_pretrained(HERE / name)
    (HERE / name / "generation_config.json").unlink()


def load_base(name):
    model = BASES[name][1].from_pretrained(HERE / name, dtype=torch.float32, attn_implementation="eager")
    model.config._name_or_path = model.name_or_path = name
    return model


def greedy(model, ids):
    out = ids.clone()
    for _ in range(N_GREEDY):
        logits = model(out[None]).logits[0, -1]
        best, second = logits.topk(2).values
        assert best - second > 1e-4, "a near tie: take another seed"
        out = torch.cat([out, logits.argmax().reshape(1)])
    return out[len(ids):]


def generate(name, settings):
    torch.manual_seed(10 + len(name))
    base = load_base(settings.pop("base", "base"))
    model = peft.get_peft_model(base, peft.LoraConfig(task_type="CAUSAL_LM", **settings))
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if "lora_B" in key:
                weight.copy_(0.2 * torch.randn_like(weight))
    folder = HERE / name
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)

    model = model.double()
    ids = torch.randint(0, 61, (21,))
    logits = model(ids[None]).logits[0]
    loss = -torch.log_softmax(logits[:-1], -1).gather(1, ids[1:, None]).mean()
    loss.backward()
    expected = {"ids": ids, "logits": logits.detach().float(), "loss": loss.detach().float().reshape(1)}
    for key, weight in model.named_parameters():
        if weight.requires_grad:
            expected["grad." + key.replace(".default", "")] = weight.grad.float()
    targets = [key for key, module in model.get_base_model().named_modules() if hasattr(module, "lora_A")]
    is_transposed = settings.get("fan_in_fan_out", False)
    with torch.no_grad():
        with model.disable_adapter():
            expected["base_logits"] = model(ids[None]).logits[0].float()
        expected["greedy"] = greedy(model, ids[:N_PROMPT])
        for key, weight in model.merge_and_unload().named_parameters():
            if key.removesuffix(".weight") in targets:
                expected["merged." + key] = (weight.T if is_transposed else weight).detach().float()
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")


for base in BASES:
    make_base(base)
for case in CASES.items():
    generate(*case)
for config in HERE.glob("*/adapter_config.json"):
    assert json.loads(config.read_text())["base_model_name_or_path"] in BASES
(HERE / "versions.txt").write_text(
    f"python {platform.python_version()}\ntorch {torch.__version__}\ntransformers {transformers.__version__}\n"
    f"peft {peft.__version__}\n")
