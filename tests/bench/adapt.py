"""How much of the nodes' private domains reaches a cloud model that never sees them, by every way, beside its controls.

Runs `freshet evaluate adapt` over fixed seeds and writes build/bench/adapt.json: the whole of what it says, and rows with the
project's goals. General text is what models/corpus.sh keeps out of pre-training; it fetches it where it is missing.

usage: adapt.py [--seeds 1 2 3] [--general DIR] [--threads N] [-- FLAGS of freshet evaluate adapt]
"""

import argparse
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
OUT = os.path.join(ROOT, "build", "bench")


def general_text(folder):
    if not os.path.isdir(folder):
        corpus = os.path.dirname(folder)
        subprocess.run([os.path.join(ROOT, "models", "corpus.sh"), corpus], check=True)
    return folder


def evaluate(args):
    words = [os.path.join(ROOT, "build", "release", "bin", "freshet"), "evaluate", "adapt",
             "--slm", os.path.join(ROOT, "models", "edge-slm"), "--llm", os.path.join(ROOT, "models", "cloud-llm"),
             "--general", general_text(args.general), "--threads", str(args.threads), "--json"]
    for seed in args.seeds:
        words += ["--seed", str(seed)]
    done = subprocess.run(words + args.flags, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"adapt.py: exit code {done.returncode}")
    return json.loads(done.stdout)


def mean(values):
    values = list(values)
    return sum(values) / len(values)


def row(name, unit, ours, peer, better, goal):
    """`goal` is met from the better side. `peer`: a control, or None."""
    met = ours >= goal if better == "higher" else ours <= goal
    return {"name": name, "unit": unit, "ours": ours, "peer": peer, "better": better,
            "ratio": ours / peer if peer else None, "goal": goal, "met": met}


def gap_row(ways, name, goal, control=None):
    gap = ways[name].get("gap_recovered")
    peer = ways[control]["gap_recovered"] if control in ways else None
    made = row(f"gap recovered by {name}", "of the gap", gap["value"], peer["value"] if peer else None, "higher", goal)
    made["low"], made["high"] = gap["low"], gap["high"]
    if peer:
        made["met"] = made["met"] and gap["low"] > peer["high"]
    return made


def candidate_rows(some, every):
    pairs = list(zip(some["seeds"], every["seeds"]))
    loss = mean(a["bits_per_byte"] / b["bits_per_byte"] for a, b in pairs)
    error = mean(a["calibration_error"] - b["calibration_error"] for a, b in pairs)
    return [row("loss after some candidates and the rest beside all", "share", loss, None, "lower", 1.01),
            row("calibration error after some candidates, less that after all", "share", error, None, "lower", 0.0)]


def goal_rows(found):
    ways = {way["name"]: way for way in found["ways"]}
    rows = []
    for name, goal, control in (("distill", 0.75, "public-only"), ("generate", 0.75, "generate-untuned"),
                                ("logits", 0.6, "logits-untuned"), ("proxy", 0.5, "proxy-random"), ("mix", 0.9, "public-only")):
        if name in ways and "gap_recovered" in ways[name]:
            rows.append(gap_row(ways, name, goal, control))
    if "base" in ways:
        general = {s["seed"]: s["general_bits_per_byte"] for s in ways["base"]["seeds"]}
        for name in ("distill", "generate", "logits", "mix"):
            if name in ways:
                worse = mean(s["general_bits_per_byte"] / general[s["seed"]] - 1 for s in ways[name]["seeds"])
                rows.append(row(f"general text after {name}", "worse", worse, None, "lower", 0.03))
    if "mix" in ways and "slm-tuned" in ways:
        tuned = {s["seed"]: s["domains"] for s in ways["slm-tuned"]["seeds"]}
        better = mean(mean(value < tuned[s["seed"]][domain] for domain, value in s["domains"].items()) for s in ways["mix"]["seeds"])
        rows.append(row("domains that the mix predicts better than the tuned small model", "share", better, None, "higher", 1.0))
    if "logits" in ways:
        share = mean(s["bytes_up"] / s["notes"]["adapter_bytes_of_largest"] for s in ways["logits"]["seeds"])
        rows.append(row("bytes of logits beside those of adapters", "share", share, None, "lower", 0.25))
    if "back" in ways and "slm-tuned" in ways:
        tuned = {s["seed"]: s["bits_per_byte"] for s in ways["slm-tuned"]["seeds"]}
        won = mean(s["bits_per_byte"] < tuned[s["seed"]] for s in ways["back"]["seeds"])
        rows.append(row("seeds in which the cloud model teaches the small one", "share", won, None, "higher", 1.0))
    if "some-candidates" in ways and "all-candidates" in ways:
        rows += candidate_rows(ways["some-candidates"], ways["all-candidates"])
    runs = found["longest_private_run_written"].values()
    if any(runs):
        rows.append(row("longest run of private text that was written", "bytes", max(runs), None, "lower", 49))
    return rows


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--general", default=os.path.join(ROOT, "build", "corpus", "valid"))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("flags", nargs="*")
    args = parser.parse_args()
    found = evaluate(args)
    rows = goal_rows(found)
    os.makedirs(OUT, exist_ok=True)
    with open(os.path.join(OUT, "adapt.json"), "w", encoding="utf-8") as file:
        json.dump({**found, "rows": rows}, file, indent=1)
    for r in rows:
        peer = "" if r["peer"] is None else f"{r['peer']:.3f}"
        print(f"{r['name']:66} {r['ours']:9.3f} {peer:>9}  goal {r['goal']:g}  {'met' if r['met'] else 'NOT MET'}")


if __name__ == "__main__":
    main()
