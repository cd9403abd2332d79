"""Writes the golden models beside this script: one folder for each architecture, with what transformers and peft say of it.

usage: make_models.py        (in the environment that deploy/interop_env.sh makes)

NAME/{config.json, *.safetensors, tokenizer.json}   a tiny model with random weights
NAME/adapter/                                       a PEFT adapter with random A and B
NAME/gradients.safetensors                          of the adapter, by PEFT's names
NAME/expected.json:
  ids            [[...]]  a text, longer than every sliding window
  logits         [[...]]  by position of ids[0], the first LOGITS of the vocabulary
  logits_max     the largest |logit| of all positions and all of the vocabulary: what differences are measured by
  nll            the mean loss of predicting ids[0][1:]
  greedy         {"prompt", "ids"}
  lora           {"rank", "alpha", "targets", "loss", "logits": at the last position}
"""

import json
import os
import shutil
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "interop"))

import torch                                                                            # noqa: E402
from safetensors.torch import save_file                                                 # noqa: E402
import zoo                                                                              # noqa: E402

HIDDEN, LAYERS, VOCAB, INTER = 24, 2, 288, 40
LENGTH, PROMPT, GREEDY, LOGITS = 24, 12, 20, 16


def rounded(values):
    return [round(float(value), 6) for value in values]


def write(spec):
    folder = os.path.join(HERE, spec.name)
    shutil.rmtree(folder, ignore_errors=True)
    generator = torch.Generator().manual_seed(7)
    ids = torch.randint(3, VOCAB, (LENGTH,), generator=generator).tolist()
    prompt = torch.randint(3, VOCAB, (PROMPT,), generator=generator).tolist()
    model, chosen = zoo.clear_model(spec, prompt, GREEDY)
    zoo.save(spec, model, folder, VOCAB)
    logits = zoo.logits_of(model, ids)                                                  # [T, V]
    nll = torch.nn.functional.cross_entropy(logits[:-1], torch.tensor(ids[1:]))
    wrapped = zoo.with_adapter(spec, model, seed=11)
    wrapped.save_pretrained(os.path.join(folder, "adapter"))
    loss, gradients = zoo.adapter_loss(wrapped, ids)
    save_file(gradients, os.path.join(folder, "gradients.safetensors"))
    adapted = zoo.logits_of(wrapped, ids)
    for name in ("generation_config.json", "tokenizer_config.json", "adapter/README.md"):
        if os.path.exists(os.path.join(folder, name)):
            os.remove(os.path.join(folder, name))
    expected = {
        "ids": [ids],
        "logits": [rounded(row[:LOGITS]) for row in logits],
        "logits_max": float(logits.abs().max()),
        "nll": float(nll),
        "greedy": {"prompt": prompt, "ids": chosen},
        "lora": {"rank": 2, "alpha": 4, "targets": spec.targets, "adapter": "adapter", "loss": loss,
                 "logits": rounded(adapted[-1][:LOGITS]), "logits_max": float(adapted.abs().max()),
                 "gradients": "gradients.safetensors"},
    }
    with open(os.path.join(folder, "expected.json"), "w", encoding="utf-8") as file:
        json.dump(expected, file)
    size = sum(os.path.getsize(os.path.join(at, name)) for at, _, names in os.walk(folder) for name in names)
    print(f"{spec.name}: {size / 1e3:.0f} kB, nll {float(nll):.4f}, loss with the adapter {loss:.4f}")


for each in zoo.specs(HIDDEN, LAYERS, VOCAB, INTER):
    write(each)
