#!/usr/bin/env python3
"""Compares leash with PyTorch and transformers on a real model: logits, loss, every gradient, greedy tokens.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install torch transformers
    cmake --build BUILD --target leash tool_forward
    BUILD/leash convert --model "$(script/fetch-smollm2)" --dtype F32 FOLDER
    /tmp/venv/bin/python tools/check_model.py --build BUILD FOLDER

FOLDER is a Hugging Face folder with F32 weights and a chat template.  transformers runs it in float32 with eager attention; leash through
tool_forward (logits, loss, gradients) and `leash generate` (greedy tokens).  What is asked:

    logits     of every position of each text: |a - b| <= 3e-4 + 1e-5 |b| (both round; the chains of leash are longer)
    loss       the mean negative log-probability: |a - b| <= 1e-6 |b|
    gradients  of every weight: the norm of the difference <= 1e-4 of the norm, and no element off by more than 1e-3 of the largest
    greedy     64 tokens after each of 12 prompts through the chat template: the same ids.  Where two tokens are less than 1e-4 apart
               in transformers' own logits, a continuation may part there; it is counted as a tie, not as equal.

--float64 lets transformers compute in double precision instead: then the differences are those of leash alone.  Exit code 1 when anything is off.
"""
import argparse
import json
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy
import torch
import transformers

TEXTS = [
    "The leash holds what the reward would let run. A policy that is rewarded for one number will find every way to that number, and most of "
    "them are not what anybody meant; the distance to where it began is the only thing that everybody can measure.",
    "def gcd(a, b):\n    while b:\n        a, b = b, a % b\n    return a\n\n\nassert gcd(12, 18) == 6\nprint([gcd(i, 36) for i in range(1, 10)])\n",
    "<|im_start|>user\nWas ist 17 + 25? 答えは？ Ответьте числом. 🙂<|im_end|>\n<|im_start|>assistant\n17 + 25 = 42<|im_end|>\n",
]
PROMPTS = [
    "What is the capital of France?", "Write a haiku about the sea.", "Explain why the sky is blue in two sentences.", "What is 17 + 25?",
    "List three fruits that are yellow.", "Translate 'good morning' into Spanish.", "Who wrote Hamlet?", "Give me a recipe for pancakes.",
    "Write a Python function that reverses a string.", "What does a thermometer measure?", "Tell me a short story about a fox and a crow.",
    "How many days has a leap year, and why?",
]
N_GREEDY = 64
TIE = 1e-4


def run(command, data=None):
    done = subprocess.run([str(part) for part in command], input=data, capture_output=True)
    if done.returncode:
        sys.exit(f"{command[0]}: {done.stderr.decode()}")
    return done.stdout


class Numbers:
    """What tool_forward writes."""

    def __init__(self, data, n):
        self.data, self.at = memoryview(data), 0
        (vocabulary,) = self.unpack("<I")
        self.logits = self.floats(n, vocabulary)
        (self.loss,) = self.unpack("<d")
        self.gradients = {}
        while self.at < len(data):
            (n_name,) = self.unpack("<I")
            name = bytes(self.data[self.at:self.at + n_name]).decode()
            self.at += n_name
            rows, cols, is_transposed = self.unpack("<qqI")
            values = self.floats(rows, cols)
            self.gradients[name] = values.T if is_transposed else values

    def unpack(self, form):
        values = struct.unpack_from(form, self.data, self.at)
        self.at += struct.calcsize(form)
        return values

    def floats(self, rows, cols):
        values = numpy.frombuffer(self.data, "<f4", rows * cols, self.at).reshape(rows, cols)
        self.at += values.nbytes
        return values


def check(what, is_good, text):
    print(f"{'ok   ' if is_good else 'WRONG'} {what}: {text}", flush=True)
    return 0 if is_good else 1


def check_gradients(model, ours, label):
    worst_norm = worst_element = 0.0
    for name, parameter in model.named_parameters():
        theirs = parameter.grad.double().numpy().reshape(ours[name].shape)
        error = numpy.abs(ours[name] - theirs)
        worst_norm = max(worst_norm, numpy.linalg.norm(error) / numpy.linalg.norm(theirs))
        worst_element = max(worst_element, error.max() / numpy.abs(theirs).max())
    is_good = len(ours) == len(list(model.named_parameters())) and worst_norm <= 1e-4 and worst_element <= 1e-3
    return check(f"gradients, {label}", is_good,
                 f"{len(ours)} weights, worst norm of the difference {worst_norm:.1e} of the norm, element {worst_element:.1e} of the largest")


def check_text(args, model, tokenizer, i, text):
    ids = tokenizer(text, add_special_tokens=False).input_ids
    ours = Numbers(run([args.build / "tool_forward", args.folder], struct.pack(f"<{len(ids)}i", *ids)), len(ids))
    batch = torch.tensor([ids])
    model.zero_grad()
    out = model(batch)
    loss = torch.nn.functional.cross_entropy(out.logits[0, :-1].double(), batch[0, 1:])
    loss.backward()
    theirs = out.logits[0].detach().double().numpy()
    error = numpy.abs(ours.logits - theirs)
    label = f"text {i + 1} of {len(ids)} tokens"
    wrong = check(f"logits, {label}", bool((error <= 3e-4 + 1e-5 * numpy.abs(theirs)).all()),
                  f"{error.size} logits, worst difference {error.max():.1e}, {(error / numpy.abs(theirs).clip(1)).max():.1e} relative")
    relative = abs(ours.loss - loss.item()) / loss.item()
    wrong += check(f"loss, {label}", relative <= 1e-6, f"{ours.loss:.9f}, {loss.item():.9f} there, {relative:.1e} relative")
    return wrong + check_gradients(model, ours.gradients, label)


def greedy(model, tokenizer, prompt):
    """Continuation, and the distance of the two best tokens at each place."""
    ids = tokenizer.apply_chat_template([{"role": "user", "content": prompt}], add_generation_prompt=True, return_dict=False)
    stops = set([tokenizer.eos_token_id])
    taken, gaps, cache, feed = [], [], None, torch.tensor([ids])
    while len(taken) < N_GREEDY and not (taken and taken[-1] in stops):
        with torch.no_grad():
            out = model(feed, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        best = out.logits[0, -1].topk(2)
        taken.append(int(best.indices[0]))
        gaps.append(float(best.values[0] - best.values[1]))
        feed = torch.tensor([[taken[-1]]])
    return taken, gaps


def check_greedy(args, model, tokenizer):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as file:
        for prompt in PROMPTS:
            print(json.dumps({"prompt": prompt}), file=file)
        file.flush()
        out = run([args.build / "leash", "generate", "--model", args.folder, "--dataset", file.name, "--apply_chat_template", "--num_generations", 1,
                   "--max_completion_length", N_GREEDY, "--temperature", 0])
    rows = {row["row"]: row["token_ids"] for row in map(json.loads, out.splitlines())}
    n_equal = n_ties = n_tokens = 0
    least = float("inf")
    for i, prompt in enumerate(PROMPTS):
        theirs, gaps = greedy(model, tokenizer, prompt)
        ours = rows[i + 1]
        n_tokens += len(theirs)
        least = min([least] + gaps)
        parts_at = next((t for t, (a, b) in enumerate(zip(ours, theirs)) if a != b), min(len(ours), len(theirs)))
        if ours == theirs:
            n_equal += 1
        elif parts_at < len(gaps) and gaps[parts_at] < TIE:
            n_ties += 1
        else:
            print(f"  {prompt!r} parts at token {parts_at}: ours {ours[parts_at:parts_at + 4]}, theirs {theirs[parts_at:parts_at + 4]}")
    return check("greedy", n_equal + n_ties == len(PROMPTS),
                 f"{n_equal} of {len(PROMPTS)} continuations equal ({n_tokens} tokens), {n_ties} part at a tie; two best tokens at least {least:.1e} apart")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--build", type=pathlib.Path, required=True, help="build directory with leash and tool_forward")
    parser.add_argument("--float64", action="store_true", help="let transformers compute in double precision")
    parser.add_argument("folder", type=pathlib.Path)
    args = parser.parse_args()
    torch.set_num_threads(2)
    dtype = torch.float64 if args.float64 else torch.float32
    tokenizer = transformers.AutoTokenizer.from_pretrained(args.folder)
    model = transformers.AutoModelForCausalLM.from_pretrained(args.folder, dtype=dtype, attn_implementation="eager").eval()
    print(f"transformers {transformers.__version__}, torch {torch.__version__}, {dtype}; "
          f"{run([args.build / 'leash', '--version']).decode().strip()}")
    wrong = sum(check_text(args, model, tokenizer, i, text) for i, text in enumerate(TEXTS))
    wrong += check_greedy(args, model, tokenizer)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
