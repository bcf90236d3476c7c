"""Rope settings: every kind in every form in which config.json may give it."""
from .models import CONTEXT, case_of, changed

ONE_ROPE = ("llama", "mistral", "qwen2", "qwen3")
LINEAR = {"rope_type": "linear", "factor": 2.5}
LLAMA3 = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
          "original_max_position_embeddings": 32}
YARN = {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}
KINDS = {
    "default": {"rope_type": "default"},
    "linear": LINEAR,
    "llama3": LLAMA3,
    "yarn": YARN,
    "yarn factor": YARN | {"attention_factor": 1.25},
    "yarn mscale": YARN | {"mscale": 1.5, "mscale_all_dim": 0.5},
    "yarn mscale alone": YARN | {"mscale": 1.5},
    "yarn betas": YARN | {"beta_fast": 4.0, "beta_slow": 0.5},
    "yarn untruncated": YARN | {"beta_fast": 4.0, "beta_slow": 0.5, "truncate": False},
    "yarn of the context": {"rope_type": "yarn", "factor": 4.0},
    "llama3 of the context": {k: v for k, v in LLAMA3.items() if k != "original_max_position_embeddings"},
}
UNKNOWN = {
    "dynamic": {"rope_type": "dynamic", "factor": 4.0},
    "longrope": {"rope_type": "longrope", "factor": 4.0, "short_factor": [1.0] * 4, "long_factor": [2.0] * 4,
                 "original_max_position_embeddings": 32},
    "su": {"type": "su", "factor": 4.0},
    "proportional": {"rope_type": "proportional", "rope_theta": 10000.0},
    "ntk": {"type": "ntk", "factor": 4.0},
}


def old_name(settings):
    return {"type" if key == "rope_type" else key: value for key, value in settings.items()}


def forms(settings, theta):
    """config.json's keys for one rope, in each form."""
    yield "as 4", {"rope_theta": theta, "rope_scaling": settings}
    yield "as old 4", {"rope_theta": theta, "rope_scaling": old_name(settings)}
    yield "as 5", {"rope_theta": "absent", "rope_parameters": settings | {"rope_theta": theta}}
    yield "as 5, base outside", {"rope_theta": theta, "rope_parameters": settings}
    yield "as 5 beside null", {"rope_theta": theta, "rope_parameters": settings | {"rope_theta": theta},
                               "rope_scaling": None}
    yield "as both", {"rope_theta": theta, "rope_scaling": settings,
                      "rope_parameters": {"rope_type": "default", "rope_theta": theta}}


def one_rope(kind):
    for number, (name, settings) in enumerate(KINDS.items()):
        for place, (form, keys) in enumerate(forms(settings, 10000.0 if number % 2 else 500000.0)):
            # All forms of the three common kinds, the others in two forms each.
            if number < 4 or place == number % 6 or place == (number + 3) % 6:
                yield case_of(kind, f"{name} {form}", **keys)
    for place, (name, settings) in enumerate(UNKNOWN.items()):
        form, keys = list(forms(settings, 10000.0))[place % 6]
        yield case_of(kind, f"{name} {form}", refusal=name, **keys)
    plain = case_of(kind, "plain")
    scaled = case_of(kind, "linear", rope_scaling=LINEAR)
    for name, keys in {"null": {"rope_scaling": None}, "empty": {"rope_scaling": {}},
                       "empty as 5": {"rope_parameters": {}}, "default with a factor":
                       {"rope_scaling": {"rope_type": "default", "factor": 4.0}}}.items():
        yield changed(plain, f"rope {name}", keys)
    yield case_of(kind, "no base", rope_theta="absent")
    yield case_of(kind, "original context outside", original_max_position_embeddings=64, rope_scaling=YARN)
    # transformers leaves the base of rope_parameters, which the model was trained with, behind.
    based = case_of(kind, "based", rope_theta=500000.0, rope_scaling=LINEAR)
    yield changed(based, "base only as 5", {"rope_theta": "absent", "rope_parameters":
                                            {"rope_type": "default", "rope_theta": 500000.0}})
    for name, settings in {"no factor": {"rope_type": "linear"}, "no kind": {"factor": 4.0}, "a word": "linear",
                           "a half": LLAMA3 | {"low_freq_factor": None}}.items():
        yield changed(scaled, f"rope with {name}", {"rope_scaling": settings},
                      refusal="factor" if name != "a word" else "rope_scaling")
    yield case_of(kind, "half rotated", partial_rotary_factor=0.5, refusal="partial_rotary_factor")


def two_ropes(kind="gemma3_text"):
    local = {"rope_type": "default", "rope_theta": 5000.0}
    for name in ("default", "linear", "yarn", "llama3"):
        settings = KINDS[name]
        old = case_of(kind, f"{name} as 4", rope_scaling=settings)
        yield old
        # transformers 5 leaves out what has the older name here.
        yield changed(old, f"{name} as old 4", {"rope_scaling": old_name(settings)})
        new = {"full_attention": settings | {"rope_theta": 200000.0}, "sliding_attention": local}
        yield case_of(kind, f"{name} as 5", rope_theta="absent", rope_local_base_freq="absent", rope_parameters=new)
        yield case_of(kind, f"{name} as 5, one null", rope_parameters=new | {"sliding_attention": None})
        # The scaling by hand is for layers that see everything.
        yield case_of(kind, f"{name} as both", rope_scaling=settings, rope_parameters={
            "full_attention": {"rope_type": "default", "rope_theta": 200000.0}, "sliding_attention": local})
    for name, settings in UNKNOWN.items():
        yield case_of(kind, f"{name} as 4", rope_scaling=settings, refusal=name)
    yield case_of(kind, "no bases", rope_theta="absent", rope_local_base_freq="absent")
    yield case_of(kind, "one object for both", rope_parameters={"rope_type": "default", "rope_theta": 5000.0},
                  refusal="rope_parameters")


def cases():
    for kind in ONE_ROPE:
        yield from one_rope(kind)
    yield from two_ropes()
    assert CONTEXT > 32  # so that every stretched context is one
