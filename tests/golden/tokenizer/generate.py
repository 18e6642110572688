#!/usr/bin/env python3
"""Makes the fixtures of tests/golden/tokenizer with the Hugging Face `tokenizers` library.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install tokenizers==0.21.4
    /tmp/venv/bin/python generate.py [FOLDER...]

For each of byte/ and char/ it builds the tokenizer from scratch with the library's own classes, saves it (resaved/tokenizer.json,
in the library's own formatting), and writes texts.jsonl: {"text", "ids", "decoded"} a line, ids and decoded text by the library.
The test checks that ours gives the same ids, reads resaved/, and writes exactly byte/tokenizer.json and char/tokenizer.json;
for those two this script checks that the library reads them and gives the same ids.  FOLDER...: check further folders
with a tokenizer.json of ours (kind taken from its decoder).
"""
import json
import pathlib
import random
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

HERE = pathlib.Path(__file__).parent
ALPHABET = "0123456789+-*=# \nabcé日😀"
EOS = "<|eos|>"


def byte_symbols():
    own = set(range(33, 127)) | set(range(161, 173)) | set(range(174, 256))
    rest = [b for b in range(256) if b not in own]
    return {chr(b) if b in own else chr(256 + rest.index(b)): b for b in range(256)}


def make(kind):
    vocab = byte_symbols() if kind == "byte" else {c: i for i, c in enumerate(ALPHABET)}
    tok = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    if kind == "byte":
        tok.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        tok.decoder = decoders.ByteLevel()
    else:
        tok.decoder = decoders.Fuse()
    tok.add_special_tokens([AddedToken(EOS, special=True, normalized=False)])
    return tok


def texts(kind):
    rng = random.Random(20240229)
    fixed = ["", "a", "37+48=", "7+8=15 3+4+1=8\n#### 85", "  ", "é日😀", "\n\n"]
    pool = ALPHABET
    if kind == "byte":
        fixed += ["tab\tand\rreturn", "quotes \"'\\", "ÿĀġ\u00ad\u007f\u0001", "don't We'LL  x",
                  "e\u0301 \ufeff\u200b \u0085", "𝔘𝔫𝔦 \U0010ffff"]
        pool = "".join(chr(c) for c in range(1, 0x250)) + "日本語😀🎉\U0010ffff"
    return fixed + ["".join(rng.choice(pool) for _ in range(rng.randint(1, 40))) for _ in range(100)]


def check(folder, kind, rows):
    tok = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for row in rows:
        ids = tok.encode(row["text"]).ids
        assert ids == row["ids"], (folder, row, ids)
        assert tok.decode(ids) == row["decoded"], (folder, row)
    eos = tok.token_to_id(EOS)
    assert tok.encode("1" + EOS).ids[-1] == eos
    assert tok.decode([eos], skip_special_tokens=True) == ""
    print(f"{folder}: the same ids for {len(rows)} texts, {EOS} = {eos}")


def main():
    for kind in ("byte", "char"):
        tok = make(kind)
        rows = []
        for text in texts(kind):
            ids = tok.encode(text).ids
            rows.append({"text": text, "ids": ids, "decoded": tok.decode(ids)})
        folder = HERE / kind
        (folder / "resaved").mkdir(parents=True, exist_ok=True)
        tok.save(str(folder / "resaved" / "tokenizer.json"))
        (folder / "resaved" / "tokenizer_config.json").write_text(
            json.dumps({"eos_token": {"content": EOS, "special": True}}) + "\n")
        with open(folder / "texts.jsonl", "w", encoding="utf-8") as out:
            for row in rows:
                out.write(json.dumps(row, ensure_ascii=False) + "\n")
        if (folder / "tokenizer.json").exists():
            check(folder, kind, rows)
        for extra in map(pathlib.Path, sys.argv[1:]):
            decoder = json.loads((extra / "tokenizer.json").read_text())["decoder"]["type"]
            if (decoder == "ByteLevel") == (kind == "byte"):
                check(extra, kind, rows)
    (HERE / "VERSIONS").write_text(f"tokenizers {tokenizers.__version__}\n")


if __name__ == "__main__":
    main()
