#!/usr/bin/env python3
"""Renders every chat template of a folder with jinja2, set up as transformers does it, and with nibble, and compares bytes.

usage: check_templates.py FOLDER --nibble PATH [-v]
FOLDER holds *.jinja files or tokenizer_config.json files, at any depth. Needs jinja2. Exit code 1 when a prompt differs.
A template that refuses a conversation must be refused by both.
"""
import argparse
import json
import subprocess
import sys
import tempfile
from datetime import datetime, timezone
from pathlib import Path

from jinja2.exceptions import TemplateError
from jinja2.ext import Extension, loopcontrols
from jinja2.sandbox import ImmutableSandboxedEnvironment

NOW = 1753000000


class Generation(Extension):
    """{% generation %} marks what training learns; for a prompt it is its content."""
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def environment():
    env = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[Generation, loopcontrols])

    def tojson(value, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
        return json.dumps(value, ensure_ascii=ensure_ascii, indent=indent, separators=separators, sort_keys=sort_keys)

    def raise_exception(message):
        raise TemplateError(message)

    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda form: datetime.fromtimestamp(NOW, timezone.utc).strftime(form)
    return env


TOOLS = [{"type": "function", "function": {
    "name": "get_weather", "description": "The weather of a place; \"now\" & <later>.",
    "parameters": {"type": "object", "properties": {
        "place": {"type": "string", "description": "A town, for example Zürich"},
        "days": {"type": "integer", "enum": [1, 2, 7], "default": 1},
        "parts": {"type": "array", "items": {"type": "string"}}}, "required": ["place"]},
    "return": {"type": "string", "description": "A sentence"}}}]
CALL = {"role": "assistant", "content": "", "tool_calls": [{"id": "call12345", "type": "function", "function": {
    "name": "get_weather", "arguments": {"place": "Zürich", "days": 2, "parts": ["sun", "it's"], "exact": True, "none": None, "x": 1.5}}}]}


def conversations():
    system = {"role": "system", "content": " You are helpful. \n"}
    ask = {"role": "user", "content": "Hello, what's up? <b>\n\"Größe\" 日本 😀"}
    answer = {"role": "assistant", "content": "Fine.\n"}
    thought = {"role": "assistant", "content": "<think>\nHm.\n</think>\n\nYes.", "reasoning_content": "Hm."}
    parts = {"role": "user", "content": [{"type": "text", "text": "One"}, {"type": "text", "text": "Two"}]}
    result = {"role": "tool", "name": "get_weather", "tool_call_id": "call12345", "content": "{\"sun\": true}"}
    text_call = json.loads(json.dumps(CALL))
    text_call["tool_calls"][0]["function"]["arguments"] = json.dumps(CALL["tool_calls"][0]["function"]["arguments"])
    yield "one question", {"messages": [ask]}
    yield "system", {"messages": [system, ask]}
    yield "three turns", {"messages": [system, ask, answer, ask]}
    yield "no prompt", {"messages": [ask, answer], "add_generation_prompt": False}
    yield "reasoning", {"messages": [ask, thought, ask, thought], "add_generation_prompt": False}
    yield "thinking on", {"messages": [ask, thought, ask], "enable_thinking": True, "thinking": True}
    yield "thinking off", {"messages": [ask], "enable_thinking": False, "thinking": False}
    yield "parts", {"messages": [parts]}
    yield "tools", {"messages": [system, ask], "tools": TOOLS}
    yield "tool calls", {"messages": [ask, CALL, result, answer, ask], "tools": TOOLS}
    yield "tool calls as text", {"messages": [ask, text_call, result], "tools": TOOLS}
    yield "two system", {"messages": [system, system, ask]}
    yield "wrong order", {"messages": [answer, answer]}
    yield "empty", {"messages": []}


def templates(folder):
    for path in sorted(folder.rglob("*.jinja")):
        yield path.name, path.read_text(encoding="utf-8")
    for path in sorted(folder.rglob("tokenizer_config.json")):
        text = json.loads(path.read_text(encoding="utf-8")).get("chat_template")
        for entry in text if isinstance(text, list) else [{"name": "default", "template": text}]:
            if entry["template"]:
                yield f"{path.parent.name}:{entry['name']}", entry["template"]


def with_jinja(env, template, case):
    # A template may look at any of these names; those the case lacks stay undefined, as in transformers.
    values = {"tools": None, "documents": None, "add_generation_prompt": True} | case
    try:
        return env.from_string(template).render(**values), None
    except Exception as problem:  # whatever Python raises inside a template
        return None, f"{type(problem).__name__}: {problem}"


def with_nibble(nibble, template_file, case):
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        json.dump(case | {"now": NOW}, file, ensure_ascii=False)
        file.flush()
        done = subprocess.run([nibble, "template", template_file, "--messages", file.name, "--json"], capture_output=True)
    if done.returncode < 0 or done.returncode == 1:
        return None, f"CRASH {done.returncode}: {done.stderr.decode()[-300:]}"
    answer = json.loads(done.stdout)
    if done.returncode:
        return None, json.dumps(answer)[:300]
    return answer["prompt"], None


def first_difference(a, b):
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    return f"at {at}: jinja2 {a[max(0, at - 30):at + 50]!r} nibble {b[max(0, at - 30):at + 50]!r}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--nibble", required=True)
    parser.add_argument("-v", "--verbose", action="store_true", help="show the errors where both refuse")
    options = parser.parse_args()
    env = environment()
    equal = refused = different = good_templates = count = 0
    for name, template in templates(options.folder):
        count += 1
        good = True
        with tempfile.NamedTemporaryFile("w", suffix=".jinja", encoding="utf-8", newline="") as file:
            file.write(template)
            file.flush()
            for case_name, case in conversations():
                case = {"bos_token": "<s>", "eos_token": "</s>"} | case
                wanted, refusal = with_jinja(env, template, case)
                found, problem = with_nibble(options.nibble, file.name, case)
                if wanted is not None and wanted == found:
                    equal += 1
                elif wanted is None and found is None and not problem.startswith("CRASH"):
                    refused += 1
                    if options.verbose:
                        print(f"both refuse {name} / {case_name}: {refusal[:100]} | {problem[:200]}")
                else:
                    good = False
                    different += 1
                    detail = (first_difference(wanted, found) if wanted is not None and found is not None
                              else f"jinja2 {refusal or 'renders'} | nibble {problem or 'renders'}")
                    print(f"DIFFERS {name} / {case_name}: {detail}")
        good_templates += good
    print(f"{good_templates} of {count} templates agree; {equal} prompts equal, {refused} refused by both, {different} differ")
    return 1 if different or not count else 0


if __name__ == "__main__":
    sys.exit(main())
