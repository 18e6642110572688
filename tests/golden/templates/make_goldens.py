"""Makes the goldens of chat templates with transformers' own rendering.

    python make_goldens.py TRL_PACKAGE_FOLDER

TRL_PACKAGE_FOLDER holds chat_templates/*.jinja (the package "trl" from PyPI); those of PUBLISHED are copied to published/.
Versions used: see VERSIONS.  Files: conversations.jsonl (one a line), constructs.jsonl (templates of one construct with
their output), renderings.txt (a template a line: name, then for each conversation the FNV-1a hash of text and spans, or
"-" for an error), texts.jsonl (some renderings in full)."""
import datetime
import json
import pathlib
import shutil
import sys

import jinja2
import tokenizers
import transformers
import transformers.utils.chat_template_utils as utils

import constructs
import conversations

HERE = pathlib.Path(__file__).parent
BUILTIN = HERE.parents[2] / "src/text/templates"
PUBLISHED = """cohere cohere2_training deepseek_r1_distill deepseek_r1_distill_training deepseekv3 gemma gemma3 gemma3_training glm4moe
gptoss lfm2_2_5 llama3 llama3_1 llama3_2 nemotron_3_nano phi3 phi3_5 qwen2_5 qwen2_5_training qwen3 qwen3_training qwen3_5_think
qwen3_vl smolvlm""".split()
SPECIALS = {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>", "unk_token": "<unk>"}


class Clock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return datetime.datetime(2023, 11, 14, 22, 13, 20)  # 1700000000


def spans_in_bytes(text, spans):
    return [[len(text[:a].encode()), len(text[:b].encode())] for a, b in spans]


def render(template, c):
    messages = utils._normalize_chat_messages(c["messages"])
    texts, spans = utils.render_jinja_template(
        [messages], tools=c.get("tools"), chat_template=template, return_assistant_tokens_mask=not c.get("continue_final_message"),
        continue_final_message=c.get("continue_final_message", False), add_generation_prompt=c.get("add_generation_prompt", False),
        **{**SPECIALS, **c.get("kwargs", {})})
    return texts[0], spans_in_bytes(texts[0], spans[0]) if spans else []


def fnv(data):
    h = 0xCBF29CE484222325
    for byte in data:
        h = (h ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return h


def construct(template):
    try:
        compiled = utils._compile_jinja_template(template)
        v = dict(constructs.VARIABLES)
        text, spans = utils._render_with_assistant_indices(
            compiled_template=compiled, messages=v.pop("messages"), tools=None, documents=None,
            add_generation_prompt=v.pop("add_generation_prompt"), **v)
        return {"template": template, "text": text, "spans": spans_in_bytes(text, spans)}
    except Exception:
        return {"template": template, "error": True}


MASKS = [("smollm2", "chatml"), ("smollm2", "smollm2"), ("qwen2", "qwen2.5"), ("qwen2", "qwen3-training"), ("llama3", "llama3.1"),
         ("gemma", "gemma3"), ("mistral", "mistral-v0.3")]


def masks(rows):
    """Ids and assistant masks as PreTrainedTokenizerFast.apply_chat_template makes them: a token that overlaps a span."""
    for tokenizer, template in MASKS:
        source = (BUILTIN / f"{template}.jinja").read_text()
        encoder = tokenizers.Tokenizer.from_file(str(HERE.parent / f"tokenizer/bpe/{tokenizer}/tokenizer.json"))
        for i, c in enumerate(rows):
            if c.get("continue_final_message") or i % 4:
                continue
            try:
                text, _ = render(source, c)
                _, spans = utils.render_jinja_template(
                    [utils._normalize_chat_messages(c["messages"])], tools=c.get("tools"), chat_template=source, return_assistant_tokens_mask=True,
                    add_generation_prompt=c.get("add_generation_prompt", False), **{**SPECIALS, **c.get("kwargs", {})})
            except Exception:
                continue
            e = encoder.encode(text, add_special_tokens=False)
            mask = [int(any(a < end and b > start for start, end in spans[0])) for a, b in e.offsets]
            runs = [k for k in range(len(mask)) if mask[k] != (mask[k - 1] if k else 0)]
            yield {"tokenizer": tokenizer, "template": template, "conversation": i, "n": len(e.ids),
                   "ids": f"{fnv(','.join(map(str, e.ids)).encode()):016x}", "changes": runs}


# What the subset leaves out on purpose, or prints an address.
LEFT_OUT = ["{{ d.items }}", "{{ s.format(1) }}", "{{ '%s' % 1 }}", "{{ xs|selectattr }}", "recursive", "{% block"]


def main():
    utils.datetime = Clock
    source = pathlib.Path(sys.argv[1]) / "chat_templates"
    (HERE / "published").mkdir(exist_ok=True)
    for name in PUBLISHED:
        shutil.copy(source / f"{name}.jinja", HERE / "published")
    rows = conversations.conversations()
    dump = lambda x: json.dumps(x, ensure_ascii=False)
    (HERE / "conversations.jsonl").write_text("".join(dump(r) + "\n" for r in rows))
    kept = [t for t in constructs.templates() if not any(o in t for o in LEFT_OUT)]
    (HERE / "constructs.jsonl").write_text("".join(json.dumps(construct(t)) + "\n" for t in kept))
    (HERE / "variables.json").write_text(json.dumps(constructs.VARIABLES) + "\n")
    files = sorted(BUILTIN.glob("*.jinja")) + sorted((HERE / "published").glob("*.jinja"))
    lines, texts = [], []
    for f in files:
        name, template, hashes, n_full = f.parent.name + "/" + f.stem, f.read_text(), [], 0
        for i, c in enumerate(rows):
            try:
                text, spans = render(template, c)
            except Exception:
                hashes.append("-")
                continue
            data = text + "".join(f"|{a},{b}" for a, b in spans)
            hashes.append(f"{fnv(data.encode()):016x}")
            if n_full < 3 and f.parent == BUILTIN and len(c["messages"]) > 2:
                texts.append({"template": name, "conversation": i, "text": text, "spans": spans})
                n_full += 1
        lines.append(name + " " + " ".join(hashes))
    (HERE / "renderings.txt").write_text("\n".join(lines) + "\n")
    (HERE / "texts.jsonl").write_text("".join(dump(t) + "\n" for t in texts))
    (HERE / "masks.jsonl").write_text("".join(json.dumps(m) + "\n" for m in masks(rows)))
    (HERE / "VERSIONS").write_text(f"transformers {transformers.__version__}\njinja2 {jinja2.__version__}\ntrl 1.16.0\n"
                                   f"tokenizers {tokenizers.__version__}\n")


main()
