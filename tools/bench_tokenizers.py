#!/usr/bin/env python3
"""Speed of leash's tokenizers beside the Hugging Face `tokenizers` library: the same texts, one thread each, in one run.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install tokenizers
    cmake --build BUILD --target tool_tokenize
    /tmp/venv/bin/python tools/bench_tokenizers.py --program BUILD/tool_tokenize [--text FILE]... FOLDER...

FOLDER has a tokenizer.json and a tokenizer_config.json.  Texts: the given files by lines (GSM8K as text, say), Python's own library as files of
code, and rows of words in 20 scripts.  Special tokens are matched; the library runs without offsets (encode_batch_fast); the best of three rounds counts, in
processor time, and the rounds of both alternate, so that a busy machine slows both.  Prints a table in Markdown; exit code 1 when ids differ.
"""
import argparse
import os
import pathlib
import random
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
os.environ["RAYON_NUM_THREADS"] = "1"
import tokenizers  # noqa: E402
from check_tokenizers import SCRIPTS, run  # noqa: E402

N_ROUNDS = 3
MOST_BYTES = 1_000_000  # of each kind of text


def mixed(rng):
    for _ in range(4000):
        low, high = rng.choice(SCRIPTS)
        yield " ".join("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 9))) for _ in range(rng.randint(5, 40)))


def cut(rows):
    """The first texts, up to MOST_BYTES."""
    size = 0
    for i, row in enumerate(rows):
        size += len(row.encode())
        if size > MOST_BYTES:
            return rows[:i]
    return rows


def corpora(files):
    lines = [line for path in files for line in path.read_text(encoding="utf-8").splitlines() if line]
    code = [p.read_text(encoding="utf-8", errors="replace") for p in sorted(pathlib.Path(os.__file__).parent.glob("*.py"))[:120]]
    return {k: cut(v) for k, v in {"lines": lines, "code": code, "20 scripts": list(mixed(random.Random(7)))}.items()}


def measure(program, folder, theirs, rows):
    data = [r.encode() for r in rows]
    n_bytes, ours, hf, same = sum(map(len, data)), [], [], True
    for _ in range(N_ROUNDS):
        start = time.process_time()
        expected = [e.ids for e in theirs.encode_batch_fast(rows, add_special_tokens=False)]
        hf.append(time.process_time() - start)
        results, figures = run(program, folder, 1, data)
        ours.append(float(figures[5]) / 1e3)
        same &= expected == [ids for ids, _ in results]
    return n_bytes / min(ours) / 1e6, n_bytes / min(hf) / 1e6, float(figures[1]), same


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="tool_tokenize")
    parser.add_argument("--text", type=pathlib.Path, action="append", default=[], help="a UTF-8 file whose lines are texts")
    parser.add_argument("folder", type=pathlib.Path, nargs="+")
    args = parser.parse_args()
    texts = corpora(args.text)
    is_same = True
    print(f"tokenizers {tokenizers.__version__}; {', '.join(f'{k}: {sum(len(r.encode()) for r in v)} bytes' for k, v in texts.items())}\n")
    print("| tokenizer | text | leash MB/s | library MB/s | ratio | leash load ms |\n|---|---|---|---|---|---|")
    for folder in args.folder:
        theirs = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
        for name, rows in texts.items():
            if not rows:
                continue
            ours, hf, load, same = measure(args.program, folder, theirs, rows)
            is_same &= same
            print(f"| {folder.name} | {name} | {ours:.1f} | {hf:.1f} | {ours / hf:.1f} | {load:.0f} |{'' if same else ' ids differ'}", flush=True)
    sys.exit(0 if is_same else 1)


if __name__ == "__main__":
    main()
