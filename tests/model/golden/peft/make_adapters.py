"""Small models with LoRA adapters as transformers and peft write them, and what peft makes of them.

python3 make_adapters.py; needs torch, transformers, peft, safetensors. Every folder holds a model (config.json,
model.safetensors), its adapter (adapter_config.json, adapter_model.safetensors), each adapted module's rank and scale
(modules.json), and the model with the adapter folded in (merged.safetensors)."""

import json
import pathlib
import shutil

import torch
import transformers
from peft import LoraConfig, get_peft_model
from safetensors.torch import save_file

HERE = pathlib.Path(__file__).parent
SIZES = dict(vocab_size=11, hidden_size=8, intermediate_size=12, num_hidden_layers=3, num_attention_heads=2,
             num_key_value_heads=1, head_dim=4, max_position_embeddings=16, bos_token_id=1, eos_token_id=2)


def tensors(model):
    kept = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    if model.config.tie_word_embeddings:
        kept.pop("lm_head.weight", None)
    return kept


def make(name, config, lora, adapter_dtype=torch.float32, dtype=torch.float32):
    torch.manual_seed(3)
    folder = HERE / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    model = transformers.AutoModelForCausalLM.from_config(config).to(dtype)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.5)
    model.config.save_pretrained(folder)
    save_file(tensors(model), folder / "model.safetensors", metadata={"format": "pt"})

    adapted = get_peft_model(model, lora, autocast_adapter_dtype=False)
    with torch.no_grad():
        for parameter_name, parameter in adapted.named_parameters():
            if "lora_" in parameter_name:
                parameter.data = (torch.randn(parameter.shape) * 0.3).to(adapter_dtype)
    adapted.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    modules = {}
    for module_name, module in adapted.base_model.model.named_modules():
        if hasattr(module, "lora_A"):
            modules[module_name] = {"rank": module.r["default"], "scale": module.scaling["default"]}
    (folder / "modules.json").write_text(json.dumps(modules, indent=1) + "\n")
    save_file(tensors(adapted.merge_and_unload()), folder / "merged.safetensors", metadata={"format": "pt"})


make("llama", transformers.LlamaConfig(**SIZES, tie_word_embeddings=False),
     LoraConfig(task_type="CAUSAL_LM", r=3, lora_alpha=6, target_modules=["q_proj", "v_proj", "down_proj"],
                rank_pattern={"layers.1.self_attn.q_proj": 2, r"layers\.[02]\..*q_proj": 4, "q_proj": 1, "proj": 7},
                alpha_pattern={"down_proj": 5, "^model.layers.0.self_attn.v_proj": 9}))
make("qwen3", transformers.Qwen3Config(**SIZES, tie_word_embeddings=True),
     LoraConfig(task_type="CAUSAL_LM", r=4, lora_alpha=6, use_rslora=True, layers_to_transform=[0, 2],
                target_modules=["o_proj", "gate_proj", "model.layers.1.self_attn.k_proj"]), torch.bfloat16)
make("gpt2", transformers.GPT2Config(vocab_size=11, n_embd=8, n_layer=2, n_head=2, n_positions=16, n_inner=12,
                                     bos_token_id=1, eos_token_id=2),
     LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, target_modules=["c_attn", "mlp.c_proj"], fan_in_fan_out=True),
     torch.float16)
make("qwen2", transformers.Qwen2Config(**SIZES, tie_word_embeddings=True),
     LoraConfig(task_type="CAUSAL_LM", r=2, lora_alpha=4, target_modules=r".*\.(1\.self_attn\.[qk]|2\.mlp\.up)_proj"),
     dtype=torch.bfloat16)
