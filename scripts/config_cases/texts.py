"""Tokenizer folders and texts: every pair must give the ids that the reference gives."""
import json

from tokenizers import (AddedToken, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors,
                        trainers)

SPECIAL = ["<s>", "</s>", "<pad>", "<|im_start|>", "<|im_end|>"]
TRAINING = ["The river was high that spring, and nobody crossed it before the bells rang in the town.",
            "It's 1234 o'clock; don't wait! Naïve cafés, Привет мир, 日本語, 👍🏽.", "def f(x):\n    return x + 1\n"] * 20

TEXTS = {
    "plain": "The river was high that spring, and nobody crossed it.",
    "empty": "",
    "blanks": "  two  blanks,\ttab\n\n\nlines \n end ",
    "carriage returns": "one\r\ntwo\rthree\r\n\r\n",
    "unicode": "Naïve cafe\u0301, Привет, 日本語テキスト, 👩‍👩‍👧‍👦 🇩🇪 ﬁ ½\u00a0\u200b\u3000x",
    "numbers": "1 12 123 1234 12345 3.14e-10 0xFF 2026-11-27",
    "special tokens": "<s>Hi<|im_start|>user\nWhy?<|im_end|></s> <pad>x <s >",
    "special tokens side by side": " <|im_end|><|im_end|>  <|im_start|> \n</s>",
    "contractions": "it's IT'S we'll I'M you'd don't 'twas",
    "code": "def f(x):\n    return {\"k\": [1, 22]}  # x\n\n\n",
    "zero and control": "a\x01b\x7fc\x0bd\x0ce",
    "one letter": "x",
}


def byte_level(vocabulary=320, prefix=False):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=prefix)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(vocab_size=vocabulary, special_tokens=SPECIAL, show_progress=False,
                                  initial_alphabet=pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(TRAINING, trainer)
    return tokenizer


def fallback():
    """Blanks as ▁ and bytes for what is not in the vocabulary, as Llama 2."""
    tokenizer = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    trainer = trainers.BpeTrainer(vocab_size=600, show_progress=False, limit_alphabet=60,
                                  special_tokens=["<unk>"] + SPECIAL + [f"<0x{byte:02X}>" for byte in range(256)])
    tokenizer.train_from_iterator(TRAINING, trainer)
    return tokenizer


def split_numbers():
    """A pattern of its own for words, then bytes, as Llama 3 and Qwen."""
    tokenizer = byte_level(400)
    pattern = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
               r"\s*[\r\n]+|\s+(?!\S)|\s+")
    from tokenizers import Regex
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False,
                                                                                   use_regex=False)])
    tokenizer.normalizer = normalizers.NFC()
    return tokenizer


def metaspace():
    tokenizer = fallback()
    tokenizer.normalizer = None
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=False)
    return tokenizer


def with_template(tokenizer, single):
    tokenizer.post_processor = processors.TemplateProcessing(
        single=single, pair=f"{single} $B", special_tokens=[(name, tokenizer.token_to_id(name)) for name in SPECIAL])
    return tokenizer


def with_added(tokenizer, **flags):
    tokenizer.add_tokens([AddedToken("<tool>", **flags), AddedToken("river", **flags)])
    return tokenizer


def tokenizers():
    yield "bytes", byte_level()
    yield "bytes, blank in front", byte_level(prefix=True)
    yield "bytes, bos", with_template(byte_level(), "<s> $A")
    yield "bytes, bos and eos", with_template(byte_level(), "<s> $A </s>")
    yield "patterns", split_numbers()
    yield "fallback", fallback()
    yield "fallback, bos", with_template(fallback(), "<s> $A")
    yield "metaspace", metaspace()
    yield "added", with_added(byte_level())
    yield "added, stripped", with_added(byte_level(), lstrip=True, rstrip=True)
    yield "added, whole words", with_added(byte_level(), single_word=True)
    yield "added, as they are", with_added(fallback(), normalized=False)


# tokenizer_config.json beside the first: names of special tokens in their forms, flags, added tokens.
CONFIGS = {
    "names": {"bos_token": "<s>", "eos_token": "</s>", "pad_token": "<pad>"},
    "objects": {"bos_token": {"__type": "AddedToken", "content": "<s>", "lstrip": False, "rstrip": False,
                              "normalized": False, "single_word": False}, "eos_token": "</s>"},
    "null": {"bos_token": None, "eos_token": "</s>"},
    "extra": {"eos_token": "</s>", "additional_special_tokens": ["<|im_start|>", "<|im_end|>"]},
    "a flag": {"bos_token": "<s>", "eos_token": "</s>", "add_bos_token": False},
}


def tokenizer_json(tokenizer):
    return json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False)
