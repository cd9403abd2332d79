"""Model folders with random weights in the shapes of known models, with nothing but Python's own library.

What a step costs does not depend on what the weights are: every value is of the size that initialisation would give it. make()
also writes FOLDER/lora, a PEFT adapter at its start: random A, B of zeros.
"""

import json
import os
import random
import shutil
import struct
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
LLAMA = {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu", "vocab_size": 49152,
         "max_position_embeddings": 2048, "rms_norm_eps": 1e-5, "rope_theta": 100000.0, "tie_word_embeddings": True,
         "bos_token_id": 1, "eos_token_id": 2, "attention_bias": False, "mlp_bias": False, "torch_dtype": "bfloat16"}
SHAPES = {
    "135M": {**LLAMA, "hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
             "num_key_value_heads": 3},
    "360M": {**LLAMA, "hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 15,
             "num_key_value_heads": 5},
    "gpt2": {"architectures": ["GPT2LMHeadModel"], "model_type": "gpt2", "n_embd": 768, "n_layer": 12, "n_head": 12,
             "n_positions": 1024, "n_inner": None, "vocab_size": 50257, "activation_function": "gelu_new",
             "layer_norm_epsilon": 1e-5, "bos_token_id": 1, "eos_token_id": 2, "torch_dtype": "bfloat16"},
}
LLAMA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
GPT2_TARGETS = ["attn.c_attn", "attn.c_proj"]
SIGNED = bytes(0x3C if byte < 128 else 0xBC for byte in range(256))       # magnitudes from 2^-7 to 2^-5


def random_values(chance, count, width):
    """`count` floats of `width` bytes (2: bf16, 4: f32), about as large as initialisation makes them."""
    raw = bytearray(chance.randbytes(count * width))
    raw[width - 1::width] = raw[width - 1::width].translate(SIGNED)
    return bytes(raw)


def linears(config):
    """(path within a layer, in, out, has a bias) in the layers' order."""
    if config["model_type"] == "gpt2":
        c = config["n_embd"]
        return [("attn.c_attn", c, 3 * c, True), ("attn.c_proj", c, c, True), ("mlp.c_fc", c, 4 * c, True), ("mlp.c_proj", 4 * c, c, True)]
    c, f = config["hidden_size"], config["intermediate_size"]
    kv = c // config["num_attention_heads"] * config["num_key_value_heads"]
    return [("self_attn.q_proj", c, c, False), ("self_attn.k_proj", c, kv, False), ("self_attn.v_proj", c, kv, False),
            ("self_attn.o_proj", c, c, False), ("mlp.gate_proj", c, f, False), ("mlp.up_proj", c, f, False),
            ("mlp.down_proj", f, c, False)]


def tensor_shapes(config):
    """{name: shape}; norms' weights are ones, biases zeros."""
    shapes = {}
    if config["model_type"] == "gpt2":
        c = config["n_embd"]
        shapes["transformer.wte.weight"], shapes["transformer.wpe.weight"] = (config["vocab_size"], c), (config["n_positions"], c)
        for layer in range(config["n_layer"]):
            at = f"transformer.h.{layer}."
            for path, rows, columns, _ in linears(config):                # stored [in, out]
                shapes[f"{at}{path}.weight"], shapes[f"{at}{path}.bias"] = (rows, columns), (columns,)
            for norm in ("ln_1", "ln_2"):
                shapes[f"{at}{norm}.weight"], shapes[f"{at}{norm}.bias"] = (c,), (c,)
        shapes["transformer.ln_f.weight"], shapes["transformer.ln_f.bias"] = (c,), (c,)
        return shapes
    c = config["hidden_size"]
    shapes["model.embed_tokens.weight"] = (config["vocab_size"], c)
    for layer in range(config["num_hidden_layers"]):
        at = f"model.layers.{layer}."
        for path, rows, columns, _ in linears(config):
            shapes[f"{at}{path}.weight"] = (columns, rows)
        shapes[f"{at}input_layernorm.weight"] = shapes[f"{at}post_attention_layernorm.weight"] = (c,)
    shapes["model.norm.weight"] = (c,)
    return shapes


def write_safetensors(path, tensors, kind, width):
    """`tensors`: (name, shape, function that makes its bytes), written one by one."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape, _ in tensors:
        size = width
        for length in shape:
            size *= length
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, values in tensors:
            file.write(values())


def write_model(folder, config, chance):
    tensors = []
    for name, shape in tensor_shapes(config).items():
        count = shape[0] * (shape[1] if len(shape) == 2 else 1)
        if len(shape) == 2:
            make = lambda count=count: random_values(chance, count, 2)                                  # noqa: E731
        else:
            make = lambda count=count, one=name.endswith("weight"): (b"\x80\x3f" if one else b"\0\0") * count   # noqa: E731
        tensors.append((name, shape, make))
    write_safetensors(os.path.join(folder, "model.safetensors"), tensors, "BF16", 2)


def write_adapter(folder, config, chance, rank=8):
    gpt2 = config["model_type"] == "gpt2"
    targets = GPT2_TARGETS if gpt2 else LLAMA_TARGETS
    tensors = []
    for layer in range(config["n_layer" if gpt2 else "num_hidden_layers"]):
        at = "base_model.model." + (f"transformer.h.{layer}." if gpt2 else f"model.layers.{layer}.")
        for path, rows, columns, _ in linears(config):
            if not any(path == target or path.endswith("." + target) for target in targets):
                continue
            tensors.append((f"{at}{path}.lora_A.weight", (rank, rows), lambda count=rank * rows: random_values(chance, count, 4)))
            tensors.append((f"{at}{path}.lora_B.weight", (columns, rank), lambda count=rank * columns: bytes(4 * count)))
    os.makedirs(folder, exist_ok=True)
    write_safetensors(os.path.join(folder, "adapter_model.safetensors"), tensors, "F32", 4)
    with open(os.path.join(folder, "adapter_config.json"), "w", encoding="utf-8") as file:
        json.dump({"peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": None, "r": rank, "lora_alpha": 16,
                   "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": gpt2, "inference_mode": True,
                   "target_modules": targets}, file)


def write(folder, shape):
    config, chance = SHAPES[shape], random.Random(shape)
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(config, file, indent=1)
    write_model(folder, config, chance)
    write_adapter(os.path.join(folder, "lora"), config, chance)
    shutil.copy(os.path.join(ROOT, "models", "edge-slm", "tokenizer.json"), os.path.join(folder, "tokenizer.json"))


def make(folder, shape):
    """Writes the folder once, in a process of its own; returns its name. A process that held a model passes its peak memory on to
    what it starts, and a bench reads that peak."""
    if not os.path.exists(os.path.join(folder, "tokenizer.json")):
        subprocess.run([sys.executable, os.path.abspath(__file__), folder, shape], check=True)
    return folder


if __name__ == "__main__":
    write(sys.argv[1], sys.argv[2])
