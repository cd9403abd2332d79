"""The peer of `make bench-trainer`: transformers and peft on the same model folder, ids and adapter.

usage: trainer_peer.py make FOLDER SHAPE             a random-weight model of one of the shapes, and an adapter FOLDER/lora
       trainer_peer.py train FOLDER --ids FILE ...   LoRA steps; tokens/s without the first step, every loss, peak memory
       trainer_peer.py generate FOLDER ...           greedy tokens/s with the cache
       trainer_peer.py tokenize FILE --text FILE     MB/s of the tokenizers package on one core

Every command prints one line of JSON. Needs the environment that deploy/interop_env.sh makes.
"""

import argparse
import json
import os
import resource
import statistics
import time

BEGUN = time.monotonic()
SHAPES = {
    "135M": {"hidden_size": 576, "intermediate_size": 1536, "num_hidden_layers": 30, "num_attention_heads": 9,
             "num_key_value_heads": 3, "vocab_size": 49152, "rope_theta": 100000.0, "max_position_embeddings": 2048},
    "360M": {"hidden_size": 960, "intermediate_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 15,
             "num_key_value_heads": 5, "vocab_size": 49152, "rope_theta": 100000.0, "max_position_embeddings": 2048},
    "gpt2": {"n_embd": 768, "n_layer": 12, "n_head": 12, "n_positions": 1024, "vocab_size": 50257},
}
TARGETS = {"gpt2": ["attn.c_attn", "attn.c_proj"]}
LLAMA_TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def make(args):
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model
    torch.manual_seed(1)
    ends = {"bos_token_id": 1, "eos_token_id": 2}
    if args.shape == "gpt2":
        config = transformers.GPT2Config(**SHAPES["gpt2"], **ends)
    else:
        config = transformers.LlamaConfig(**SHAPES[args.shape], tie_word_embeddings=True, rms_norm_eps=1e-5, **ends)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    model.to(torch.bfloat16).save_pretrained(args.folder)
    targets = TARGETS.get(args.shape, LLAMA_TARGETS)
    lora = LoraConfig(r=8, lora_alpha=16, target_modules=targets, lora_dropout=0.0, task_type="CAUSAL_LM",
                      fan_in_fan_out=args.shape == "gpt2")
    get_peft_model(model.float(), lora).save_pretrained(os.path.join(args.folder, "lora"))
    return {"parameters": sum(p.numel() for p in model.parameters() if not p.requires_grad)}


def load(args, adapter):
    import torch
    import transformers
    torch.set_num_threads(args.threads)
    dtype = torch.bfloat16 if args.precision == "bf16" else torch.float32
    model = transformers.AutoModelForCausalLM.from_pretrained(args.folder, dtype=dtype, attn_implementation="sdpa")
    if adapter:
        from peft import PeftModel
        model = PeftModel.from_pretrained(model, os.path.join(args.folder, "lora"), is_trainable=True,
                                          autocast_adapter_dtype=not args.bf16_adapter)
    return torch, model


def train(args):
    torch, model = load(args, adapter=True)
    with open(args.ids, encoding="utf-8") as file:
        ids = torch.tensor(json.load(file))
    model.train()
    model.config.use_cache = False
    adapter = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(adapter, lr=args.lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=args.weight_decay)
    losses, seconds, cpu, first = [], [], [], None
    rows, window = args.batch, args.window
    for step in range(args.steps):
        begun, cpu_begun = time.monotonic(), time.process_time()
        starts = [(step * rows + row) * window for row in range(rows)]
        inputs = torch.stack([ids[s:s + window] for s in starts])                     # [B, T]
        targets = torch.stack([ids[s + 1:s + window + 1] for s in starts])            # [B, T]
        logits = model(input_ids=inputs).logits                                       # [B, T, V]
        loss = torch.nn.functional.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
        del logits
        loss.backward()
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
        seconds.append(time.monotonic() - begun)
        cpu.append(time.process_time() - cpu_begun)
        if first is None:
            first = time.monotonic() - BEGUN
    rate, cpu_rate = (rows * window / statistics.median(s[1:]) if len(s) > 1 else None for s in (seconds, cpu))
    return {"tokens_per_second": rate, "tokens_per_cpu_second": cpu_rate, "first_step_seconds": first, "losses": losses, "peak_rss_bytes": peak_bytes()}


def generate(args):
    torch, model = load(args, adapter=False)
    model.generation_config.eos_token_id = None
    model.generation_config.pad_token_id = 0
    prompt = torch.arange(3, 3 + args.prompt)[None]                                   # [1, P]
    with torch.inference_mode():
        model.generate(prompt, max_new_tokens=8, do_sample=False)
        begun = time.monotonic()
        made = model.generate(prompt, max_new_tokens=args.tokens, do_sample=False)
    seconds = time.monotonic() - begun
    count = made.shape[1] - args.prompt
    return {"tokens": count, "tokens_per_second": count / seconds, "peak_rss_bytes": peak_bytes()}


def tokenize(args):
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(args.folder)
    with open(args.text, encoding="utf-8", newline="") as file:
        documents = file.read().split("\x00")
    size = os.path.getsize(args.text)
    begun = time.monotonic()
    count = sum(len(tokenizer.encode(document, add_special_tokens=False).ids) for document in documents)
    seconds = time.monotonic() - begun
    return {"tokens": count, "megabytes_per_second": size / 1e6 / seconds, "peak_rss_bytes": peak_bytes()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=("make", "train", "generate", "tokenize"))
    parser.add_argument("folder")
    parser.add_argument("shape", nargs="?", choices=sorted(SHAPES), default="135M")
    parser.add_argument("--ids")
    parser.add_argument("--text")
    parser.add_argument("--precision", choices=("f32", "bf16"), default="bf16")
    parser.add_argument("--bf16-adapter", action="store_true", help="the adapter in bf16 too, against peft's default")
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--window", type=int, default=256)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--lr", type=float, default=1e-3)
    parser.add_argument("--weight-decay", type=float, default=0.0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=64)
    args = parser.parse_args()
    print(json.dumps({"make": make, "train": train, "generate": generate, "tokenize": tokenize}[args.command](args)))


main()
