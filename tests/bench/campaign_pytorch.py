"""The peer of `freshet simulate learning`: the same federated campaign in plain PyTorch, on one machine.

Loads a Llama folder by hand, gives each of the speakers with the most text in a play file a node, and runs rounds of
local LoRA training and a plain mean. Prints {"method", "bpb_before", "bpb_after", "seconds"}; with --home also what
training alone at home leaves. Needs torch (Debian's python3-torch will do) and nothing else.
"""

import argparse
import json
import math
import re
import struct
import time

import torch
import torch.nn.functional as F

LINEARS = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
           "mlp.gate_proj", "mlp.up_proj", "mlp.down_proj")


class Tokenizer:
    """SentencePiece-style BPE of a tokenizer.json: merges by rank, bytes for what is not in the vocabulary."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as file:
            model = json.load(file)["model"]
        self.vocab = model["vocab"]
        pairs = [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]
        self.ranks = {tuple(pair): rank for rank, pair in enumerate(pairs)}
        self.bos = self.vocab["<s>"]

    def encode(self, text):
        symbols = list("\u2581" + text.replace(" ", "\u2581"))
        while len(symbols) > 1:
            best = min(zip(symbols, symbols[1:]), key=lambda pair: self.ranks.get(pair, math.inf))
            if best not in self.ranks:
                break
            merged, i = [], 0
            while i < len(symbols):
                pair = tuple(symbols[i:i + 2]) == best
                merged.append(symbols[i] + symbols[i + 1] if pair else symbols[i])
                i += 2 if pair else 1
            symbols = merged
        ids = [self.bos]
        for symbol in symbols:
            if symbol in self.vocab:
                ids.append(self.vocab[symbol])
            else:
                ids += [self.vocab[f"<0x{byte:02X}>"] for byte in symbol.encode("utf-8")]
        return ids


def load_safetensors(path):
    with open(path, "rb") as file:
        data = bytearray(file.read())
    size = struct.unpack("<Q", data[:8])[0]
    tensors = {}
    for name, entry in json.loads(data[8:8 + size].decode()).items():
        if name == "__metadata__":
            continue
        begin, end = (8 + size + offset for offset in entry["data_offsets"])
        dtype = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[entry["dtype"]]
        tensors[name] = torch.frombuffer(data[begin:end], dtype=dtype).float().reshape(entry["shape"])
    return tensors


class Llama:
    def __init__(self, folder):
        with open(f"{folder}/config.json", encoding="utf-8") as file:
            self.config = json.load(file)
        self.weights = load_safetensors(f"{folder}/model.safetensors")
        head = self.config["hidden_size"] // self.config["num_attention_heads"]
        positions = torch.arange(self.config["max_position_embeddings"]).float()
        inverse = self.config["rope_theta"] ** (-torch.arange(0, head, 2).float() / head)
        angles = torch.outer(positions, inverse)                    # [T, Dh/2]
        self.cos = torch.cat([angles.cos()] * 2, -1)                # [T, Dh]
        self.sin = torch.cat([angles.sin()] * 2, -1)

    def norm(self, x, name):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.config["rms_norm_eps"]) * self.weights[name]

    def linear(self, x, name, lora, scale):
        y = F.linear(x, self.weights[name + ".weight"])
        if lora is None:
            return y
        return y + scale * F.linear(F.linear(x, lora[name + ".A"]), lora[name + ".B"])

    def rotate(self, x):                                            # [B, H, T, Dh]
        length, half = x.shape[2], x.shape[3] // 2
        turned = torch.cat([-x[..., half:], x[..., :half]], -1)
        return x * self.cos[:length] + turned * self.sin[:length]

    def logits(self, ids, lora=None, scale=2.0):                    # [B, T] -> [B, T, V]
        c = self.config
        heads, groups = c["num_attention_heads"], c["num_key_value_heads"]
        x = F.embedding(ids, self.weights["model.embed_tokens.weight"])
        batch, length, width = x.shape
        head = width // heads
        mask = torch.full((length, length), -math.inf).triu(1)
        for layer in range(c["num_hidden_layers"]):
            at = f"model.layers.{layer}."
            h = self.norm(x, at + "input_layernorm.weight")
            q = self.linear(h, at + "self_attn.q_proj", lora, scale).view(batch, length, heads, head).transpose(1, 2)
            k = self.linear(h, at + "self_attn.k_proj", lora, scale).view(batch, length, groups, head).transpose(1, 2)
            v = self.linear(h, at + "self_attn.v_proj", lora, scale).view(batch, length, groups, head).transpose(1, 2)
            q, k = self.rotate(q), self.rotate(k)
            k = k.repeat_interleave(heads // groups, 1)
            v = v.repeat_interleave(heads // groups, 1)
            scores = q @ k.transpose(2, 3) / math.sqrt(head) + mask  # [B, H, T, T]
            mixed = (scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width)
            x = x + self.linear(mixed, at + "self_attn.o_proj", lora, scale)
            h = self.norm(x, at + "post_attention_layernorm.weight")
            gate = F.silu(self.linear(h, at + "mlp.gate_proj", lora, scale))
            x = x + self.linear(gate * self.linear(h, at + "mlp.up_proj", lora, scale), at + "mlp.down_proj", lora, scale)
        x = self.norm(x, "model.norm.weight")
        return F.linear(x, self.weights.get("lm_head.weight", self.weights["model.embed_tokens.weight"]))

    def fresh_lora(self, rank, generator):
        lora = {}
        for layer in range(self.config["num_hidden_layers"]):
            for linear in LINEARS:
                name = f"model.layers.{layer}.{linear}"
                out_size, in_size = self.weights[name + ".weight"].shape
                bound = math.sqrt(3 / in_size)
                lora[name + ".A"] = (torch.rand(rank, in_size, generator=generator) * 2 - 1) * bound
                lora[name + ".B"] = torch.zeros(out_size, rank)
        return lora


def speakers(path, count):
    """The utterances of the speakers with the most bytes: [(name, [utterance])]."""
    said = {}
    with open(path, encoding="utf-8") as file:
        blocks = re.split(r"\n{2,}", file.read().strip())
    for block in blocks:
        name, _, words = block.partition(":\n")
        if words:
            said.setdefault(name, []).append(words)
    return sorted(said.items(), key=lambda item: -sum(len(u.encode()) for u in item[1]))[:count]


class Node:
    def __init__(self, name, utterances, tokenizer):
        self.name = name
        ids = [i for u in utterances for i in tokenizer.encode(u)]
        self.bytes_per_token = sum(len(u.encode()) for u in utterances) / len(ids)
        cut = len(ids) - len(ids) // 10
        self.train, self.held_out = torch.tensor(ids[:cut]), torch.tensor(ids[cut:])

    def batch(self, size, length, generator):
        starts = torch.randint(0, len(self.train) - length, (size, 1), generator=generator)
        return self.train[starts + torch.arange(length)]            # [B, T]


def loss_of(model, ids, lora):
    logits = model.logits(ids[:, :-1], lora)
    return F.cross_entropy(logits.reshape(-1, logits.shape[-1]), ids[:, 1:].reshape(-1))


@torch.no_grad()
def bits_per_byte(model, node, lora, length):
    count = len(node.held_out) // length
    nll = loss_of(model, node.held_out[:count * length].view(count, length), lora).item()
    return nll / math.log(2) / node.bytes_per_token


def trained_half(method, round_index):
    """Which factors move in a round: RoLoRA takes turns and begins with B, since B = 0 gives A no gradient."""
    if method == "fedit":
        return ("A", "B")
    if method == "ffa":
        return ("B",)
    return ("B",) if round_index % 2 == 0 else ("A",)


def train(model, node, lora, moving, args, generator):
    local = {name: value.clone().requires_grad_(name[-1] in moving) for name, value in lora.items()}
    optimizer = torch.optim.AdamW([p for p in local.values() if p.requires_grad], lr=args.lr, weight_decay=0.0)
    for _ in range(args.steps):
        optimizer.zero_grad(set_to_none=True)
        loss_of(model, node.batch(args.batch, args.length, generator), local).backward()
        optimizer.step()
    return {name: value.detach() for name, value in local.items()}


def campaign(model, nodes, method, args, generator):
    lora = model.fresh_lora(8, generator)
    for r in range(args.rounds):
        moving = trained_half(method, r)
        updates = [train(model, node, lora, moving, args, generator) for node in nodes]
        for name in lora:
            if name[-1] in moving:
                lora[name] = torch.stack([u[name] for u in updates]).mean(0)
    return [bits_per_byte(model, node, lora, args.length) for node in nodes]


def at_home(model, nodes, method, args, generator):
    first = model.fresh_lora(8, generator)
    left = []
    for node in nodes:
        lora = first
        for r in range(args.rounds):
            lora = train(model, node, lora, trained_half(method, r), args, generator)
        left.append(bits_per_byte(model, node, lora, args.length))
    return left


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--text", required=True)
    parser.add_argument("--method", choices=("fedit", "ffa", "rolora"), default="rolora")
    parser.add_argument("--nodes", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--length", type=int, default=128)
    parser.add_argument("--lr", type=float, default=5e-3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--home", action="store_true", help="also train every node alone")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)

    begun = time.monotonic()
    generator = torch.Generator().manual_seed(args.seed)
    model = Llama(args.model)
    tokenizer = Tokenizer(f"{args.model}/tokenizer.json")
    nodes = [Node(name, said, tokenizer) for name, said in speakers(args.text, args.nodes)]
    before = [bits_per_byte(model, node, None, args.length) for node in nodes]
    after = campaign(model, nodes, args.method, args, generator)
    report = {"method": args.method, "bpb_before": sum(before) / len(before), "bpb_after": sum(after) / len(after),
              "seconds": round(time.monotonic() - begun, 2),
              "nodes": [{"name": n.name, "tokens": len(n.train) + len(n.held_out), "before": b, "after": a}
                        for n, b, a in zip(nodes, before, after)]}
    if args.home:
        left = at_home(model, nodes, args.method, args, generator)
        report["bpb_home"] = sum(left) / len(left)
    print(json.dumps(report))


main()
