#!/usr/bin/env python3
"""Writes ids.json: what the Python package `tokenizers` (0.23) gives for every text and every tokenizer here."""
import json
import pathlib

import tokenizers

TEXTS = [
    "",
    " ",
    "the river runs on",
    "  the  rivers,\tstanding   still \n\n and on  ",
    "It's they'll we've I'm you'd don't 'S",
    "café cafe\u0301 日本語 naïve 😀👩‍👧 Ⅷ²",
    "1000 200 3.14 ٣٤",
    "a<s>b</s> c<unk>",
    "<|pause|>then<|pause|> on ---- and ----- or --",
    "▁under▁lined <0x41>",
    "\u00a0\u2003x\u3000\u0085y\u180ez\u200b!",
    "\x01\x7f\r\n\r\n\r",
    "aaaaaaaaaaaaaaaaaaaaaaaa                         and x and    x",
    "ZZZ the ZZZ",
]

folder = pathlib.Path(__file__).parent
ids = {}
for path in sorted(folder.glob("*.json")):
    if path.name == "ids.json":
        continue
    tokenizer = tokenizers.Tokenizer.from_file(str(path))
    ids[path.name] = [[text, tokenizer.encode(text).ids] for text in TEXTS]
lines = ",\n".join(
    json.dumps(name) + ": [\n" + ",\n".join(json.dumps(case) for case in cases) + "\n]" for name, cases in ids.items()
)
(folder / "ids.json").write_text("{\n" + lines + "\n}\n")
