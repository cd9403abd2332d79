"""Random-weight models of every architecture that Freshet runs, small but with every option on, as Hugging Face folders.

A Spec says what a model is; `build` makes its weights, `tokenizer_of` its tokenizer, `save` its folder. The weights are scaled so
that each layer changes the stream by about its own size: logits are then spread out and the greedy choice is clear.
"""

import dataclasses
import copy
import json
import math
import os

import torch
import transformers
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

SAMPLE = ("When the water of the river rises in the spring, the people who live near it move their animals to higher ground. "
          "They've done this for 100 years; most of them know the signs.\n\tThe ice breaks, the wind turns to the south. "
          "Γειά σου Κόσμε, здравствуй, мир! 你好，世界 🌍🌱 naïve café e\u0301\r\n")
LLAMA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
GPT2_TARGETS = ["c_attn", "c_proj", "c_fc"]


@dataclasses.dataclass
class Spec:
    name: str
    config_class: str
    options: dict
    dtype: torch.dtype = torch.float32
    shard_bytes: int = 0               # 0: one file
    tokenizer: str = "bytes"           # "bytes": byte-level BPE; "sentencepiece": BPE with byte fallback

    @property
    def gpt2(self):
        return self.config_class == "GPT2Config"

    @property
    def targets(self):
        return GPT2_TARGETS if self.gpt2 else LLAMA_TARGETS


def rope(**entries):
    """Where this release of transformers keeps rope: "rope_parameters" (5) or "rope_theta" and "rope_scaling" (4)."""
    if "rope_parameters" in transformers.LlamaConfig().to_dict():
        return {"rope_parameters": entries}
    theta = entries.pop("rope_theta")
    return {"rope_theta": theta, "rope_scaling": entries if entries["rope_type"] != "default" else None}


def specs(hidden, layers, vocab, inter):
    """Sizes are the caller's: golden files want them tiny."""
    llama = {"hidden_size": hidden, "intermediate_size": inter, "num_hidden_layers": layers, "num_attention_heads": 4,
             "num_key_value_heads": 2, "vocab_size": vocab, "max_position_embeddings": 128, "rms_norm_eps": 1e-5,
             "bos_token_id": 1, "eos_token_id": 2}
    plain = rope(rope_type="default", rope_theta=10000.0)
    llama3 = rope(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                  original_max_position_embeddings=32)
    linear = rope(rope_type="linear", rope_theta=10000.0, factor=4.0)
    return [
        Spec("llama-bias-linear", "LlamaConfig",
             {**llama, **linear, "attention_bias": True, "mlp_bias": True, "head_dim": 6, "tie_word_embeddings": False},
             dtype=torch.float16, tokenizer="sentencepiece"),
        Spec("llama3-tied-shards", "LlamaConfig", {**llama, **llama3, "tie_word_embeddings": True},
             dtype=torch.bfloat16, shard_bytes=hidden * vocab),
        Spec("mistral-window", "MistralConfig",
             {**llama, **plain, "sliding_window": 8, "head_dim": 10, "tie_word_embeddings": False}, dtype=torch.float16),
        Spec("qwen2-window", "Qwen2Config",
             {**llama, **plain, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": layers // 2,
              "tie_word_embeddings": True}, dtype=torch.bfloat16),
        Spec("qwen3", "Qwen3Config",
             {**llama, **plain, "head_dim": 12, "attention_bias": True, "tie_word_embeddings": True}, dtype=torch.bfloat16),
        Spec("gpt2", "GPT2Config",
             {"n_embd": hidden, "n_layer": layers, "n_head": 4, "n_inner": inter, "n_positions": 64, "vocab_size": vocab,
              "bos_token_id": 1, "eos_token_id": 2}, dtype=torch.float32),
    ]


def more_specs(hidden, layers, vocab, inter):
    """What the golden files have no room for."""
    base = {"hidden_size": hidden, "intermediate_size": inter, "num_hidden_layers": layers, "num_attention_heads": 4,
            "num_key_value_heads": 2, "vocab_size": vocab, "max_position_embeddings": 128, "rms_norm_eps": 1e-6,
            "bos_token_id": 1, "eos_token_id": 2}
    plain = rope(rope_type="default", rope_theta=10000.0)
    return [
        Spec("llama-plain-f16", "LlamaConfig", {**base, **plain, "num_key_value_heads": 4, "tie_word_embeddings": False},
             dtype=torch.float16, tokenizer="sentencepiece"),
        Spec("llama-one-kv-head", "LlamaConfig", {**base, **plain, "num_key_value_heads": 1, "tie_word_embeddings": True}),
        Spec("mistral-full", "MistralConfig", {**base, **plain, "sliding_window": None, "tie_word_embeddings": True},
             dtype=torch.bfloat16),
        Spec("qwen2-plain-shards", "Qwen2Config", {**base, **plain, "tie_word_embeddings": False},
             shard_bytes=2 * hidden * vocab),
        Spec("qwen3-window-untied", "Qwen3Config",
             {**base, **plain, "head_dim": 32, "use_sliding_window": True, "sliding_window": 8, "max_window_layers": 1,
              "tie_word_embeddings": False}),
        Spec("gpt2-bf16-shards", "GPT2Config",
             {"n_embd": hidden, "n_layer": layers, "n_head": 2, "n_positions": 128, "vocab_size": vocab,
              "bos_token_id": 1, "eos_token_id": 2}, dtype=torch.bfloat16, shard_bytes=hidden * vocab),
    ]


def build(spec, seed):
    """The model in f32 with values that its file's type holds exactly."""
    torch.manual_seed(seed)
    config = getattr(transformers, spec.config_class)(**spec.options)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    model.eval()
    model.generation_config.eos_token_id = None
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() == 1:
                weight.normal_(1.0 if name.endswith("norm.weight") or ".ln_" in name and name.endswith("weight") else 0.0, 0.2)
            elif "embed_tokens" in name or "wte" in name or "wpe" in name or "lm_head" in name:
                weight.normal_(0.0, 2.0 / math.sqrt(weight.shape[1]))
            else:
                conv1d = spec.gpt2                                  # stored [in, out]
                weight.normal_(0.0, 1.5 / math.sqrt(weight.shape[0 if conv1d else 1]))
            weight.copy_(weight.to(spec.dtype).float())
    return model


def tokenizer_of(spec, vocab):
    if spec.tokenizer == "bytes":
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(vocab_size=vocab, special_tokens=["<unk>", "<s>", "</s>"], show_progress=False,
                                      initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()))
        tokenizer.train_from_iterator([SAMPLE], trainer)
        return tokenizer
    pieces = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    letters = ["▁", "e", "t", "a", "o", "h", "i", "n", "r", "s", "d", "l", "w"]
    merges = [("t", "h"), ("th", "e"), ("▁", "the"), ("e", "r"), ("i", "n"), ("▁", "w"), ("▁w", "a"), ("r", "i")]
    room = vocab - len(pieces) - len(letters)
    merges = merges[:max(0, room)]
    ids = {piece: index for index, piece in enumerate(pieces + letters + ["".join(pair) for pair in merges])}
    tokenizer = Tokenizer(models.BPE(vocab=ids, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.add_special_tokens(["<unk>", "<s>", "</s>"])
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                           decoders.Strip(" ", 1, 0)])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer


def save(spec, model, folder, vocab, bos=False):
    """Writes config, weights in the Spec's type and tokenizer, as save_pretrained does; with `bos` every text begins with BOS."""
    os.makedirs(folder, exist_ok=True)
    shards = {"max_shard_size": spec.shard_bytes} if spec.shard_bytes else {}
    # A copy: the rotary frequencies of a model that was rounded once stay rounded.
    copy.deepcopy(model).to(spec.dtype).save_pretrained(folder, **shards)
    tokenizer = tokenizer_of(spec, vocab)
    if bos:
        tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    tokenizer.save(os.path.join(folder, "tokenizer.json"))
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as file:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>",
                   "add_bos_token": bos or spec.tokenizer == "sentencepiece"}, file)


def logits_of(model, ids):
    with torch.no_grad():
        return model(input_ids=torch.tensor([ids]), use_cache=False).logits[0].float()             # [T, V]


def greedy(model, prompt, count):
    """The ids, and the smallest distance of a chosen logit from the second, of the largest |logit|. No cache: the plain definition."""
    ids, margin = list(prompt), math.inf
    for _ in range(count):
        last = logits_of(model, ids)[-1]                                                            # [V]
        top = last.topk(2)
        margin = min(margin, float((top.values[0] - top.values[1]) / last.abs().max()))
        ids.append(int(top.indices[0]))
    return ids[len(prompt):], margin


def clear_model(spec, prompt, count, margin_min=2e-3):
    """The first seed whose greedy ids are clear choices and no endless repetition."""
    for seed in range(1, 200):
        model = build(spec, seed)
        ids, margin = greedy(model, prompt, count)
        if margin >= margin_min and len(set(ids)) >= count // 2:
            return model, ids
    raise SystemExit(f"{spec.name}: no seed below 200 gives clear greedy choices")


def with_adapter(spec, model, seed, **options):
    """The model wrapped by peft with a random adapter whose B is not zero, so that every gradient says something."""
    from peft import LoraConfig, get_peft_model
    torch.manual_seed(seed)
    options = {"r": 2, "lora_alpha": 4, "target_modules": spec.targets, **options}
    config = LoraConfig(lora_dropout=0.0, task_type="CAUSAL_LM", fan_in_fan_out=spec.gpt2, **options)
    wrapped = get_peft_model(model, config)
    wrapped.eval()
    with torch.no_grad():
        for name, weight in wrapped.named_parameters():
            if "lora_" in name:
                weight.normal_(0.0, 0.3 / math.sqrt(weight.shape[1]))
    return wrapped


def adapter_loss(wrapped, ids):
    """Mean loss of predicting ids[1:], and its gradients by PEFT's file names."""
    wrapped.zero_grad()
    logits = wrapped(input_ids=torch.tensor([ids[:-1]]), use_cache=False).logits[0].float()         # [T-1, V]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(ids[1:]))
    loss.backward()
    gradients = {name.replace(".default", ""): weight.grad.clone() for name, weight in wrapped.named_parameters()
                 if weight.requires_grad}
    return loss.item(), gradients
