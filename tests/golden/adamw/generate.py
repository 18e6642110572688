"""A golden trajectory of AdamW with clipping and a schedule, from PyTorch.

    python3 -m venv venv && venv/bin/pip install torch safetensors && venv/bin/python generate.py

50 updates of three float32 tensors with given gradients, as torch.optim.AdamW, clip_grad_norm_ and LambdaLR make them.  Tensor
`gain` is in a group without weight decay.  Writes trajectory.safetensors, for each tensor NAME of n values:
    start.NAME    (rows, columns)
    grad.NAME     (50, n), of every update before clipping; updates 10, 20, ... are a thousand times larger
    after.NAME    (50, n), the values after every update
and for each update, in float64: lr, the learning rate, and norm, the norm of the gradients before clipping.
Versions: see versions.txt.
"""
import math
import pathlib
import platform

import safetensors
import torch
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
SHAPES = {"embed": (13, 11), "gain": (1, 11), "down": (5, 7)}
STEPS, WARMUP, FLOOR, PEAK = 50, 8, 0.1, 3e-3


def factor(t):
    if t < WARMUP:
        return (t + 1) / WARMUP
    cosine = 0.5 * (1 + math.cos(math.pi * (t - WARMUP) / (STEPS - WARMUP)))
    return FLOOR + (1 - FLOOR) * cosine


def main():
    torch.manual_seed(20)
    params = {k: torch.nn.Parameter(torch.randn(s)) for k, s in SHAPES.items()}
    groups = [
        {"params": [params["embed"], params["down"]], "weight_decay": 0.1},
        {"params": [params["gain"]], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=PEAK, betas=(0.9, 0.999), eps=1e-8)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
    out = {f"start.{k}": p.detach().clone() for k, p in params.items()}
    grads = {k: [] for k in SHAPES}
    after = {k: [] for k in SHAPES}
    rates, norms = [], []
    for t in range(STEPS):
        for k, p in params.items():
            p.grad = torch.randn(p.shape) * (30.0 if t % 10 == 9 else 0.03) + 0.01 * p.detach()
            grads[k].append(p.grad.flatten().clone())
        rates.append(optimizer.param_groups[0]["lr"])
        norms.append(torch.nn.utils.clip_grad_norm_(list(params.values()), 1.0).item())
        optimizer.step()
        schedule.step()
        for k, p in params.items():
            after[k].append(p.detach().flatten().clone())
    for k in SHAPES:
        out[f"grad.{k}"] = torch.stack(grads[k])
        out[f"after.{k}"] = torch.stack(after[k])
    out["lr"] = torch.tensor(rates, dtype=torch.float64)
    out["norm"] = torch.tensor(norms, dtype=torch.float64)
    save_file(out, HERE / "trajectory.safetensors")
    (HERE / "versions.txt").write_text(
        f"python {platform.python_version()}\ntorch {torch.__version__}\n"
        f"safetensors {safetensors.__version__}\n"
    )


if __name__ == "__main__":
    main()
