#!/usr/bin/env python3
"""Writes tests/golden/chat/*.json: what the package `transformers` makes of the templates in that folder, and
tests/golden/tokenizer/special_names.json: the special tokens that it finds in a tokenizer's files.
needs: pip install transformers jinja2

conversations.json: {"now", "cases": [{"name", "messages", …}]}, what a template is given.
NAME.json, for NAME.jinja: {"made_with", "prompts": {case: prompt, or null where the template refuses the case}}.
The templates are written for these tests, each in the manner of a family of models.
"""
import datetime
import json
import shutil
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from transformers import AutoTokenizer
from transformers.utils import chat_template_utils

ROOT = Path(__file__).parent.parent
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
    yield "no content", {"messages": [ask, calling(ARGUMENTS) | {"content": None, "reasoning": "Hm."}, result | {"name": None}]}
    yield "more tokens", {"messages": [ask], "pad_token": "<pad>", "image_token": "<image>"}


class FixedClock(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return cls.fromtimestamp(NOW, datetime.timezone.utc)


def write(name, content):
    text = json.dumps(content, ensure_ascii=False, indent=1)
    (OUT / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def rendered(template, case):
    values = {"tools": None, "documents": None, "add_generation_prompt": True} | case
    messages = chat_template_utils._normalize_chat_messages(values.pop("messages"))
    try:
        return chat_template_utils.render_jinja_template([messages], chat_template=template, **values)[0][0]
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
            template = file.read()
        prompts = {}
        for case in cases:
            given = {key: value for key, value in case.items() if key != "name"}
            prompts[case["name"]] = rendered(template, json.loads(json.dumps(given)))
        write(path.stem, {"made_with": made_with, "date": datetime.date.today().isoformat(), "prompts": prompts})


def token_files():
    """tokenizer_config.json and special_tokens_map.json, which may be absent."""
    added = {"__type": "AddedToken", "lstrip": False, "normalized": False, "rstrip": False, "single_word": False, "special": True}
    yield {"bos_token": "<s>", "eos_token": added | {"content": "</s>"}, "unk_token": "<unk>", "sep_token": "[SEP]", "pad_token": "<pad>",
           "cls_token": "[CLS]", "mask_token": "[MASK]", "image_token": "<image>", "add_bos_token": True}, None
    yield {"bos_token": None, "eos_token": "</s>", "extra_special_tokens": {"audio_token": "<audio>", "eoi": "<eoi>"}}, None
    yield {"eos_token": "</s>", "extra_special_tokens": ["<a>", "<b>"], "additional_special_tokens": ["<c>"]}, None
    older = {"bos_token": "<m>", "eos_token": None, "pad_token": {"content": "<p>", "lstrip": False, "normalized": False, "rstrip": False,
             "single_word": False}, "image_token": "<map>", "extra_special_tokens": {"video_token": "<v>"}}
    yield {"bos_token": "<s>", "eos_token": "</s>", "image_token": "<config>"}, older
    yield {"bos_token": "<s>", "added_tokens_decoder": {}}, older
    yield {"eos_token": "</s>", "extra_special_tokens": {"video_token": "<config>"}}, older
    yield {}, older
    yield {"image_token": added | {"content": "<config>"}, "audio_token": added | {"content": "<config>"}}, older
    yield {"image_token": added | {"content": "<config>"}, "extra_special_tokens": {"audio_token": "<config>"}}, older | {
        "image_token": None, "audio_token": "<map>"}
    own = {"model_specific_special_tokens": {"boi": "<boi>", "image_token": "<own>"}}
    yield own, None
    yield own | {"image_token": added | {"content": "<config>"}, "extra_special_tokens": ["<a>"]}, older
    yield own | {"image_token": "<config>"}, older
    yield own | {"extra_special_tokens": {"eoi": "<eoi>"}}, None
    for name in ("LlamaTokenizer", "GPT2Tokenizer", "PreTrainedTokenizerFast"):
        yield {"tokenizer_class": name}, None
        yield {"tokenizer_class": name, "eos_token": "<end>", "unk_token": None}, None


def special_names():
    cases = []
    for config, older in token_files():
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(ROOT / "assets/demo/tokenizer.json", folder)
            (Path(folder) / "config.json").write_text('{"model_type": "llama"}')
            (Path(folder) / "tokenizer_config.json").write_text(json.dumps(config))
            if older is not None:
                (Path(folder) / "special_tokens_map.json").write_text(json.dumps(older))
            tokens = AutoTokenizer.from_pretrained(folder).special_tokens_map
            cases.append({"config": config, "map": older, "tokens": tokens})
    text = json.dumps({"made_with": f"transformers {version('transformers')}", "cases": cases}, ensure_ascii=False, indent=1)
    (ROOT / "tests/golden/tokenizer/special_names.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    special_names()
    main()
