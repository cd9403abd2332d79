"""Chat templates of every family against transformers: the ids of a prompt, and the loss of a conversation's answers alone."""

import json
import os
import shutil

import torch
from tokenizers import AddedToken
from transformers import PreTrainedTokenizerFast

import zoo
from checks import OUT, ROOT, freshet

HIDDEN, LAYERS, VOCAB, INTER = 32, 2, 512, 72
SYSTEM, QUESTION = "You know rivers.", "When does the ice break?"
TALK = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": "In the spring, when the wind turns south."},
        {"role": "user", "content": "And the road?"}, {"role": "assistant", "content": "It's under water for 10 days."}]
DATE = {"date_string": "26 Jul 2024"}                # Freshet takes the date from the template, not from the clock


def templates():
    with open(os.path.join(ROOT, "tests", "model", "golden", "chats.json"), encoding="utf-8") as file:
        return json.load(file)["templates"]


def make_model(template):
    """A folder whose tokenizer has the marks of all families, and transformers' reading of that tokenizer."""
    spec = next(spec for spec in zoo.more_specs(HIDDEN, LAYERS, VOCAB, INTER) if spec.name == "llama-one-kv-head")
    folder = os.path.join(OUT, "chat-" + template["name"].replace(" ", "-").replace(".", ""))
    shutil.rmtree(folder, ignore_errors=True)
    model = zoo.build(spec, 3)
    zoo.save(spec, model, folder, VOCAB)
    tokenizer = zoo.tokenizer_of(spec, VOCAB - 20)
    marks = ["<|im_start|>", "<|im_end|>", "<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokenizer.add_special_tokens([AddedToken(mark, special=True, normalized=False) for mark in marks])
    path = os.path.join(folder, "tokenizer.json")
    tokenizer.save(path)
    tokens = {name: template[key] for name, key in (("bos_token", "bos"), ("eos_token", "eos")) if template[key]}
    with open(os.path.join(folder, "tokenizer_config.json"), "w", encoding="utf-8") as file:
        json.dump({"tokenizer_class": "PreTrainedTokenizerFast", **tokens, "chat_template": template["template"]}, file)
    theirs = PreTrainedTokenizerFast(tokenizer_file=path, **tokens)
    theirs.chat_template = template["template"]
    return folder, model, theirs


def text_of(theirs, messages, prompt=False):
    return theirs.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt, **DATE)


def ids_of(theirs, text):
    return theirs(text, add_special_tokens=False, return_offsets_mapping=True)


def compare_prompt(checks, template, folder, theirs):
    for system in (None, SYSTEM):
        if system and "mistral" in template["name"]:
            continue                                   # its template takes no system message
        messages = ([{"role": "system", "content": system}] if system else []) + TALK[:1]
        expected = ids_of(theirs, text_of(theirs, messages, prompt=True)).input_ids
        words = ["--system", system] if system else []
        made = freshet("generate", folder, "--chat", QUESTION, *words, "--max-tokens", 1, "--greedy", "--json")
        checks.equal(f"chat {template['name']}: prompt{' with a system message' if system else ''}", made["prompt_ids"], expected)


def compare_loss(checks, template, folder, model, theirs):
    """Of predicting the ids that lie in an answer, or in the mark that ends its turn."""
    whole = text_of(theirs, TALK)
    encoded, spans, end = ids_of(theirs, whole), [], 0
    for message in TALK:
        begin = whole.index(message["content"], end)
        end = begin + len(message["content"])
        if message["role"] == "assistant":
            end = whole.index(template["end"], end) + len(template["end"])
            spans.append((begin, end))
    ids = encoded.input_ids
    counts = [any(first < end and last > begin for begin, end in spans) for first, last in encoded.offset_mapping]
    losses = torch.nn.functional.cross_entropy(zoo.logits_of(model, ids)[:-1], torch.tensor(ids[1:]), reduction="none")    # [T-1]
    expected = float(losses[torch.tensor(counts[1:])].mean())
    path, out = os.path.join(OUT, "chat.jsonl"), os.path.join(OUT, "chat-adapter")
    with open(path, "w", encoding="utf-8") as file:
        file.write(json.dumps({"messages": TALK}) + "\n")
    done = freshet("finetune", folder, "--data", path, "--out", out, "--force", "--steps", 1, "--batch", 1, "--window", len(ids),
                   "--order", "sequential", "--precision", "f32", "--json")
    checks.close(f"chat {template['name']}: loss of {sum(counts)} of {len(ids)} ids", abs(done["first_loss"] - expected) / expected, 1e-5, "of it")


def run(checks):
    for template in templates():
        folder, model, theirs = make_model(template)
        checks.guarded(f"chat {template['name']}", compare_prompt, checks, template, folder, theirs)
        checks.guarded(f"chat {template['name']}: loss", compare_loss, checks, template, folder, model, theirs)
