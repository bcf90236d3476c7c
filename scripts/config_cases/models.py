"""Tiny random models as config.json and tensors, and the folder that holds them."""
import copy
import json
from dataclasses import dataclass, field

import torch
from safetensors.torch import save_file

VOCABULARY = 320
CONTEXT = 128
CLASSES = {"llama": "LlamaForCausalLM", "mistral": "MistralForCausalLM", "qwen2": "Qwen2ForCausalLM",
           "qwen3": "Qwen3ForCausalLM", "gemma3_text": "Gemma3ForCausalLM"}
ARCHITECTURES = list(CLASSES)
NORMED_HEADS = ("qwen3", "gemma3_text")


@dataclass
class Case:
    """What is written, and what it must give: the same as transformers makes of `truth` (of the same folder where
    it is None), or an error that holds the words of `refusal`."""
    name: str
    config: dict
    tensors: dict
    truth: "Case | None" = None
    refusal: str = ""
    shards: int = 1
    files: dict = field(default_factory=dict)  # further files: name -> text


def config_of(kind, **more):
    """In the form of transformers 4, without rope settings but the base."""
    config = dict(architectures=[CLASSES[kind]], model_type=kind, hidden_size=32, intermediate_size=48,
                  num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=8, vocab_size=VOCABULARY,
                  max_position_embeddings=CONTEXT, rms_norm_eps=1e-5, rope_theta=10000.0, hidden_act="silu",
                  tie_word_embeddings=False, bos_token_id=0, eos_token_id=1, torch_dtype="float32")
    if kind == "mistral":
        config["sliding_window"] = None
    if kind == "gemma3_text":
        del config["hidden_act"]
        config |= dict(hidden_activation="gelu_pytorch_tanh", query_pre_attn_scalar=12, sliding_window=24,
                       sliding_window_pattern=3, rope_local_base_freq=5000.0, rope_theta=100000.0)
    config |= more
    return {key: value for key, value in config.items() if value != "absent"}


def random_tensor(generator, *shape):
    if len(shape) == 2:
        return torch.randn(shape, generator=generator) * (2.0 / shape[1] ** 0.5)
    return 1 + 0.3 * torch.randn(shape, generator=generator)


def tensors_of(kind, config, biases=(), head=True, seed=1):
    """`biases`: names of the linear layers that have one, of qkvo gud."""
    generator = torch.Generator().manual_seed(seed)
    hidden, mlp, width = config["hidden_size"], config["intermediate_size"], config["head_dim"]
    query, key = config["num_attention_heads"] * width, config["num_key_value_heads"] * width
    linears = {"self_attn.q_proj": (query, hidden), "self_attn.k_proj": (key, hidden), "self_attn.v_proj": (key, hidden),
               "self_attn.o_proj": (hidden, query), "mlp.gate_proj": (mlp, hidden), "mlp.up_proj": (mlp, hidden),
               "mlp.down_proj": (hidden, mlp)}
    norms = {"input_layernorm": hidden, "post_attention_layernorm": hidden}
    if kind == "gemma3_text":
        norms |= {"pre_feedforward_layernorm": hidden, "post_feedforward_layernorm": hidden}
    if kind in NORMED_HEADS:
        norms |= {"self_attn.q_norm": width, "self_attn.k_norm": width}
    less_one = 1 if kind == "gemma3_text" else 0
    tensors = {"model.embed_tokens.weight": random_tensor(generator, config["vocab_size"], hidden),
               "model.norm.weight": random_tensor(generator, hidden) - less_one}
    if head:
        tensors["lm_head.weight"] = random_tensor(generator, config["vocab_size"], hidden)
    for layer in range(config["num_hidden_layers"]):
        base = f"model.layers.{layer}."
        for name, size in norms.items():
            tensors[base + name + ".weight"] = random_tensor(generator, size) - less_one
        for name, (rows, columns) in linears.items():
            tensors[base + name + ".weight"] = random_tensor(generator, rows, columns)
            if name.split(".")[1][0] in biases:
                tensors[base + name + ".bias"] = random_tensor(generator, rows) - 1
    return tensors


def case_of(kind, name, biases=None, head=None, refusal="", shards=1, **more):
    """A model that its config describes. Values given as "absent" leave the key out of config.json only."""
    full = config_of(kind, **{key: value for key, value in more.items() if value != "absent"})
    if biases is None:
        biases = "qkv" if kind == "qwen2" else ""
    if head is None:
        head = not full.get("tie_word_embeddings", kind == "gemma3_text")
    return Case(f"{kind} {name}", config_of(kind, **more), tensors_of(kind, full, biases, head), refusal=refusal,
                shards=shards)


def changed(case, name, config=None, tensors=None, refusal=""):
    """The same model told wrongly: what `case` gives is still right."""
    other = Case(f"{case.name.split()[0]} {name}", copy.deepcopy(case.config), dict(case.tensors), truth=case,
                 refusal=refusal)
    for key, value in (config or {}).items():
        if value == "absent":
            other.config.pop(key, None)
        else:
            other.config[key] = value
    for key, value in (tensors or {}).items():
        if value is None:
            del other.tensors[key]
        else:
            other.tensors[key] = value
    return other


def write(case, folder, tokenizer_json):
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(case.config, indent=1))
    (folder / "tokenizer.json").write_text(tokenizer_json)
    for name, text in case.files.items():
        (folder / name).write_text(text)
    names = sorted(case.tensors)
    if case.shards == 1:
        save_file({name: case.tensors[name].contiguous().clone() for name in names}, folder / "model.safetensors",
                  metadata={"format": "pt"})
        return
    index = {"metadata": {}, "weight_map": {}}
    for shard in range(case.shards):
        file = f"model-{shard + 1:05}-of-{case.shards:05}.safetensors"
        own = names[shard::case.shards]
        save_file({name: case.tensors[name].contiguous().clone() for name in own}, folder / file,
                  metadata={"format": "pt"})
        index["weight_map"] |= {name: file for name in own}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
