"""The peer of `make bench-trainer`: transformers and peft on the same model folder, ids and adapter.

usage: trainer_peer.py train FOLDER --ids FILE ...   LoRA steps; tokens/s without the first step, every loss, peak memory
       trainer_peer.py generate FOLDER ...           greedy tokens/s with the cache
       trainer_peer.py learn FOLDER --text FILE      two tokenizer.json learned from the text
       trainer_peer.py encode TOKENIZER.JSON --text FILE --ids FILE    writes the text's ids
       trainer_peer.py tokenize TOKENIZER.JSON --text FILE             MB/s of the tokenizers package on one core

Every command prints one line of JSON. Needs the environment that deploy/interop_env.sh makes.
"""

import argparse
import json
import os
import resource
import statistics
import time

BEGUN = time.monotonic()


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


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


def learn(args):
    """Two vocabularies learned from the text: byte-level with Llama 3's words, SentencePiece's form with byte fallback."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
    words = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
    made = {}
    level = Tokenizer(models.BPE())
    level.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(words), "isolated"),
                                                   pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
    level.decoder = decoders.ByteLevel()
    level.train([args.text], trainers.BpeTrainer(vocab_size=16000, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    piece = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    piece.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    piece.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")      # for training alone: Llama's form has none
    piece.train([args.text], trainers.BpeTrainer(vocab_size=16000, show_progress=False,
                                            special_tokens=["<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]))
    piece = json.loads(piece.to_str())
    piece["pre_tokenizer"], piece["added_tokens"] = None, piece["added_tokens"][:1]
    piece["decoder"] = {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "},
                                                         {"type": "ByteFallback"}, {"type": "Fuse"}]}
    for name, form in (("byte-level BPE", json.loads(level.to_str())), ("SentencePiece BPE", piece)):
        made[name] = os.path.join(args.folder, f"tokenizer-{name.split()[0].lower()}.json")
        with open(made[name], "w", encoding="utf-8") as file:
            json.dump(form, file)
    return {"paths": made}


def read_text(path):
    with open(path, encoding="utf-8", newline="") as file:
        return file.read()


def encode(args):
    from tokenizers import Tokenizer
    ids = Tokenizer.from_file(args.folder).encode(read_text(args.text)).ids
    with open(args.ids, "w", encoding="utf-8") as file:
        json.dump(ids, file)
    return {"tokens": len(ids)}


def tokenize(args):
    """The better of its two ways: all of the text at once, and pages of it as a batch without offsets."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    from tokenizers import Tokenizer
    tokenizer, text = Tokenizer.from_file(args.folder), read_text(args.text)
    lines, pages = text.splitlines(keepends=True), [""]
    for line in lines:
        if len(pages[-1]) > 20_000:
            pages.append("")
        pages[-1] += line
    rates = {"whole": [], "pages": []}
    for _ in range(args.steps):
        for way, rate in rates.items():
            begun = time.monotonic()
            if way == "whole":
                tokenizer.encode(text, add_special_tokens=False)
            else:
                tokenizer.encode_batch_fast(pages, add_special_tokens=False)
            rate.append(len(text.encode()) / 1e6 / (time.monotonic() - begun))
    return {"megabytes_per_second": max(statistics.median(rate) for rate in rates.values()), "peak_rss_bytes": peak_bytes()}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("command", choices=("train", "generate", "learn", "encode", "tokenize"))
    parser.add_argument("folder")
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
    commands = {"train": train, "generate": generate, "learn": learn, "encode": encode, "tokenize": tokenize}
    print(json.dumps(commands[args.command](args)))


main()
