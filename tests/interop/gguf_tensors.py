"""GGUF files against the gguf package: every block type, files that Freshet wrote, LoRA as GGUF."""

import os
import shutil

import gguf
import numpy
import torch
from safetensors.torch import load_file

import gguf_reference
import models
import zoo
from checks import OUT, Failed, freshet, largest_difference

HIDDEN, LAYERS, VOCAB, INTER, HEADS, KV_HEADS = 256, 1, 320, 512, 4, 2        # K blocks hold 256 values
PROMPT = [5, 77, 301, 12, 9, 250, 33]
TYPES = ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q4_K", "Q5_K", "Q6_K"]
SCALES = {"Q4_K": ((0, 1e-3), (2, 6e-3)), "Q5_K": ((0, 5e-4), (2, 6e-3)), "Q6_K": ((208, 1e-4),)}  # f16 fields of a block


def blocks(kind, shape, random):
    """Quantised values: by the package, or, for the K types that it only reads, random blocks with sane scales."""
    values = random.normal(0, 1 / numpy.sqrt(shape[-1]), shape).astype(numpy.float32)
    if kind.name not in SCALES:
        return gguf.quants.quantize(values, kind)
    per_block, size = gguf.GGML_QUANT_SIZES[kind]
    count = shape[0] * shape[1] // per_block
    raw = random.integers(0, 256, (count, size), dtype=numpy.uint8)
    for offset, scale in SCALES[kind.name]:
        raw[:, offset:offset + 2] = (scale * random.uniform(0.5, 1, count)).astype(numpy.float16)[:, None].view(numpy.uint8)
    return raw.reshape(shape[0], -1)


def write_model(path, kind, random):
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(LAYERS)
    writer.add_context_length(128)
    writer.add_embedding_length(HIDDEN)
    writer.add_feed_forward_length(INTER)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_freq_base(10000.0)
    writer.add_rope_dimension_count(HIDDEN // HEADS)
    writer.add_vocab_size(VOCAB)
    add_tokenizer(writer)
    kv = HIDDEN * KV_HEADS // HEADS
    shapes = {"token_embd": (VOCAB, HIDDEN), "output": (VOCAB, HIDDEN)}
    for layer in range(LAYERS):
        for name, shape in {"attn_q": (HIDDEN, HIDDEN), "attn_k": (kv, HIDDEN), "attn_v": (kv, HIDDEN),
                            "attn_output": (HIDDEN, HIDDEN), "ffn_gate": (INTER, HIDDEN), "ffn_up": (INTER, HIDDEN),
                            "ffn_down": (HIDDEN, INTER)}.items():
            shapes[f"blk.{layer}.{name}"] = shape
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", random.normal(1, 0.1, HIDDEN).astype(numpy.float32))
    writer.add_tensor("output_norm.weight", random.normal(1, 0.1, HIDDEN).astype(numpy.float32))
    for name, shape in shapes.items():
        writer.add_tensor(name + ".weight", blocks(kind, shape, random), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tokenizer(writer):
    from tokenizers import pre_tokenizers
    texts = ["<unk>", "<s>", "</s>"] + sorted(pre_tokenizers.ByteLevel.alphabet()) + ["Ġt"]
    texts += [f"[PAD{id}]" for id in range(len(texts), VOCAB)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(texts)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * 257 + [gguf.TokenType.UNUSED] * (VOCAB - 260))
    writer.add_token_merges(["Ġ t"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_add_bos_token(False)


def logits(path, vocab, ids=PROMPT):
    return freshet("generate", path, "--prompt-ids", ",".join(map(str, ids)), "--max-tokens", 1, "--greedy", "--logits", vocab,
                   "--precision", "f32", "--json")["prompt_logits"]


def compare_type(checks, name):
    """The folder that Freshet makes of the file holds the package's values; and so do the logits."""
    path, folder = os.path.join(OUT, f"{name}.gguf"), os.path.join(OUT, f"{name}-hf")
    write_model(path, getattr(gguf.GGMLQuantizationType, name), numpy.random.default_rng(5))
    shutil.rmtree(folder, ignore_errors=True)
    freshet("convert", path, "--to", "hf", "--dtype", "f32", "--out", folder, "--json")
    _, theirs = gguf_reference.tensors_of(path)
    ours = models.tensors_of(folder)
    missing = sorted(set(theirs) - set(ours))
    if not checks.check(f"gguf {name}: tensors as a Hugging Face folder", not missing, f"{len(ours)}" + (f", missing {missing}" if missing else "")):
        return
    unequal = [key for key, values in theirs.items() if not torch.equal(ours[key].float(), torch.from_numpy(values).to(ours[key].dtype).float())]
    kinds = sorted({str(ours[key].dtype).removeprefix("torch.") for key in theirs})
    checks.check(f"gguf {name}: values equal the package's, as {', '.join(kinds)}", not unequal, f"{len(theirs)} tensors" if not unequal else
                 f"{len(unequal)} differ, first {unequal[0]}")
    model = gguf_reference.llama_of(path)
    checks.close(f"gguf {name}: logits", largest_difference(logits(path, VOCAB), zoo.logits_of(model, PROMPT)[-1]), 1e-4)


def windows_of(spec):
    """Whether each layer sees a window alone."""
    layers = spec.options.get("num_hidden_layers", 0)
    return [bool(spec.options.get("use_sliding_window")) and layer >= spec.options["max_window_layers"] for layer in range(layers)]


def compare_written(checks, spec):
    """A folder that Freshet turned into GGUF: read by the package, and by Freshet itself."""
    folder, path = os.path.join(OUT, spec.name), os.path.join(OUT, f"{spec.name}.gguf")
    if len(set(windows_of(spec))) > 1:
        try:
            freshet("convert", folder, "--to", "gguf", "--out", path, "--force", "--json")
            checks.check(f"{spec.name}: as GGUF", False, "was written, though GGUF has no windows by layer")
        except Failed as error:
            checks.check(f"{spec.name}: as GGUF, refused by reason", "windows" in str(error), str(error)[-100:])
        return
    freshet("convert", folder, "--to", "gguf", "--out", path, "--force", "--json")
    reader = gguf.GGUFReader(path)
    checks.check(f"{spec.name}: as GGUF, read by the gguf package", len(reader.tensors) > 0, f"{len(reader.tensors)} tensors, "
                 f"architecture {gguf_reference.field(reader, 'general.architecture')}")
    if spec.config_class == "LlamaConfig" and not spec.options.get("attention_bias"):
        _, theirs = gguf_reference.tensors_of(path)
        ours = models.tensors_of(folder)
        unequal = [key for key, values in theirs.items() if not numpy.array_equal(values, ours[key].float().numpy())]
        checks.check(f"{spec.name}: GGUF tensors have the folder's values", not unequal, f"{len(theirs)} tensors" if not unequal else str(unequal[:3]))
    ids = list(range(3, 27))
    checks.close(f"{spec.name}: logits as GGUF and as a folder", largest_difference(logits(path, models.VOCAB, ids), logits(folder, models.VOCAB, ids)), 1e-6)


def compare_lora(checks, spec):
    """An adapter as GGUF for llama.cpp: A and B under the base tensor's name, q and k in GGUF's order of rows."""
    adapter, path = os.path.join(OUT, f"{spec.name}-step"), os.path.join(OUT, f"{spec.name}-lora.gguf")
    freshet("convert", os.path.join(OUT, spec.name), "--adapter", adapter, "--to", "gguf", "--out", path, "--force", "--json")
    reader = gguf.GGUFReader(path)
    checks.check(f"{spec.name}: LoRA as GGUF, metadata", gguf_reference.field(reader, "adapter.type") == "lora"
                 and gguf_reference.field(reader, "general.type") == "adapter", f"alpha {gguf_reference.field(reader, 'adapter.lora.alpha')}")
    theirs = load_file(os.path.join(adapter, "adapter_model.safetensors"))
    arch = gguf.MODEL_ARCH_NAMES
    number = next(key for key, text in arch.items() if text == gguf_reference.field(reader, "general.architecture"))
    names = gguf.get_tensor_name_map(number, models.LAYERS)
    found = {tensor.name: tensor for tensor in reader.tensors}
    wrong = []
    for name, values in theirs.items():
        base, factor = name.removeprefix("base_model.model.").removesuffix(".weight").rsplit(".", 1)
        place = f"{names.get_name(base)}.weight.{factor.lower()}"
        values = values.numpy()
        heads = {"q_proj": "num_attention_heads", "k_proj": "num_key_value_heads"}.get(base.rsplit(".", 1)[-1])
        if heads and factor == "lora_B" and gguf_reference.field(reader, "general.architecture") == "llama":
            values = gguf_reference.interleaved(values, spec.options[heads])
        tensor = found.pop(place, None)
        if tensor is None or not numpy.array_equal(tensor.data.reshape(values.shape), values):
            wrong.append(place)
    checks.check(f"{spec.name}: LoRA as GGUF, values", not wrong and not found, f"{len(theirs)} tensors" if not wrong and not found else
                 f"wrong or missing {wrong[:3]}, unexpected {list(found)[:3]}")


def run(checks):
    for name in TYPES:
        checks.guarded(f"gguf {name}", compare_type, checks, name)
    for spec in models.all_specs():
        if not os.path.isdir(os.path.join(OUT, spec.name)):
            checks.skip(f"{spec.name}: as GGUF", "its model was not made (--only models)")
            continue
        checks.guarded(f"{spec.name}: as GGUF", compare_written, checks, spec)
        if os.path.isdir(os.path.join(OUT, f"{spec.name}-step")):
            checks.guarded(f"{spec.name}: LoRA as GGUF", compare_lora, checks, spec)
