#!/usr/bin/env python3
"""Writes tokenizer_forms_*.json: small tokenizers of every form, and the ids that the Python package `tokenizers`
(0.23) gives for hard texts. All forms of a file share its model; ids are null where the first form gives the same."""
import json
import pathlib
import sys

folder = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(folder.parents[1] / "interop"))
import tokenizer_forms as forms  # noqa: E402
import tokenizers  # noqa: E402


def dump(value):
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def write(name, model, made):
    lines, first = [], None
    for form_name, form in made.items():
        tokenizer = tokenizers.Tokenizer.from_str(forms.to_json(form))
        ids = [tokenizer.encode(text).ids for text in forms.NASTY]
        options = {key: value for key, value in form["model"].items() if model.get(key) != value}
        shown = [None if first and one == other else one for one, other in zip(ids, first or ids)] if first else ids
        added = [{key: value for key, value in token.items() if value or key in ("id", "normalized", "special")}
                 for token in form["added_tokens"]]
        lines.append(dump(form_name) + ":" + dump({**form, "added_tokens": added, "model": options, "ids": shown}))
        first = first or ids
    (folder / name).write_text('{"model":' + dump(model) + ',\n"texts":' + json.dumps(forms.NASTY) + ',\n"forms":{\n' +
                               ",\n".join(lines) + "}}\n")


training = forms.SAMPLES * 2 + [forms.mixed_text(7, 20_000)]
bytes_model, marked_model = forms.train_bytes(training, 380), forms.train_marked(training, 560)
write("tokenizer_forms_bytes.json", bytes_model, forms.with_bytes(bytes_model))
write("tokenizer_forms_marked.json", marked_model, forms.with_marks(marked_model))
