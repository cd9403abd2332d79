"""What poisoned nodes reach against each rule: the toy federation, then a few campaigns on a real small model.

usage: poison.py [--model DIR] [--text FILE] [--toy build/release/bin/bench_poison] [--rounds 8] [--nodes 10]

Prints both tables and the goals, and writes build/bench/poison.json. The first is of bench_poison (tests/bench/poison.cpp); the
second runs `freshet simulate learning --poison ...`, whose text is a play: a node for each of its speakers. Its gate reads the
lines of the small parts, which no node holds. Without the text the second table is left out.
"""

import argparse
import collections
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SHARED = os.path.join(ROOT, "..", "shared")
RULES = ["mean", "median", "trimmed-mean", "multi-krum", "geometric-median"]
UNCLIPPED, GATE, MARGIN = "unclipped", "gate", 0.05
# attack, share of the nodes, what is different, rules
REAL = [("none", 0.0, "", ["mean", "median"]), ("sign-flip", 0.2, UNCLIPPED, ["mean"]), ("scale", 0.2, UNCLIPPED, ["mean"]),
        ("sign-flip", 0.2, "", RULES), ("label-flip", 0.2, "", RULES), ("backdoor", 0.2, "", RULES),
        ("small-bias", 0.2, "", RULES), ("sign-flip", 0.4, "", ["mean", "median"]), ("none", 0.0, GATE, ["mean"]),
        ("sign-flip", 0.2, GATE, ["mean"]), ("sign-flip", 0.4, GATE, ["mean"])]
TRAINING = ["--steps", "5", "--batch", "4", "--window", "64"]


def run(command):
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"poison.py: '{' '.join(command)}' ended with exit code {done.returncode}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def print_toy(rows):
    rules = list(dict.fromkeys(row["rule"] for row in rows))
    print("A linear model, 20 nodes, 25 rounds: accuracy, and how often the backdoor opens")
    print(f"{'attack':12} {'poisoned':>8} " + " ".join(f"{rule[:17]:>17}" for rule in rules))
    for key in dict.fromkeys((row["attack"], row["poisoned"]) for row in rows):
        cells = {row["rule"]: row for row in rows if (row["attack"], row["poisoned"]) == key}
        text = [f"{c['accuracy']:.3f} / {c['backdoor']:.2f}" if "accuracy" in (c := cells.get(rule, {})) else "-" for rule in rules]
        print(f"{key[0]:12} {key[1]:8} " + " ".join(f"{cell:>17}" for cell in text))


def small_parts(args):
    """A folder with what is said by all speakers but those with most to say, four for each node."""
    with open(args.text, encoding="utf-8") as file:
        speeches = [speech for speech in file.read().split("\n\n") if ":\n" in speech]
    said = collections.Counter()
    for speech in speeches:
        said[speech.split(":\n")[0]] += len(speech)
    large = {speaker for speaker, _ in said.most_common(4 * args.nodes)}
    folder = os.path.join(ROOT, "build", "bench", "small-parts")
    os.makedirs(folder, exist_ok=True)
    with open(os.path.join(folder, "parts.txt"), "w", encoding="utf-8") as file:
        file.write("\n\n".join(speech for speech in speeches if speech.split(":\n")[0] not in large))
    return folder


def real_rows(args):
    rows, further = [], {"": [], UNCLIPPED: ["--unclipped"], GATE: ["--public-text", small_parts(args), "--margin", str(MARGIN)]}
    for attack, share, with_what, rules in REAL:
        for rule in rules:
            result = run([args.freshet, "simulate-learning", "--model", args.model, "--text", args.text, "--nodes", str(args.nodes),
                          "--rounds", str(args.rounds), "--poison", attack, "--poisoned", str(share), "--robust", rule,
                          "--clip", str(args.clip), "--json", *TRAINING, *further[with_what]])
            rows.append({"attack": attack, "with": with_what, "share": share, "rule": rule,
                         **{key: result[key] for key in ("bpb_before", "bpb_after", "answer_before", "answer_after", "refused",
                                                         "held_back")}})
            row = rows[-1]
            name = attack + (f", {with_what}" if with_what else "")
            print(f"{name:22} {share:5.2f} {rule:18} {row['bpb_before']:8.3f} {row['bpb_after']:8.3f} {row['answer_after']:9.5f}"
                  f" {row['refused']:8} {row['held_back']:9}", flush=True)
    return rows


def goal(name, unit, ours, limit, lower=True):
    return {"name": name, "unit": unit, "ours": ours, "peer": None, "better": "lower" if lower else "higher", "ratio": None,
            "goal": limit, "met": ours <= limit if lower else ours >= limit}


def goal_rows(toy, real):
    """What the loss gate and the bound on norms must hold, and what rules must be worth."""
    def of(rule, *attacks):
        return [row for row in toy if row["rule"] == rule and "accuracy" in row and (row["attack"] in attacks or not attacks)]
    clean = of("mean, norm bound", "none")[0]["accuracy"]
    rows = [goal("accuracy lost to any attack by up to 40 %, median", "share", clean - min(r["accuracy"] for r in of("median")), 0.1),
            goal("backdoor opens at up to 40 %, median", "share", max(r["backdoor"] for r in of("median", "backdoor")), 0.15),
            goal("accuracy lost at 10 %, median of 10 groups", "share",
                 clean - min(r["accuracy"] for r in of("median of group means")), 0.02),
            goal("backdoor opens at 10 %, median of 10 groups", "share",
                 max(r["backdoor"] for r in of("median of group means", "backdoor")), 0.15)]
    def after(attack, with_what, share, rule="mean"):
        found = [r for r in real if (r["attack"], r["with"], r["share"], r["rule"]) == (attack, with_what, share, rule)]
        return found[0] if found else None
    base = after("none", "", 0.0)
    for attack in ("sign-flip", "scale"):
        if base and (row := after(attack, UNCLIPPED, 0.2)):
            rows.append(goal(f"gain lost to {attack} without a clip at 20 %: the bound on norms", "bits per byte",
                             base["bpb_before"] - base["bpb_after"] - (row["bpb_before"] - row["bpb_after"]), 0.05))
    for share in (0.2, 0.4):
        if row := after("sign-flip", GATE, share):
            rows.append(goal(f"loss over the start, sign-flip at {share:.0%}: the gate", "bits per byte",
                             row["bpb_after"] - row["bpb_before"], MARGIN))
    if row := after("none", GATE, 0.0):
        rows.append(goal("versions held back with nobody lying", "versions", row["held_back"], 0))
    return rows


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--toy", default="build/release/bin/bench_poison")
    parser.add_argument("--freshet", default="build/release/bin/freshet-trainer")
    parser.add_argument("--model", default="models/edge-slm")
    parser.add_argument("--text", default=os.path.join(SHARED, "text", "tinyshakespeare.txt"))
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--nodes", type=int, default=10)
    parser.add_argument("--clip", type=float, default=2)
    args = parser.parse_args()
    result = {"toy": run([args.toy])}
    print_toy(result["toy"])
    if os.path.exists(args.text):
        print(f"\n{args.model}, {args.nodes} nodes, {args.rounds} rounds: bits per byte of honest nodes, the answer's chance")
        print(f"{'attack':22} {'share':>5} {'rule':18} {'before':>8} {'after':>8} {'answer':>9} {'refused':>8} {'held back':>9}")
        result["real"] = real_rows(args)
    else:
        print(f"no real rows: {args.text} is not there; name a play with --text FILE")
    result["rows"] = goal_rows(result["toy"], result.get("real", []))
    print()
    for row in result["rows"]:
        print(f"{'met   ' if row['met'] else 'NOT MET'} {row['name']}: {row['ours']:.4g} {row['unit']}, goal {row['goal']:g}")
    path = os.path.join(ROOT, "build", "bench", "poison.json")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        json.dump(result, file, indent=1)
    print("written to build/bench/poison.json")


if __name__ == "__main__":
    main()
