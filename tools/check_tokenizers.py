#!/usr/bin/env python3
"""Compares leash's tokenizers with the Hugging Face `tokenizers` library on real vocabularies, id by id.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install tokenizers
    cmake --build BUILD --target tool_tokenize
    /tmp/venv/bin/python tools/check_tokenizers.py --program BUILD/tool_tokenize [--text FILE]... FOLDER...

FOLDER has a tokenizer.json and a tokenizer_config.json.  The texts: the given files, Python's own library as code, and generated ones: words of
20 scripts, emoji with joiners, control characters, runs of spaces and digits, special tokens spelled out, invalid UTF-8, and random characters of
all planes that the Unicode version of this Python assigns.  Each text is encoded three ways: specials stay text, specials are
matched, and with what the post-processor adds.  Ids and the decoded text must be equal, without exception.  Speed is measured on the
same texts in the same run, each library with one thread.  Exit code 1 when anything differs.
"""
import argparse
import os
import pathlib
import random
import struct
import subprocess
import sys
import time
import unicodedata

os.environ["TOKENIZERS_PARALLELISM"] = "false"
from tokenizers import Tokenizer  # noqa: E402

SCRIPTS = [(0x41, 0x7A), (0xC0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x531, 0x587), (0x5D0, 0x5EA), (0x620, 0x64A), (0x904, 0x939),
           (0x985, 0x9B9), (0xA05, 0xA39), (0xB85, 0xBB9), (0xC05, 0xC39), (0xD05, 0xD39), (0xE01, 0xE3A), (0x10A0, 0x10FF), (0x1200, 0x1357),
           (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x1780, 0x17B3), (0x1000, 0x102A)]
EMOJI = ["👩‍👩‍👧‍👦", "🏳️‍🌈", "👍🏽", "🇩🇪", "❤️", "1️⃣", "🧑‍💻", "😀"]
ODD = ["\u200b", "\ufeff", "\u0085", "\u00a0", "\u180e", "\u2028", "\u3000", "\x00", "\x1c", "\x1f", "\x7f", "½", "Ⅷ", "³", "ſ", "'ſ", "İ", "▁", "e\u0301",
       "\u0301", "\ufdfa", "ﬁ", "Ω", "ẛ̣", "각", "각", "<0x41>", "<0x0A>", "'S", "'LL", "'ve", "\r\n", "\r", "\t", "\n\n", "  ", "   \n  "]


def assigned():
    kinds = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
    return [c for c in kinds if unicodedata.category(c) not in ("Cn", "Co")]


def generated(rng, specials):
    every = assigned()
    for _ in range(3000):
        low, high = rng.choice(SCRIPTS)
        yield " ".join("".join(chr(rng.randint(low, high)) for _ in range(rng.randint(1, 9))) for _ in range(rng.randint(1, 30)))
    parts = EMOJI + ODD + specials + ["word", "Word", "don't", "I'M", "12", "3", "12345", "x", "(", ").", "://", " ", "-", "_a"]
    for _ in range(6000):
        yield "".join(rng.choice(parts) for _ in range(rng.randint(1, 25)))
    for _ in range(4000):
        yield "".join(rng.choice(every) for _ in range(rng.randint(1, 60)))
    for c in every:
        yield f"a{c}b {c}{c} 1{c}\n{c}"
    for n in (100, 1000, 20000):
        for c in (" ", "7", "a", "\n", "▁", "é", "'", " a", "ab"):
            yield c * n
            yield "x" + c * n + "y"


def texts(files, specials):
    rng = random.Random(20240229)
    rows = [""]
    for path in files:
        data = path.read_text(encoding="utf-8")
        rows += data.splitlines() + [data[:200000]]
    code = sorted(pathlib.Path(os.__file__).parent.glob("*.py"))
    rows += [p.read_text(encoding="utf-8", errors="replace") for p in code[:120]]
    rows += list(generated(rng, specials))
    rows = [r.encode() for r in rows]
    for _ in range(3000):
        rows.append(bytes(rng.choice([rng.randrange(256), rng.randrange(0x80, 0x100), 0x41]) for _ in range(rng.randint(1, 30))))
    return rows


def run(program, folder, flags, rows):
    data = b"".join(struct.pack("<I", len(r)) + r for r in rows)
    done = subprocess.run([program, folder, str(flags)], input=data, capture_output=True)
    if done.returncode:
        sys.exit(done.stderr.decode())
    out, at, results = done.stdout, 0, []
    for _ in rows:
        (n,) = struct.unpack_from("<I", out, at)
        at += 4
        ids = None
        if n != 0xFFFFFFFF:
            ids = list(struct.unpack_from(f"<{n}i", out, at))
            at += 4 * n
        (n,) = struct.unpack_from("<I", out, at)
        results.append((ids, out[at + 4:at + 4 + n].decode("utf-8", "surrogateescape")))
        at += 4 + n
    return results, done.stderr.decode().split()


def check(program, folder, files):
    theirs = Tokenizer.from_file(str(folder / "tokenizer.json"))
    specials = [t.content for t in theirs.get_added_tokens_decoder().values()][:40]
    rows = texts(files, specials)
    decoded_rows = [r.decode("utf-8", "replace") for r in rows]
    n_bytes, n_wrong = sum(map(len, rows)), 0
    for flags, name in ((0, "plain"), (1, "specials"), (3, "specials, affixes")):
        theirs.encode_special_tokens = flags == 0
        start = time.process_time()
        expected = [theirs.encode(r, add_special_tokens=flags == 3).ids for r in decoded_rows]
        seconds = time.process_time() - start
        results, figures = run(program, folder, flags, rows)
        n_ids = 0
        for row, want, (ids, text) in zip(rows, expected, results):
            back = theirs.decode(want, skip_special_tokens=False)
            n_ids += len(want)
            if ids != want or text != back:
                n_wrong += 1
                if n_wrong <= 8:
                    print(f"  differs: {row[:80]!r}\n    theirs {want[:20]} {back[:60]!r}\n    ours   {ids and ids[:20]} {text[:60]!r}")
        ours = float(figures[5]) / 1e3
        print(f"{folder.name}: {name}: {len(rows)} texts, {n_bytes} bytes, {n_ids} ids; load {figures[1]} ms; "
              f"ours {n_bytes / ours / 1e6:.1f} MB/s, theirs {n_bytes / seconds / 1e6:.1f} MB/s", flush=True)
    print(f"{folder.name}: {n_wrong} of {3 * len(rows)} differ", flush=True)
    return n_wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", required=True, help="tool_tokenize")
    parser.add_argument("--text", type=pathlib.Path, action="append", default=[], help="a UTF-8 file, each line and its start are texts")
    parser.add_argument("folder", type=pathlib.Path, nargs="+")
    args = parser.parse_args()
    sys.exit(1 if sum(check(args.program, f, args.text) for f in args.folder) else 0)


if __name__ == "__main__":
    main()
