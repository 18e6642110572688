#!/usr/bin/env python3
"""Makes the Unigram layouts in tests/golden/tokenizer/bpe beside those of generate_bpe.py, whose texts and form of results they share.

    python3 -m venv /tmp/venv && /tmp/venv/bin/pip install tokenizers==0.21.4 sentencepiece==0.2.0
    /tmp/venv/bin/python generate_unigram.py

t5 has SentencePiece's normalization table, with rules made up here (its own ones take 300 kB); albert is the layout with one word a text and
tokens for bytes; xlmr cuts at white space and knows no bytes.  tools/check_tokenizers.py compares whole tables.
"""
import base64
import json
import pathlib
import tempfile

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from generate_bpe import HERE, SPECIALS, TEXTS, corpus, expected, finish

RULES = [("ﬁ", "fi"), ("ﬂ", "fl"), ("½", "1⁄2"), ("³", "3"), ("\u3000", " "), ("\u00a0", " "), ("\t", " "), ("\n", " "), ("e\u0301", "é"), ("\u200b", ""),
         ("Ⅷ", "VIII"), ("各", "각"), ("™", "TM"), ("…", "..."), ("①", "1"), ("\ufeff", ""), ("ﷺ", "صلى الله عليه وسلم")]


def charsmap():
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        rows = ["\t".join(" ".join(f"{ord(c):X}" for c in side) for side in rule) for rule in RULES]
        (folder / "rules.tsv").write_text("\n".join(rows) + "\n")
        (folder / "text").write_text("\n".join(corpus()[:400]), encoding="utf-8")
        sentencepiece.SentencePieceTrainer.Train(input=str(folder / "text"), model_prefix=str(folder / "m"), vocab_size=300, hard_vocab_limit=False,
                                                 normalization_rule_tsv=str(folder / "rules.tsv"), minloglevel=2)
        model = sentencepiece_model_pb2.ModelProto()
        model.ParseFromString((folder / "m.model").read_bytes())
        return model.normalizer_spec.precompiled_charsmap


def unigram(normalizer, pre, decoder, size, byte_fallback):
    t = Tokenizer(models.Unigram())
    if normalizer:
        t.normalizer = normalizer
    # One word a text is slow to train on: cut before each sign.
    t.pre_tokenizer = pre or pre_tokenizers.Metaspace("▁")
    t.decoder = decoder
    first = ["<unk>"] + ([f"<0x{b:02X}>" for b in range(256)] if byte_fallback else [])
    t.train_from_iterator(corpus(), trainers.UnigramTrainer(vocab_size=size, special_tokens=first, unk_token="<unk>", show_progress=False))
    saved = json.loads(t.to_str())
    saved["added_tokens"] = []
    saved["model"]["byte_fallback"] = byte_fallback
    if not pre:
        saved["pre_tokenizer"] = None
    return Tokenizer.from_str(json.dumps(saved))


def layouts():
    sign = decoders.Metaspace("▁", prepend_scheme="always")
    table = normalizers.Sequence([normalizers.Precompiled(charsmap()), normalizers.Replace(Regex(" {2,}"), " ")])
    t5 = finish(unigram(table, pre_tokenizers.Metaspace("▁", prepend_scheme="always"), sign, 700, False))
    t5.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", t5.token_to_id("</s>"))])
    yield "t5", t5
    bytes_ = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)])
    prepend = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    yield "albert", finish(unigram(prepend, None, bytes_, 900, True), template="<s> $A")
    cut = pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace("▁", prepend_scheme="always")])
    yield "xlmr", finish(unigram(normalizers.NFKC(), cut, sign, 600, False), template="<s> $A </s>")


def main():
    for name, t in layouts():
        folder = HERE / name
        folder.mkdir(exist_ok=True)
        saved = json.loads(t.to_str())
        (folder / "tokenizer.json").write_text(json.dumps(saved, ensure_ascii=False, separators=(",", ":")) + "\n", encoding="utf-8")
        (folder / "tokenizer_config.json").write_text(json.dumps({"eos_token": "</s>", "bos_token": {"content": "<s>"}}) + "\n")
        t = Tokenizer.from_file(str(folder / "tokenizer.json"))
        rows = expected(t, TEXTS.split("|"))
        (folder / "expected.json").write_text(json.dumps(rows, ensure_ascii=False, separators=(",", ":")).replace("]],[", "]],\n[") + "\n", encoding="utf-8")
        print(name, t.get_vocab_size(), (folder / "tokenizer.json").stat().st_size, rows["n_ids"], SPECIALS[0])


if __name__ == "__main__":
    main()
