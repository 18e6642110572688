"""Golden vectors of two tiny random Llama models, from PyTorch and transformers.

    python3 -m venv venv && venv/bin/pip install torch transformers && venv/bin/python generate.py

Writes for each case a folder with config.json and model.safetensors (as save_pretrained writes them) and expected.safetensors:
    ids.P            token ids of prompt P (I64)
    logits.P         (length, vocabulary)
    loss             mean over all next tokens of both prompts of -log p
    grad.NAME        d(loss)/d(weight NAME)
computed in double precision from the float32 weights and stored as float32.  Versions: see versions.txt.
"""
import pathlib
import platform

import torch
import transformers
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
CASES = {
    "gqa_tied": dict(
        vocab_size=67, hidden_size=32, intermediate_size=56, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64,
        rms_norm_eps=1e-5, tie_word_embeddings=True, initializer_range=0.15,
        bos_token_id=1, eos_token_id=[2, 3]),
    "mha_untied": dict(
        vocab_size=53, hidden_size=27, intermediate_size=37, num_hidden_layers=3,
        num_attention_heads=3, num_key_value_heads=3, head_dim=10, max_position_embeddings=48,
        rms_norm_eps=1e-6, rope_theta=500.0, tie_word_embeddings=False, initializer_range=0.15,
        bos_token_id=None, eos_token_id=0),
}
LENGTHS = (23, 9)


def generate(name, settings):
    torch.manual_seed(len(name))
    config = transformers.LlamaConfig(**settings)
    config._attn_implementation = "eager"
    model = transformers.LlamaForCausalLM(config)
    with torch.no_grad():
        for key, weight in model.named_parameters():
            if key.endswith("norm.weight"):
                weight.copy_(1 + 0.2 * torch.randn_like(weight))
    folder = HERE / name
    model.save_pretrained(folder)
    (folder / "generation_config.json").unlink()

    model = model.double()
    expected, total, count = {}, 0.0, 0
    for p, length in enumerate(LENGTHS):
        ids = torch.randint(0, config.vocab_size, (length,))
        logits = model(ids[None]).logits[0]
        logp = torch.log_softmax(logits[:-1], -1)
        total = total - logp.gather(1, ids[1:, None]).sum()
        count += length - 1
        expected[f"ids.{p}"] = ids
        expected[f"logits.{p}"] = logits.detach().float()
    loss = total / count
    loss.backward()
    expected["loss"] = loss.detach().float().reshape(1)
    for key, weight in model.named_parameters():
        expected[f"grad.{key}"] = weight.grad.float()
    save_file({k: v.contiguous() for k, v in expected.items()}, folder / "expected.safetensors")


for case in CASES.items():
    generate(*case)
(HERE / "versions.txt").write_text(
    f"python {platform.python_version()}\ntorch {torch.__version__}\n"
    f"transformers {transformers.__version__}\n")
