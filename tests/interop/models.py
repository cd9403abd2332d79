"""Every architecture against transformers and peft: logits, loss, greedy ids, LoRA gradients, adapters both ways, merged weights."""

import json
import os
import shutil

import torch
from peft import PeftModel
from safetensors import safe_open
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, PreTrainedTokenizerFast

import zoo
from checks import OUT, freshet, largest_difference

HIDDEN, LAYERS, VOCAB, INTER = 32, 3, 512, 72
GREEDY = 20
LOGITS, GRADIENTS = 1e-4, 1e-3                        # the bounds
TEXT = "The people who live near the river know the signs: the ice breaks, the wind turns, it's 100 years."
MERGED_F32, MERGED_APART = 1e-6, 1e-3   # of the largest value; share of 16-bit values that are rounded to the other neighbour


def all_specs():
    return zoo.specs(HIDDEN, LAYERS, VOCAB, INTER) + zoo.more_specs(HIDDEN, LAYERS, VOCAB, INTER)


def logits(folder, ids, *more):
    """Ours, at the last position, all of the vocabulary; always in f32."""
    done = freshet("generate", folder, "--prompt-ids", ",".join(map(str, ids)), "--max-tokens", 1, "--greedy", "--logits", VOCAB,
                   "--precision", "f32", *more, "--json")
    return done["prompt_logits"]


def tensors_of(folder):
    found = {}
    for name in sorted(os.listdir(folder)):
        if name.endswith(".safetensors"):
            with safe_open(os.path.join(folder, name), framework="pt") as file:
                found.update({key: file.get_tensor(key) for key in file.keys()})
    return found


def compare_forward(checks, spec, folder, model, prompt, chosen):
    worst = max(largest_difference(logits(folder, prompt[:count]), zoo.logits_of(model, prompt[:count])[-1])
                for count in (1, 7, len(prompt)))
    checks.close(f"{spec.name}: logits", worst, LOGITS)
    made = freshet("generate", folder, "--prompt-ids", ",".join(map(str, prompt)), "--max-tokens", GREEDY, "--greedy",
                   "--precision", "f32", "--json")
    checks.equal(f"{spec.name}: greedy ids", made["ids"], chosen)


def compare_text(checks, spec, folder, model):
    """Returns the ids of TEXT as both tokenizers give them."""
    theirs = PreTrainedTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"))(TEXT).input_ids
    ours = freshet("generate", folder, "--prompt", TEXT, "--max-tokens", 1, "--greedy", "--json")["prompt_ids"]
    checks.equal(f"{spec.name}: ids of a text", ours, theirs)
    path = os.path.join(OUT, f"{spec.name}.txt")
    with open(path, "w", encoding="utf-8") as file:
        file.write(TEXT)
    found = freshet("eval", folder, "--text", path, "--precision", "f32", "--json")
    expected = torch.nn.functional.cross_entropy(zoo.logits_of(model, ours)[:-1], torch.tensor(ours[1:]))
    checks.close(f"{spec.name}: loss of a text", abs(found["nll_per_token"] - float(expected)) / float(expected), LOGITS, "of it")
    return ours


def compare_gradients(checks, spec, folder, model, ids):
    """One step of plain SGD with rate 1: the gradient is what the adapter lost."""
    start, after = (os.path.join(OUT, f"{spec.name}-{what}") for what in ("init", "step"))
    wrapped = zoo.with_adapter(spec, model, seed=11)
    wrapped.save_pretrained(start)
    loss, gradients = zoo.adapter_loss(wrapped, ids)
    wrapped.unload()
    shutil.rmtree(after, ignore_errors=True)
    done = freshet("finetune", folder, "--data", os.path.join(OUT, f"{spec.name}.txt"), "--init", start, "--out", after,
                   "--steps", 1, "--batch", 1, "--window", len(ids) - 1, "--order", "sequential", "--optimizer", "sgd", "--lr", 1,
                   "--schedule", "constant", "--warmup", 0, "--clip", 0, "--weight-decay", 0, "--precision", "f32", "--json")
    checks.close(f"{spec.name}: loss with an adapter", abs(done["first_loss"] - loss) / loss, LOGITS, "of it")
    before, moved = (load_file(os.path.join(at, "adapter_model.safetensors")) for at in (start, after))
    worst, where = 0.0, ""
    for name, gradient in gradients.items():
        ours = before[name].double() - moved[name].double()
        difference = float((ours - gradient.double()).norm() / gradient.double().norm())
        if difference >= worst:
            worst, where = difference, name
    checks.close(f"{spec.name}: LoRA gradients, {len(gradients)} tensors", worst, GRADIENTS, f"of the norm, {where}")
    return after


def compare_adapters(checks, spec, folder, model, ids, ours):
    """One that Freshet wrote, loaded by peft; one of peft's with every option of theirs, loaded by Freshet; merged."""
    wrapped = PeftModel.from_pretrained(model, ours)
    wrapped.eval()
    theirs = zoo.logits_of(wrapped, ids)[-1]
    wrapped.unload()
    checks.close(f"{spec.name}: our adapter loaded by peft", largest_difference(logits(folder, ids, "--adapter", ours), theirs), LOGITS)
    patterns = ({"rank_pattern": {"c_fc": 4, r"h\.1\.attn\.c_proj": 3}, "alpha_pattern": {"c_attn": 12}} if spec.gpt2 else
                {"rank_pattern": {"q_proj": 4, r"layers\.1\.mlp\.up_proj": 3}, "alpha_pattern": {"v_proj": 12}})
    for rslora in (False, True):
        at = os.path.join(OUT, f"{spec.name}-peft{'-rslora' if rslora else ''}")
        wrapped = zoo.with_adapter(spec, model, seed=12, r=5, lora_alpha=7, use_rslora=rslora, **patterns)
        wrapped.save_pretrained(at)
        theirs = zoo.logits_of(wrapped, ids)[-1]
        checks.close(f"{spec.name}: peft's adapter with patterns{' and rsLoRA' if rslora else ''}",
                     largest_difference(logits(folder, ids, "--adapter", at), theirs), LOGITS)
        if not rslora:
            wrapped.unload()
    compare_merged(checks, spec, folder, wrapped, at)


def compare_merged(checks, spec, folder, wrapped, adapter):
    out = os.path.join(OUT, f"{spec.name}-merged")
    shutil.rmtree(out, ignore_errors=True)
    freshet("merge", folder, "--adapter", adapter, "--out", out, "--json")
    merged = wrapped.merge_and_unload()
    ours, theirs = tensors_of(out), merged.state_dict()
    checks.check(f"{spec.name}: merged, same tensors", set(ours) == set(tensors_of(folder)),
                 f"{len(ours)} of {len(tensors_of(folder))}")
    if spec.dtype == torch.float32:
        worst = max(largest_difference(value, theirs[name]) for name, value in ours.items())
        checks.close(f"{spec.name}: merged, values", worst, MERGED_F32)
    else:
        apart = sum(int((value != theirs[name].to(spec.dtype)).sum()) for name, value in ours.items())
        checks.close(f"{spec.name}: merged, values", apart / sum(value.numel() for value in ours.values()), MERGED_APART, "of them rounded otherwise")
    AutoModelForCausalLM.from_pretrained(out)         # transformers takes what we wrote


def compare(checks, spec):
    folder = os.path.join(OUT, spec.name)
    shutil.rmtree(folder, ignore_errors=True)
    generator = torch.Generator().manual_seed(7)
    prompt = torch.randint(3, VOCAB, (24,), generator=generator).tolist()
    model, chosen = zoo.clear_model(spec, prompt, GREEDY)
    zoo.save(spec, model, folder, VOCAB, bos=True)
    checks.guarded(f"{spec.name}: forward", compare_forward, checks, spec, folder, model, prompt, chosen)
    ids = checks.guarded(f"{spec.name}: text", compare_text, checks, spec, folder, model)
    if ids:
        after = checks.guarded(f"{spec.name}: gradients", compare_gradients, checks, spec, folder, model, ids)
        if after:
            model, _ = zoo.clear_model(spec, prompt, GREEDY)
            checks.guarded(f"{spec.name}: adapters", compare_adapters, checks, spec, folder, model, prompt, after)


def refusals(checks):
    """What is not implemented is refused by its name."""
    folder = os.path.join(OUT, "refused")
    for name, change in (("model_type", {"model_type": "mamba"}), ("rope", {"rope_scaling": {"rope_type": "yarn", "factor": 4.0}}),
                         ("hidden_act", {"hidden_act": "relu"})):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(os.path.join(OUT, "llama-one-kv-head"), folder)
        path = os.path.join(folder, "config.json")
        with open(path, encoding="utf-8") as file:
            config = json.load(file)
        config.pop("rope_parameters", None) if name == "rope" else None
        with open(path, "w", encoding="utf-8") as file:
            json.dump({**config, **change}, file)
        try:
            freshet("info", folder, "--json")
            checks.check(f"refused: {name}", False, "was accepted")
        except Exception as error:  # noqa: BLE001
            word = {"model_type": "mamba", "rope": "yarn", "hidden_act": "relu"}[name]
            checks.check(f"refused: {name}", word in str(error), str(error)[-160:])


def run(checks):
    os.makedirs(OUT, exist_ok=True)
    for spec in all_specs():
        checks.guarded(spec.name, compare, checks, spec)
    checks.guarded("refusals", refusals, checks)
