#!/usr/bin/env python3
"""Writes some models of tests/trainer/golden as GGUF, the way llama.cpp's converter does: names from
the gguf package's table, vectors as F32, q and k of a llama reordered, GPT-2's projections turned.
python3 make_models.py"""

import json
import pathlib

import gguf
import numpy as np
import torch
from safetensors.torch import load_file

HERE = pathlib.Path(__file__).parent
MODELS = HERE.parent.parent.parent / "trainer" / "golden"
ARCHITECTURES = {"llama": gguf.MODEL_ARCH.LLAMA, "qwen3": gguf.MODEL_ARCH.QWEN3,
                 "gpt2": gguf.MODEL_ARCH.GPT2}
TYPES = {torch.float32: gguf.GGMLQuantizationType.F32, torch.float16: gguf.GGMLQuantizationType.F16,
         torch.bfloat16: gguf.GGMLQuantizationType.BF16}


def add_config(writer, config):
    gpt2 = config["model_type"] == "gpt2"
    heads = config["n_head" if gpt2 else "num_attention_heads"]
    hidden = config["n_embd" if gpt2 else "hidden_size"]
    writer.add_name("golden")
    writer.add_block_count(config["n_layer" if gpt2 else "num_hidden_layers"])
    writer.add_context_length(config["n_positions" if gpt2 else "max_position_embeddings"])
    writer.add_embedding_length(hidden)
    writer.add_feed_forward_length(config["n_inner" if gpt2 else "intermediate_size"])
    writer.add_head_count(heads)
    if gpt2:
        return writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    head = config.get("head_dim", hidden // heads)
    rope = config["rope_parameters"]
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(head)
    writer.add_value_length(head)
    writer.add_rope_dimension_count(head)
    writer.add_rope_freq_base(rope["rope_theta"])
    writer.add_vocab_size(config["vocab_size"])
    if rope["rope_type"] == "linear":
        writer.add_rope_scaling_type(gguf.RopeScalingType.LINEAR)
        writer.add_rope_scaling_factor(rope["factor"])
    if rope["rope_type"] == "llama3":
        writer.add_tensor("rope_freqs.weight", llama3_divisors(rope, head))


def llama3_divisors(rope, head):
    result = []
    for i in range(0, head, 2):
        wave = 2 * np.pi * rope["rope_theta"] ** (i / head)
        low = rope["original_max_position_embeddings"] / rope["low_freq_factor"]
        high = rope["original_max_position_embeddings"] / rope["high_freq_factor"]
        if wave < high:
            result.append(1)
        elif wave > low:
            result.append(rope["factor"])
        else:
            smooth = (rope["original_max_position_embeddings"] / wave - rope["low_freq_factor"]) / (
                rope["high_freq_factor"] - rope["low_freq_factor"])
            result.append(1 / ((1 - smooth) / rope["factor"] + smooth))
    return np.array(result, dtype=np.float32)


def add_tokenizer(writer, tokenizer, config):
    model = tokenizer["model"]
    vocabulary = {id: text for text, id in model["vocab"].items()}
    special = {token["id"] for token in tokenizer["added_tokens"]}
    texts = [vocabulary.get(id, f"[PAD{id}]") for id in range(config["vocab_size"])]
    merges = [merge if isinstance(merge, str) else " ".join(merge) for merge in model["merges"]]
    kinds = [gguf.TokenType.CONTROL if id in special
             else gguf.TokenType.UNUSED if id not in vocabulary else gguf.TokenType.NORMAL
             for id in range(len(texts))]
    if model["byte_fallback"]:
        kinds = [gguf.TokenType.BYTE if text.startswith("<0x") else kind
                 for text, kind in zip(texts, kinds)]
        best = {}
        for rank, merge in enumerate(merges):
            best.setdefault(merge.replace(" ", ""), -float(rank))
        writer.add_tokenizer_model("llama")
        writer.add_token_scores([best.get(text, -1e6) for text in texts])
        kinds[0] = gguf.TokenType.UNKNOWN
        writer.add_unk_token_id(0)
    else:
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre("gpt-2")
        writer.add_token_merges(merges)
    writer.add_token_list(texts)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(config["bos_token_id"])
    writer.add_eos_token_id(config["eos_token_id"])
    writer.add_add_bos_token(tokenizer["post_processor"] is not None)
    writer.add_chat_template("{{ messages }}")


def interleaved(values, heads):
    rows = values.shape[0]
    return values.reshape(heads, 2, rows // heads // 2, *values.shape[1:]).swapaxes(1, 2).reshape(values.shape)


def add_tensors(writer, folder, config):
    layers = config.get("num_hidden_layers", config.get("n_layer"))
    names = gguf.get_tensor_name_map(ARCHITECTURES[config["model_type"]], layers)
    for path in sorted(folder.glob("*.safetensors")):
        if path.name == "gradients.safetensors":
            continue
        for name, values in load_file(path).items():
            place = names.get_name(name, try_suffixes=(".weight", ".bias"))
            if config["model_type"] == "llama" and ".q_proj." in name:
                values = interleaved(values, config["num_attention_heads"])
            if config["model_type"] == "llama" and ".k_proj." in name:
                values = interleaved(values, config["num_key_value_heads"])
            if config["model_type"] == "gpt2" and ".c_" in name and name.endswith(".weight"):
                values = values.T
            kind = TYPES[values.dtype]
            if values.ndim == 1:
                writer.add_tensor(place, values.float().numpy())
            elif kind == gguf.GGMLQuantizationType.BF16:
                raw = values.contiguous().view(torch.uint16).numpy().view(np.uint8)
                writer.add_tensor(place, raw, raw_dtype=kind)
            else:
                writer.add_tensor(place, np.ascontiguousarray(values.numpy()))


for name in ["gpt2", "llama-bias-linear", "llama3-tied-shards", "qwen3"]:
    folder = MODELS / name
    config = json.loads((folder / "config.json").read_text())
    writer = gguf.GGUFWriter(HERE / f"{name}.gguf", config["model_type"])
    add_config(writer, config)
    add_tokenizer(writer, json.loads((folder / "tokenizer.json").read_text()), config)
    add_tensors(writer, folder, config)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
