#!/usr/bin/env python3
"""Teaches a chat model a small task by QLoRA and counts how often it does it, before and after, fused and in 4 bits.

usage: measure_finetune.py NIBBLE CHAT_MODEL [--steps 40] [--rank 16] [--batch-size 4] [--held-out 40] [--peft]

The task: from a sentence about a person to a line of JSON, {"name": …, "city": …, "age": …}. Sentences are made of templates,
names and cities; those that are held out have other names, cities and templates than any that is learnt. An answer counts when it is
JSON with exactly these keys, and once more when all three values are right. With --peft transformers and PEFT answer, too
(needs: pip install torch transformers peft).
"""
import argparse
import itertools
import json
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

NAMES = ["Anna", "Ben", "Clara", "David", "Elena", "Felix", "Grace", "Hugo", "Ines", "Jonas", "Karin", "Liam", "Mara", "Nils",
         "Olga", "Paul", "Rosa", "Simon", "Tara", "Viktor"]
CITIES = ["Oslo", "Lima", "Paris", "Cairo", "Madrid", "Vienna", "Lagos", "Boston", "Kyoto", "Prague", "Dublin", "Milan"]
TEMPLATES = ["{name} lives in {city} and is {age} years old.", "At the age of {age}, {name} moved to {city}.",
             "My friend {name}, who is {age}, comes from {city}.", "{city} is the home of {name}, aged {age}.",
             "Meet {name} from {city}; this year {name} turns {age}."]
OTHER_NAMES = ["Marco", "Nadia", "Peter", "Sofia", "Yusuf", "Wanda"]
OTHER_CITIES = ["Rome", "Delhi", "Berlin", "Toronto", "Geneva", "Athens"]
OTHER_TEMPLATES = ["{name} has a flat in {city} and has just become {age}.", "In {city} I met {name}, a person of {age} years."]
ASK = "Give me the name, the city and the age as JSON.\n"


def facts(names, cities, templates, count, rng):
    chosen = rng.sample(list(itertools.product(names, cities, templates)), count)
    for name, city, template in chosen:
        yield template, {"name": name, "city": city, "age": rng.randint(18, 90)}


def question(template, fact):
    return ASK + template.format(**fact)


def nibble(program, *arguments):
    done = subprocess.run([program, *map(str, arguments), "--json", "-q"], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"nibble {' '.join(map(str, arguments))}: {done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def score(answers, held_out):
    form = right = 0
    for text, (_, fact) in zip(answers, held_out):
        try:
            value = json.loads(text.strip())
        except ValueError:
            continue
        form += isinstance(value, dict) and set(value) == set(fact)
        right += value == fact
    return form, right


def answers_of(program, held_out, *model):
    return [nibble(program, "chat", *model, "-p", question(*one), "--temp", "0", "-n", 60)["answer"] for one in held_out]


def answers_of_peft(base, adapter, held_out):
    import peft
    import torch
    import transformers
    tokenizer = transformers.AutoTokenizer.from_pretrained(base)
    model = transformers.AutoModelForCausalLM.from_pretrained(base, dtype=torch.float32)
    model = peft.PeftModel.from_pretrained(model, str(adapter)).eval()
    texts = []
    for one in held_out:
        ids = tokenizer.apply_chat_template([{"role": "user", "content": question(*one)}], add_generation_prompt=True,
                                            return_tensors="pt", return_dict=True)
        out = model.generate(**ids, max_new_tokens=60, do_sample=False)
        texts.append(tokenizer.decode(out[0, ids["input_ids"].shape[1]:], skip_special_tokens=True))
    return texts


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("nibble")
    parser.add_argument("model")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--rank", type=int, default=16)
    parser.add_argument("--batch-size", type=int, default=4)
    parser.add_argument("--held-out", type=int, default=40)
    parser.add_argument("--peft", action="store_true")
    args = parser.parse_args()
    rng = random.Random(1)
    learnt = list(facts(NAMES, CITIES, TEMPLATES, 1000, rng))
    held_out = list(facts(OTHER_NAMES, OTHER_CITIES, OTHER_TEMPLATES, args.held_out, rng))
    with tempfile.TemporaryDirectory() as scratch:
        data, adapter, fused, small = (Path(scratch) / name for name in ("rows.jsonl", "adapter", "fused", "small"))
        data.write_text("".join(json.dumps({"messages": [
            {"role": "user", "content": question(*one)}, {"role": "assistant", "content": json.dumps(one[1])}]}) + "\n"
            for one in learnt))

        def tell(what, answers):
            form, right = score(answers, held_out)
            print(f"| {what} | {form} of {len(held_out)} | {right} |", flush=True)

        print("| model | in the asked form | all values right |\n|---|---|---|")
        tell("as it is", answers_of(args.nibble, held_out, args.model))
        begun = time.monotonic()
        result = nibble(args.nibble, "finetune", args.model, adapter, "--data", data, "--base", "nf4", "--rank", args.rank,
                        "--steps", args.steps, "--batch-size", args.batch_size, "--learning-rate", "1e-3")
        seconds = time.monotonic() - begun
        tell("with the adapter", answers_of(args.nibble, held_out, args.model, "--lora", adapter))
        nibble(args.nibble, "fuse", args.model, adapter, fused)
        nibble(args.nibble, "quantize", fused, small, "--method", "rtn", "--grid", "int4", "--group-size", 64)
        tell("fused, int4 in groups of 64", answers_of(args.nibble, held_out, small))
        if args.peft:
            tell("with the adapter, transformers and PEFT", answers_of_peft(args.model, adapter, held_out))
        print(f"{args.steps} steps in {seconds / 60:.1f} minutes, held-out loss {result['validation_loss_before']:.4f} -> "
              f"{result['validation_loss']:.4f}, {result['tokens_per_second']:.1f} tokens/s")


if __name__ == "__main__":
    main()
