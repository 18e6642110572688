#!/usr/bin/env python3
"""Makes tests/golden/tokenizer/bpe: small BPE tokenizers in the layouts of real models, with the ids of the Hugging Face library.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install tokenizers==0.21.4
    /tmp/venv/bin/python generate_bpe.py

Each vocabulary is trained by the library on Python's own sources and on invented sentences.  texts.json holds texts written by hand and the pieces
from which further texts are put together by a small generator, which stands here (class Mixer) and in the test.  Per layout, expected.json has for
every text the ids with specials as text, the ids with specials matched, those with the post-processor's additions, and the decoded text; for the
mixed texts a hash of all ids and decoded bytes (FNV-1a, 64 bits).  Real vocabularies are compared by tools/check_tokenizers.py.

Version 0.23 of the library gives the same ids; but it decodes an added token with normalized: true to its normalized text, which breaks
characters in byte-level vocabularies, so the decoded texts are those of 0.21.
"""
import json
import os
import pathlib
import platform
import random

import tokenizers
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent / "bpe"
N_MIXED = 3000
LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace("{1,3}", "")
QWEN35 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
TEKKEN = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+"
          r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]*|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
DEEPSEEK = [r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", "[!\"#$%&'()*+,\\-./:;<=>?@\\[\\\\\\]^_`{|}~][A-Za-z]+|[^\r\n\\p{L}\\p{P}\\p{S}]?[\\p{L}\\p{M}]+"
            "| ?[\\p{P}\\p{S}]+[\r\n]*|\\s*[\r\n]+|\\s+(?!\\S)|\\s+"]
SPECIALS = ["<s>", "</s>", "<|im_start|>", "<|im_end|>"]

TEXTS = (
    "|a| |  | a|a |hello world|Hello, World! It's 2024.|don't DON'T We'LL they'Ve I'M it'S|x'll y're 'tis|1 22 333 4444 55555 1234567890|"
    "Natalia sold 48/2 = <<48/2=24>>24 clips in May.\n#### 72|def f(x):\n    return x**2  # ok\n\n\tpass|for (int i = 0; i < n; i++) { a[i] += 1.5e-3f; }|"
    "<|im_start|>user\nhi<|im_end|>\n|</s>hi|a</s>b|<s>|<s> </s>| <|im_end|> |<|im_end|><|im_end|>|<|im_end|<|im_end|>|<tool>x</tool>|  <tool>  x|mask<mask>mask|a <mask> b|"
    "one\n\n\ntwo|\n|\n\n|\n\n\n\n|\r\n\r\n|\t\t|   a   b   |a\n b\n  c\n   |word   \n  |\u0085x\u00a0y\u2003z\u3000|\ufeffbom|zero\u200bwidth|mongolian\u180evowel|"
    "½ ³ Ⅷ ٣ 五 ①|e\u0301 é|n\u0303o ño|각 각|ﬁ ﬂ ﬃ|Ω ™ ﷺ|ſt 'ſ|İstanbul I ı ß ẞ|ǅ ǆ|\u0301|a\u0323\u0307|\u0f71\u0f72|"
    "Привет мир, как дела?|γειά σου κόσμε|שלום עולם|مرحبا بالعالم|नमस्ते दुनिया|হ্যালো|ਸਤ ਸ੍ਰੀ ਅਕਾਲ|வணக்கம்|నమస్కారం|ഹലോ|สวัสดีชาวโลก|გამარჯობა|ሰላም ልዑል|你好，世界！|こんにちは世界カタカナ|안녕하세요 세계|ជំរាបសួរ|မင်္ဂလာပါ|Բարև|ᏣᎳᎩ|Xin chào thế giới|"
    "👩‍👩‍👧‍👦 👍🏽 🏳️‍🌈 🇩🇪 ❤️ 1️⃣|😀😀|a😀b|\x01\x02\x1f|a\x00b|\x7f\u0080\u009f|\U0010fffd|𝔘𝔫𝔦 𝟙𝟚|▁|▁a ▁▁b|a▁b|<0x41><0x0A>|<0x41|�|"
    "____ ---- ==== ....|!!!???|(a)[b]{c}<d>|$5.00 100% #1 @me a&b|http://example.org/path?q=1&r=2|C:\\dir\\file|snake_case camelCase PascalCase kebab-case|x_1 _y1 __z__|"
    "naïve café déjà-vu|ÀÉÎÕÜ|æøå ÆØÅ|ŁÓDŹ|ĳ ŉ ǰ|the the the the|aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa|ababababababababababab|111111111111111111|                                  |'''''|\" \" \"|``x``|don’t ‘quote’ “double”|…—–|a…b"
)

PIECES = ["the", " the", "ing", " of", "and ", "Hello", " World", "'s", "'LL", "'t ", "1", "42", "1000", " 7", "\n", "\n\n", "\r\n", " ", "  ", "    ", "\t", ".", ", ", "!", "?!",
          "(", ") ", "{", "};", "==", "_", "__", "e\u0301", "é", "ñ", "日本", "中文", "かな", "カ", "한국", "привет", " мир", "שלום", "مرحبا", "नमस्ते", "ไทย", "😀", "👩‍👧", "👍🏽", "❤️",
          "½", "³", "Ⅷ", "٣", "\u00a0", "\u0085", "\u200b", "\ufeff", "\u3000", "\u2028", "▁", "▁▁", "<0x41>", "ſ", "İ", "ﬁ", "\x00", "\x1f", "\x7f", "<s>", "</s>", "<|im_start|>",
          "<|im_end|>", "<|im", "|>", "<tool>", "<mask>", "http://", "a.b", "x=1", "aaaa", "Zz", "don't", "\u0301", "각"]


class Mixer:
    """splitmix64, and texts of up to 16 pieces or characters."""

    def __init__(self, seed):
        self.state = seed

    def below(self, n):
        self.state = (self.state + 0x9E3779B97F4A7C15) & (2**64 - 1)
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & (2**64 - 1)
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & (2**64 - 1)
        return (z ^ (z >> 31)) % n

    def text(self, pieces):
        out = []
        for _ in range(1 + self.below(16)):
            kind = self.below(8)
            if kind < 5:
                out.append(pieces[self.below(len(pieces))])
            elif kind < 7:
                out.append(chr(0x20 + self.below(0x5F)))
            else:
                out.append(chr(0xA0 + self.below(0x2E0)))
        return "".join(out)


def fnv(state, data):
    for byte in data:
        state = ((state ^ byte) * 0x100000001B3) & (2**64 - 1)
    return state


def corpus():
    rng = random.Random(7)
    rows = []
    for name in ("argparse.py", "ast.py", "bisect.py", "calendar.py", "csv.py", "difflib.py", "heapq.py", "json/decoder.py"):
        rows += (pathlib.Path(os.__file__).parent / name).read_text(encoding="utf-8").splitlines(keepends=True)
    every = TEXTS.replace("|", " ").split()
    rows += [" ".join(rng.choice(every) for _ in range(12)) for _ in range(600)]
    return rows


def byte_level(pre, size=1200, **model):
    t = Tokenizer(models.BPE(**model))
    t.pre_tokenizer = pre
    t.decoder = decoders.ByteLevel()
    t.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=size, show_progress=False, initial_alphabet=pre_tokenizers.ByteLevel.alphabet()))
    return t


def characters(normalizer, pre, decoder, size=900, byte_fallback=True, **model):
    t = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=byte_fallback, **model))
    if normalizer:
        t.normalizer = normalizer
    if pre:
        t.pre_tokenizer = pre
    if decoder:
        t.decoder = decoder
    first = ["<unk>"] + ([f"<0x{b:02X}>" for b in range(256)] if byte_fallback else []) + ["▁"]
    rows = corpus()
    if not pre:  # one word a row is slow to train on: cut before each sign
        t.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    t.train_from_iterator(rows, trainers.BpeTrainer(vocab_size=size, special_tokens=first, limit_alphabet=220, show_progress=False))
    saved = json.loads(t.to_str())
    saved["added_tokens"] = []
    if not pre:
        saved["pre_tokenizer"] = None
    return Tokenizer.from_str(json.dumps(saved))


def split(*patterns):
    steps = [pre_tokenizers.Split(Regex(p), "isolated") for p in patterns]
    return pre_tokenizers.Sequence(steps + [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def finish(t, template=None, extra=()):
    t.add_special_tokens([AddedToken(s, normalized=False, special=True) for s in SPECIALS])
    t.add_tokens(list(extra))
    if template:
        t.post_processor = processors.TemplateProcessing(single=template, special_tokens=[(s, t.token_to_id(s)) for s in ("<s>", "</s>")])
    return t


def layouts():
    llama2 = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    gemma = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()])
    tags = [AddedToken("<tool>", normalized=False), AddedToken("\n\n", normalized=False), AddedToken("▁▁▁", normalized=False)]
    edges = [AddedToken("<mask>", lstrip=True, rstrip=True, normalized=True), AddedToken("the", single_word=True, normalized=False),
             AddedToken("e\u0301", normalized=True), AddedToken("<tool>", rstrip=True, normalized=False)]
    gpt2 = finish(byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)))
    gpt2.post_processor = processors.ByteLevel(trim_offsets=False)
    yield "gpt2", gpt2
    yield "gpt2_prefix", finish(byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True)), extra=edges)
    yield "smollm2", finish(byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(True), pre_tokenizers.ByteLevel(add_prefix_space=False)])))
    yield "llama3", finish(byte_level(split(LLAMA3), ignore_merges=True), template="<s> $A")
    qwen = byte_level(split(QWEN2))
    qwen.normalizer = normalizers.NFC()
    yield "qwen2", finish(qwen, extra=edges)
    yield "qwen35", finish(byte_level(split(QWEN35)))
    yield "deepseek", finish(byte_level(split(*DEEPSEEK)))
    yield "tekken", finish(byte_level(split(TEKKEN), ignore_merges=True), template="<s> $A </s>")
    prepend = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    yield "llama2", finish(characters(prepend, None, llama2, fuse_unk=True), template="<s> $A", extra=edges)
    yield "mistral", finish(characters(None, pre_tokenizers.Metaspace("▁", prepend_scheme="first", split=False), llama2, fuse_unk=True), template="<s> $A")
    yield "gemma", finish(characters(normalizers.Replace(" ", "▁"), pre_tokenizers.Split(" ", "merged_with_previous"), gemma, fuse_unk=True),
                          template="<s> $A", extra=tags)
    yield "metaspace", finish(characters(normalizers.NFKC(), pre_tokenizers.Metaspace("▁", prepend_scheme="always"), decoders.Metaspace("▁", prepend_scheme="always"),
                                         byte_fallback=False, fuse_unk=True), extra=edges)
    folded = normalizers.Sequence([normalizers.NFKD(), normalizers.Replace(Regex(r"\p{M}+"), ""), normalizers.Lowercase(), normalizers.Strip(True, True)])
    cut = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Digits(False), pre_tokenizers.Punctuation("contiguous")])
    yield "words", finish(characters(folded, cut, None, byte_fallback=False, fuse_unk=False), extra=edges)
    joined = normalizers.Sequence([normalizers.NFD(), normalizers.Replace("ß", "ss")])
    parts = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Split(Regex(r"[aeiou]+"), "merged_with_next"),
                                     pre_tokenizers.Split("-", "removed"), pre_tokenizers.Split(Regex(r"\w"), "contiguous", invert=True)])
    yield "splits", finish(characters(joined, parts, decoders.Fuse(), byte_fallback=False, fuse_unk=True))


def expected(t, texts):
    rows = []
    for text in texts:
        t.encode_special_tokens = True
        plain = t.encode(text, add_special_tokens=False).ids
        t.encode_special_tokens = False
        special, affixed = t.encode(text, add_special_tokens=False).ids, t.encode(text).ids
        rows.append([plain, special, affixed, t.decode(special, skip_special_tokens=False), t.decode(special, skip_special_tokens=True)])
    mixer, state, n_ids = Mixer(2024), 0xCBF29CE484222325, 0
    for _ in range(N_MIXED):
        ids = t.encode(mixer.text(PIECES), add_special_tokens=False).ids
        n_ids += len(ids)
        for i in ids:
            state = fnv(state, i.to_bytes(4, "little"))
        state = fnv(state, t.decode(ids, skip_special_tokens=False).encode())
    return {"rows": rows, "n_mixed": N_MIXED, "n_ids": n_ids, "hash": f"{state:016x}"}


def main():
    texts = TEXTS.split("|")
    HERE.mkdir(exist_ok=True)
    (HERE / "texts.json").write_text(json.dumps({"texts": texts, "pieces": PIECES}, ensure_ascii=False, indent=0) + "\n", encoding="utf-8")
    for name, t in layouts():
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        saved = json.loads(t.to_str())
        # Both forms of merges are in the wild; the even layouts keep the old one.
        if len(name) % 2 == 0:
            saved["model"]["merges"] = [" ".join(m) for m in saved["model"]["merges"]]
        (folder / "tokenizer.json").write_text(json.dumps(saved, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>", "bos_token": {"content": "<s>"}}) + "\n")
        t = Tokenizer.from_file(str(folder / "tokenizer.json"))
        rows = expected(t, texts)
        (folder / "expected.json").write_text(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("]],[", "]],\n[") + "\n", encoding="utf-8")
        print(name, t.get_vocab_size(), (folder / "tokenizer.json").stat().st_size, rows["n_ids"])
    (HERE / "VERSIONS").write_text(f"tokenizers {tokenizers.__version__}\nPython {platform.python_version()}\n")


if __name__ == "__main__":
    main()
