#!/usr/bin/env python3
"""Compares the ids that Freshet gives with those of the Python package `tokenizers`, over megabytes of text in some
twenty scripts, for tokenizers of every form and for published ones. Exit code 0 if all agree."""

import argparse
import array
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

import tokenizer_forms as forms
import tokenizers


class Checks:
    def __init__(self, freshet, folder):
        self.freshet, self.folder, self.results = freshet, folder, []

    def run(self, *arguments):
        done = subprocess.run([self.freshet, "model", "tokenizer", *map(str, arguments)], capture_output=True)
        if done.returncode != 0:
            raise RuntimeError(done.stderr.decode(errors="replace").strip())

    def encode(self, tokenizer, text):
        """Ids of `text` (bytes)."""
        source, out = self.folder / "text", self.folder / "ids"
        source.write_bytes(text)
        self.run("encode", tokenizer, "--file", source, "--out", out)
        ids = array.array("i", out.read_bytes())
        if sys.byteorder == "big":
            ids.byteswap()
        return ids.tolist()

    def decode(self, tokenizer, ids):
        source, out = self.folder / "ids", self.folder / "decoded"
        ids = array.array("i", ids)
        if sys.byteorder == "big":
            ids.byteswap()
        source.write_bytes(ids.tobytes())
        self.run("decode", tokenizer, "--file", source, "--out", out)
        return out.read_bytes()

    def note(self, name, passed, detail):
        self.results.append({"name": name, "passed": passed, "detail": detail})
        print(f"{'ok    ' if passed else 'FAILED'} {name}: {detail}", flush=True)

    def same_ids(self, name, path, text):
        package = tokenizers.Tokenizer.from_file(str(path))
        started = time.monotonic()
        try:
            expected = package.encode(text, add_special_tokens=False).ids
            took = time.monotonic() - started
            ids = self.encode(path, text.encode())
        except Exception as error:  # noqa: BLE001: whatever a check dies of is its result
            return self.note(name, False, str(error)[:300])
        if ids == expected:
            return self.note(name, True, f"{len(ids)} ids of {len(text.encode())} bytes ({took:.1f} s in the package)")
        place = next((i for i, pair in enumerate(zip(ids, expected)) if pair[0] != pair[1]), min(len(ids), len(expected)))
        around = package.decode(expected[max(0, place - 3):place + 5])
        self.note(name, False, f"{len(ids)} ids, expected {len(expected)}; they part at {place}, near {around!r}")

    def same_bytes(self, name, path, text):
        """decode(encode(x)) gives back x."""
        try:
            decoded = self.decode(path, self.encode(path, text))
        except Exception as error:  # noqa: BLE001
            return self.note(name, False, str(error)[:300])
        self.note(name, decoded == text, f"{len(text)} bytes, {len(decoded)} came back")


def gpt2_from(folder):
    """GPT-2 is published as a vocabulary and merges: the same as a tokenizer.json."""
    merges = [line for line in (folder / "merges.txt").read_text().split("\n") if line and not line.startswith("#version")]
    model = {"type": "BPE", "vocab": json.loads((folder / "vocab.json").read_text()), "merges": merges}
    return forms.to_json(forms.bytes_form(model, forms.BYTES, tokens=["<|endoftext|>"]))


def published(shared, folder):
    """(name, tokenizer.json) of every published tokenizer that is there."""
    if shared is None:
        return
    for path in sorted(shared.glob("**/tokenizer.json")):
        yield path.parent.name, path
    for vocabulary in sorted(shared.glob("**/vocab.json")):
        if (vocabulary.parent / "merges.txt").exists() and not (vocabulary.parent / "tokenizer.json").exists():
            path = folder / f"{vocabulary.parent.name}.json"
            path.write_text(gpt2_from(vocabulary.parent))
            yield vocabulary.parent.name, path


def broken_bytes(seed, size):
    rng = random.Random(seed)
    text = bytearray(forms.mixed_text(seed, size).encode())
    for _ in range(size // 20):
        text[rng.randrange(len(text))] = rng.randrange(0x80, 0x100)
    for added in (b"<", b"[", b"-"):  # special tokens give no text; other added tokens put a space behind them
        text = text.replace(added, b"")
    return bytes(text)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--freshet", required=True, type=pathlib.Path)
    parser.add_argument("--shared", type=pathlib.Path, help="folder of published models and tokenizers")
    parser.add_argument("--out", type=pathlib.Path, help="JSON with every check")
    parser.add_argument("--bytes", type=int, default=10_000_000, help="of the long text")
    flags = parser.parse_args()

    long_text = forms.mixed_text(1, flags.bytes)
    short_text = forms.mixed_text(2, min(flags.bytes, 300_000))
    broken = broken_bytes(3, min(flags.bytes, 300_000))
    training = [forms.mixed_text(4, 2_000_000)]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        checks = Checks(flags.freshet, folder)
        made = {**forms.with_bytes(forms.train_bytes(training, 8000)), **forms.with_marks(forms.train_marked(training, 6000))}
        for form, parts in made.items():
            path = folder / f"{form}.json"
            path.write_text(forms.to_json(parts))
            long = form in ("gpt2", "smollm2", "llama3", "qwen2", "llama2_first")
            checks.same_ids(f"ids/{form}", path, long_text if long else short_text)
            checks.same_ids(f"ids/{form}/replaced", path, broken[:20_000].decode(errors="replace"))
        for form in ("gpt2", "smollm2", "llama3", "cl100k", "o200k", "llama2", "llama2_first", "always_split"):
            checks.same_bytes(f"broken_bytes/{form}", folder / f"{form}.json",
                              broken.replace(forms.MARK.encode(), b""))  # which is a space to the last three
        for form, path in published(flags.shared, folder):
            checks.same_ids(f"published/{form}", path, long_text[:2_000_000])
            if forms.writes_every_byte(path):  # a vocabulary of characters loses others
                checks.same_bytes(f"published/{form}/bytes", path, "".join(forms.SAMPLES).encode())
    passed = all(result["passed"] for result in checks.results)
    if flags.out:
        flags.out.write_text(json.dumps({"passed": passed, "tokenizers": tokenizers.__version__, "checks": checks.results},
                                        indent=1) + "\n")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(main())
