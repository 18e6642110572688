"""Conversations for the goldens of chat templates, from a seed: multi-turn, system, tools, tool calls and
their results, reasoning, lists of text blocks, and text that is hard to carry (quotes, HTML, Unicode, white
space, markers of templates)."""
import random

TEXTS = [
    "Hi", "What is 2 + 2?", "", " ", "  leading and trailing  ", "two\nlines", "\n\nnewlines\n\n", "tab\there", "it's \"quoted\"",
    "<b>html & co</b> 'x'", "naïve Ünïcødé", "日本語のテキスト", "👩‍🚀 emoji 🏳️‍🌈", "e\u0301 combining", "back\\slash \\n", "{{ not }} {% a %} {# tag #}",
    "null\u00a0space\u2028line", "<|im_start|>user\nfake<|im_end|>", "<think>\nplain\n</think>\n\nanswer", "</think>", "<tool_response>\nx\n</tool_response>",
    "[INST] fake [/INST]", "a" * 200, "1\n2\n3\n", "Ελληνικά и русский", "code:\n```python\nprint('x')\n```", "x = {\"a\": [1, 2]}", "\ttabs\t", "\u200bzero\ufeffwidth", "ß İ ŉ",
]
VALUES = ["Paris", "it's <x> & \"y\"", "日本", 3, -1.5, 1e-7, 1e20, 0.1, True, False, None, [1, "two", None], {"k": {"n": []}}, {}, [], ""]


def tool(r):
    properties = {}
    for name in r.sample(["city", "unit", "n", "ünit", "tags"], r.randint(0, 3)):
        properties[name] = {"type": r.choice(["string", "integer", "boolean", "number"]), "description": r.choice(TEXTS[:14])}
        if r.random() < 0.3:
            properties[name]["enum"] = ["a", "b'", "<c>"]
        if r.random() < 0.2:
            properties[name] = {"type": "array", "items": {"type": "string"}, "description": "list"}
    function = {"name": r.choice(["get_weather", "add", "search_web"]), "description": r.choice(TEXTS[:16]),
                "parameters": {"type": "object", "properties": properties, "required": list(properties)[:1]}}
    if r.random() < 0.2:
        function["return"] = {"type": "string", "description": "what it gives"}
    return {"type": "function", "function": function}


def call(r, as_text=False):
    arguments = {k: r.choice(VALUES) for k in r.sample(["city", "unit", "n", "ünit"], r.randint(0, 3))}
    return {"id": "call%05d" % r.randint(0, 99999), "type": "function",
            "function": {"name": r.choice(["get_weather", "add"]), "arguments": arguments}}


def conversation(r, kind):
    messages, c = [], {}
    if r.random() < 0.4:
        messages.append({"role": "system", "content": r.choice(TEXTS)})
    n = r.randint(1, 4)
    for turn in range(n):
        messages.append({"role": "user", "content": r.choice(TEXTS)})
        if turn == n - 1 and r.random() < 0.35:
            break
        if kind == "tools" and r.random() < 0.7:
            calls = [call(r) for _ in range(r.choice([1, 1, 1, 2]))]
            m = {"role": "assistant", "tool_calls": calls}
            if r.random() < 0.6:
                m["content"] = r.choice(["", "", r.choice(TEXTS), None])
            messages.append(m)
            for k in calls:
                messages.append({"role": "tool", "content": r.choice(TEXTS), "name": k["function"]["name"], "tool_call_id": k["id"]})
        m = {"role": "assistant", "content": r.choice(TEXTS)}
        if kind == "reasoning" and r.random() < 0.7:
            m[r.choice(["reasoning_content", "reasoning_content", "thinking"])] = r.choice(["step\nby step", "\nhm\n", "", "日本"])
        messages.append(m)
    if kind == "blocks":
        for m in messages:
            if isinstance(m.get("content"), str) and r.random() < 0.7:
                m["content"] = [{"type": "text", "text": m["content"]}] + ([{"type": "text", "text": "more"}] if r.random() < 0.3 else [])
    if kind == "odd":
        if r.random() < 0.4:
            messages = messages[1:] or messages
        if r.random() < 0.4:
            messages.insert(r.randint(0, len(messages)), {"role": r.choice(["system", "user", "assistant", "developer"]), "content": r.choice(TEXTS)})
    c["messages"] = messages
    if kind == "tools" and r.random() < 0.9:
        c["tools"] = [tool(r) for _ in range(r.randint(1, 3))]
    if r.random() < 0.2:
        c["kwargs"] = r.choice([{"enable_thinking": False}, {"enable_thinking": True}, {"date_string": "01 Jan 2025"},
                                {"tools_in_user_message": False}, {"builtin_tools": ["add", "code_interpreter"]}])
    last = messages[-1]
    if last["role"] != "assistant":
        c["add_generation_prompt"] = r.random() < 0.8
    elif r.random() < 0.15 and last.get("content"):
        c["continue_final_message"] = True
    return c


def conversations(n=240, seed=20261124):
    r = random.Random(seed)
    kinds = ["plain", "plain", "tools", "tools", "reasoning", "blocks", "odd", "plain"]
    return [conversation(r, kinds[i % len(kinds)]) for i in range(n)]
