"""What the gguf package says of a GGUF file: its tensors by Hugging Face name, dequantised, and the Llama that they make."""

import gguf
import numpy
import torch
from transformers import LlamaConfig, LlamaForCausalLM


def field(reader, name, default=None):
    found = reader.get_field(name)
    return default if found is None else found.contents()


def straight(rows, heads):
    """Rows of q and k back in the order of Hugging Face: GGUF's Llama interleaves the two halves of each head."""
    out = rows.shape[0]
    return rows.reshape(heads, out // heads // 2, 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def interleaved(rows, heads):
    out = rows.shape[0]
    return rows.reshape(heads, 2, out // heads // 2, *rows.shape[1:]).swapaxes(1, 2).reshape(rows.shape)


def tensors_of(path):
    """{Hugging Face name: f32 array} of a Llama's GGUF."""
    reader = gguf.GGUFReader(path)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, field(reader, "llama.block_count"))
    theirs = {}                                        # GGUF's name by Hugging Face's
    layers = field(reader, "llama.block_count")
    parts = ["input_layernorm", "post_attention_layernorm", "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj",
             "self_attn.o_proj", "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"]
    wanted = ["model.embed_tokens", "model.norm", "lm_head"] + [f"model.layers.{i}.{part}" for i in range(layers) for part in parts]
    for name in wanted:
        theirs[names.get_name(name) + ".weight"] = name + ".weight"
    heads = {"self_attn.q_proj": field(reader, "llama.attention.head_count"),
             "self_attn.k_proj": field(reader, "llama.attention.head_count_kv")}
    found = {}
    for tensor in reader.tensors:
        if tensor.name not in theirs:
            continue
        name = theirs[tensor.name]
        shape = [int(n) for n in reversed(tensor.shape)]
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(numpy.float32).reshape(shape)
        for part, count in heads.items():
            if part in name:
                values = straight(values, count)
        found[name] = values
    return reader, found


def llama_of(path):
    reader, tensors = tensors_of(path)
    get = lambda name, default=None: field(reader, f"llama.{name}", default)          # noqa: E731
    config = LlamaConfig(
        vocab_size=len(tensors["model.embed_tokens.weight"]), hidden_size=get("embedding_length"),
        intermediate_size=get("feed_forward_length"), num_hidden_layers=get("block_count"),
        num_attention_heads=get("attention.head_count"), num_key_value_heads=get("attention.head_count_kv"),
        max_position_embeddings=get("context_length"), rms_norm_eps=get("attention.layer_norm_rms_epsilon"),
        rope_theta=get("rope.freq_base", 10000.0),
        tie_word_embeddings="lm_head.weight" not in tensors)
    model = LlamaForCausalLM(config)
    missing, unexpected = model.load_state_dict({name: torch.from_numpy(values) for name, values in tensors.items()}, strict=False)
    if unexpected or [name for name in missing if name != "lm_head.weight"]:
        raise ValueError(f"{path}: {missing} missing, {unexpected} left over")
    model.tie_weights()
    model.eval()
    return model
