"""Flags and numbers of config.json that tensors contradict, windows, names, types."""
import torch

from .models import ARCHITECTURES, NORMED_HEADS, case_of, changed, random_tensor

WRAPPINGS = [("", ""), ("module.model.", "module."), ("_orig_mod.model.", "_orig_mod."),
             ("language_model.model.", "language_model."), ("model.language_model.", ""),
             ("base_model.model.model.", "base_model.model.")]
LAYERS = 3


def heads(kind):
    apart = case_of(kind, "own head", tie_word_embeddings=False)
    tied = case_of(kind, "tied", tie_word_embeddings=True)
    embedding = tied.tensors["model.embed_tokens.weight"]
    yield apart
    yield tied
    yield changed(apart, "tied flag, own head", {"tie_word_embeddings": True})
    yield changed(tied, "tied flag, copied head", tensors={"lm_head.weight": embedding})
    yield changed(tied, "tied flag, head only",
                  tensors={"lm_head.weight": embedding, "model.embed_tokens.weight": None})
    yield changed(tied, "free flag, no head", {"tie_word_embeddings": False})
    if kind != "gemma3_text":
        yield changed(apart, "no flag, own head", {"tie_word_embeddings": "absent"})
    yield changed(tied, "no flag, no head", {"tie_word_embeddings": "absent"})


def biases(kind):
    has_flag = kind in ("llama", "qwen3", "gemma3_text")
    plain = case_of(kind, "no biases", biases="")
    if has_flag:
        full = case_of(kind, "biases", biases="qkvo", attention_bias=True)
        yield full
        yield changed(full, "biases, flag off", {"attention_bias": False})
        yield changed(full, "biases, no flag", {"attention_bias": "absent"})
        yield changed(case_of(kind, "qkv", biases="qkv", attention_bias=True), "biases but on o")
        yield changed(plain, "no biases, flag on", {"attention_bias": True})
    if kind == "llama":
        mlp = case_of(kind, "mlp biases", biases="gud", mlp_bias=True)
        yield mlp
        yield changed(mlp, "mlp biases, flag off", {"mlp_bias": False})
        yield changed(plain, "no mlp biases, flag on", {"mlp_bias": True})
    if kind == "qwen2":
        yield changed(plain, "no biases")
    if kind == "mistral":  # the class has none, its tensors may: those of Llama
        llama = case_of("llama", "biases", biases="qkvo", attention_bias=True)
        yield changed(llama, "biases of a mistral", {"architectures": ["MistralForCausalLM"], "model_type": "mistral",
                                                     "sliding_window": None})
    some = case_of(kind, "biases", biases="qkv", attention_bias=has_flag)
    yield changed(some, "a bias that one layer lacks", tensors={"model.layers.1.self_attn.k_proj.bias": None},
                  refusal="k_proj.bias")


def numbers(kind):
    plain = case_of(kind, "plain")
    wide = case_of(kind, "wide heads", head_dim=16)
    yield wide
    for value in (8, 12, "absent"):
        yield changed(wide, f"head_dim {value}", {"head_dim": value})
    yield changed(plain, "head_dim absent", {"head_dim": "absent"})
    for value in (4, 1, "absent"):
        yield changed(plain, f"kv heads {value}", {"num_key_value_heads": value})
    for value in (40, 64):
        yield changed(plain, f"mlp {value}", {"intermediate_size": value})
    for value in (300, 512):
        yield changed(plain, f"vocabulary {value}", {"vocab_size": value})
    if kind in NORMED_HEADS:
        yield changed(plain, "heads 2", {"num_attention_heads": 2})
    padded = case_of(kind, "padded", vocab_size=384)
    yield padded
    yield changed(padded, "padded, vocabulary 320", {"vocab_size": 320})
    fewer = changed(plain, "fewer layers", {"num_hidden_layers": 2})
    fewer.truth = None  # both leave the rest alone
    yield fewer
    generator = torch.Generator().manual_seed(5)
    yield changed(plain, "more layers", {"num_hidden_layers": 4}, refusal="layers.3")
    yield changed(plain, "a head of another vocabulary", {"tie_word_embeddings": False},
                  tensors={"lm_head.weight": random_tensor(generator, 384, 32)}, refusal="384")
    yield changed(plain, "another hidden size", {"hidden_size": 40}, refusal="embed_tokens")
    yield changed(plain, "tensors of others", tensors={
        "model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4), "vision.weight": torch.ones(4, 4)})
    yield changed(plain, "an adapter", tensors={"model.layers.0.mlp.up_proj.lora_A.weight": torch.ones(4, 32)},
                  refusal="adapter")


def windows(kind):
    mixed = ["sliding_attention", "full_attention", "sliding_attention"]
    full = ["full_attention"] * LAYERS
    if kind == "llama":
        yield case_of(kind, "a window nobody reads", sliding_window=16)
        yield case_of(kind, "full types", layer_types=full, sliding_window=16)
        yield case_of(kind, "types", layer_types=mixed, sliding_window=16, refusal="layer_types")
    elif kind == "mistral":
        yield case_of(kind, "window", sliding_window=16)
        yield case_of(kind, "window absent", sliding_window="absent")
        yield case_of(kind, "types", sliding_window=16, layer_types=mixed)
        yield case_of(kind, "full types", sliding_window=16, layer_types=full)
        yield case_of(kind, "null types", sliding_window=16, layer_types=None)
        yield case_of(kind, "types without a window", sliding_window=None, layer_types=mixed, refusal="sliding_window")
    elif kind in ("qwen2", "qwen3"):
        yield case_of(kind, "window unused", sliding_window=16)
        yield case_of(kind, "late window", sliding_window=16, use_sliding_window=True, max_window_layers=1)
        yield case_of(kind, "all windows", sliding_window=16, use_sliding_window=True, max_window_layers=0)
        yield case_of(kind, "null window", sliding_window=None, use_sliding_window=True, max_window_layers=0)
        yield case_of(kind, "types", sliding_window=16, use_sliding_window=True, layer_types=mixed)
        yield case_of(kind, "full types, window on", sliding_window=16, use_sliding_window=True, layer_types=full)
        yield case_of(kind, "types, window off", sliding_window=16, layer_types=mixed, refusal="use_sliding_window")
        yield case_of(kind, "types without a window", sliding_window=None, use_sliding_window=True,
                      layer_types=mixed, refusal="sliding_window")
    else:
        yield case_of(kind, "pattern 2", sliding_window_pattern=2)
        yield case_of(kind, "no pattern", sliding_window_pattern="absent", num_hidden_layers=7)
        yield case_of(kind, "types", layer_types=mixed)
        yield case_of(kind, "full types", layer_types=full)
        yield case_of(kind, "null window", sliding_window=None, refusal="sliding_window")
        yield case_of(kind, "soft caps", attn_logit_softcapping=30.0, refusal="softcapping")
    yield case_of(kind, "types of too few layers", layer_types=full[1:], sliding_window=16, refusal="layer_types")
    yield case_of(kind, "a type of its own", layer_types=full[1:] + ["chunked_attention"], refusal="layer_types")


def activations(kind):
    key = "hidden_activation" if kind == "gemma3_text" else "hidden_act"
    for value, refusal in {"silu": "", "swish": "", "gelu_pytorch_tanh": "", "gelu_new": "", "gelu": "gelu",
                           "relu": "relu"}.items():
        yield case_of(kind, f"activation {value}", refusal=refusal, **{key: value})


def names(kind):
    for tied in (False, True):
        plain = case_of(kind, "plain", tie_word_embeddings=tied)
        for body, outer in WRAPPINGS:
            other = changed(plain, f"names in {body or 'nothing'}{', tied' if tied else ''}")
            other.tensors = {body + name[6:] if name.startswith("model.") else outer + name: tensor
                             for name, tensor in plain.tensors.items()}
            other.shards = 2 if tied else 1
            yield other


def types(kind):
    mixes = {"F32": [torch.float32], "F16": [torch.float16], "BF16": [torch.bfloat16],
             "mixed": [torch.bfloat16, torch.float32, torch.float16]}
    for name, mix in mixes.items():
        for shards in (1, 3):
            case = case_of(kind, f"{name} in {shards}", shards=shards)
            case.tensors = {key: tensor.to(mix[place % len(mix)])
                            for place, (key, tensor) in enumerate(sorted(case.tensors.items()))}
            yield case


def cases():
    for kind in ARCHITECTURES:
        for group in (heads, biases, numbers, windows, activations, types):
            yield from group(kind)
    for kind in ("llama", "gemma3_text"):
        yield from names(kind)
