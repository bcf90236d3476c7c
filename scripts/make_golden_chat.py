#!/usr/bin/env python3
"""Writes tests/golden/chat/*.json: what the package `transformers` makes of the templates in that folder.
needs: pip install transformers jinja2

conversations.json: {"now", "cases": [{"name", "messages", …}]}, what a template is given.
NAME.json, for NAME.jinja: {"made_with", "prompts": {case: prompt, or null where the template refuses the case}}.
The templates are written for these tests, each in the manner of a family of models.
"""
import datetime
import json
import sys
from importlib.metadata import version
from pathlib import Path

from transformers.utils import chat_template_utils

OUT = Path(__file__).parent.parent / "tests/golden/chat"
NOW = 1753000000  # 20 July 2025, 08:26:40

TOOLS = [
    {"type": "function", "function": {
        "name": "find_train", "description": "Trains between two towns; \"direct\" ones & <others>.",
        "parameters": {"type": "object", "properties": {
            "start": {"type": "string", "description": "A town, say Zürich"},
            "count": {"type": "integer", "enum": [1, 2, 5], "default": 2},
            "via": {"type": "array", "items": {"type": "string"}}}, "required": ["start"]},
        "return": {"type": "string"}}},
    {"type": "function", "function": {
        "name": "now", "description": "The time.", "parameters": {"type": "object", "properties": {}}}},
]
ARGUMENTS = {"start": "Zürich", "count": 2, "via": ["Bern", "it's"], "exact": True, "none": None, "price": 12.5}


def calling(arguments, *more):
    calls = [{"id": "call00001", "type": "function", "function": {"name": "find_train", "arguments": arguments}}]
    return {"role": "assistant", "content": "", "tool_calls": calls + list(more)}


def conversations():
    system = {"role": "system", "content": " You answer in rhymes. \n"}
    ask = {"role": "user", "content": "Hello, what's up?"}
    more = {"role": "user", "content": "\n And then: <b> & \"quotes\"\tand 'more' \n"}
    answer = {"role": "assistant", "content": "All is well.\n"}
    thought = {"role": "assistant", "content": "<think>\nHm, well.\n</think>\n\nYes."}
    result = {"role": "tool", "name": "find_train", "tool_call_id": "call00001", "content": "{\"trains\": [\"7:02\"]}"}
    other = {"id": "call00002", "type": "function", "function": {"name": "now", "arguments": {}}}
    yield "question", {"messages": [ask]}
    yield "question without prompt", {"messages": [ask], "add_generation_prompt": False}
    yield "system", {"messages": [system, ask]}
    yield "turns", {"messages": [system, ask, answer, more]}
    yield "turns to the end", {"messages": [ask, answer, more, answer], "add_generation_prompt": False}
    yield "unicode", {"messages": [{"role": "user", "content": "Größe, 日本語, עברית, 👩‍👩‍👧 e\u0301 \u00a0\u2028x"}, answer, more]}
    yield "empty texts", {"messages": [{"role": "system", "content": ""}, {"role": "user", "content": ""}]}
    yield "nobody", {"messages": []}
    yield "thoughts", {"messages": [ask, thought, more, thought], "add_generation_prompt": False}
    yield "thoughts apart", {"messages": [ask, answer | {"reasoning_content": "Hm."}, more], "enable_thinking": False}
    yield "tools", {"messages": [system, ask], "tools": TOOLS}
    yield "call", {"messages": [ask, calling(ARGUMENTS), result, answer, more], "tools": TOOLS}
    yield "call as text", {"messages": [ask, calling(json.dumps(ARGUMENTS)), result], "tools": TOOLS[:1]}
    yield "two calls", {"messages": [ask, calling(ARGUMENTS, other), result, result, answer], "tools": TOOLS}
    yield "parts", {"messages": [{"role": "user", "content": [{"type": "text", "text": "One "}, {"type": "image"}, {"type": "text", "text": "Two"}]}]}
    yield "wrong order", {"messages": [answer, answer]}
    yield "unknown role", {"messages": [{"role": "narrator", "content": "It rained."}]}
    yield "given date", {"messages": [ask], "date_string": "1 Feb 2003"}


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW, datetime.timezone.utc)


def write(name, content):
    text = json.dumps(content, ensure_ascii=False, indent=1)
    (OUT / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def rendered(template, case):
    values = {"tools": None, "documents": None, "add_generation_prompt": True} | case
    try:
        return template.render(**values)
    except Exception as problem:  # whatever Python raises inside a template
        print(f"  refused: {type(problem).__name__}: {problem}", file=sys.stderr)
        return None


def main():
    chat_template_utils.datetime = FixedClock
    made_with = ", ".join(f"{package} {version(package)}" for package in ["transformers", "jinja2"])
    cases = [{"name": name} | {"bos_token": "<s>", "eos_token": "</s>"} | case for name, case in conversations()]
    write("conversations", {"now": NOW, "cases": cases})
    for path in sorted(OUT.glob("*.jinja")):
        print(path.stem, file=sys.stderr)
        with path.open(encoding="utf-8", newline="") as file:
            template = chat_template_utils._compile_jinja_template(file.read())
        prompts = {}
        for case in cases:
            given = {key: value for key, value in case.items() if key != "name"}
            prompts[case["name"]] = rendered(template, json.loads(json.dumps(given)))
        write(path.stem, {"made_with": made_with, "date": datetime.date.today().isoformat(), "prompts": prompts})


if __name__ == "__main__":
    main()
