"""Training, generation and tokenizers with Freshet and with transformers, peft and tokenizers, in alternation, threads equal.

usage: trainer.py [--runs 3] [--threads N] [--only PART...]

Models have random weights in known shapes (tests/bench/random_model.py), adapters r=8 on every linear layer, rows of 256 tokens,
batches of 4. Prints a table of medians and writes build/bench/trainer.json. Peak memory is the largest resident set of the
whole process. Run by an environment without torch it prints Freshet's figures alone.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import random_model                                                                     # noqa: E402

ROOT = random_model.ROOT
OUT = os.path.join(ROOT, "build", "bench")
BIN = os.environ.get("FRESHET_BIN", os.path.join(ROOT, "build", "release", "bin"))
PARTS = ("bf16", "start", "f32", "losses", "gpt2", "360M", "generate", "tokenizers")
MB = 1e6
# MobileFineTuner with OpenBLAS as recorded on a 2-core EPYC machine, not run here: GPT-2-small, r=8 on qkv and proj, rows of 128;
# the best of 58-82 and of 117-127 tokens/s.
MOBILE_FINETUNER = {1: {"rate": 82, "peak": 890e6}, 4: {"rate": 127, "peak": 1660e6}}
WINDOW, BATCH, STEPS, LOSSES = 256, 4, 5, 50
TRAIN_CHARS = 300_000


class Unavailable(Exception):
    """A side that did not run: why."""


def run(command, **environment):
    """The JSON of the last line, with the process's seconds and peak memory."""
    begun = time.monotonic()
    if not os.path.exists(command[0]):
        raise Unavailable(f"{command[0]} is not built")
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env={**os.environ, **environment}) as process:
        out, err = process.stdout.read(), process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    lines = out.strip().splitlines()
    if process.returncode != 0 or not lines:
        words = err.strip().splitlines()
        raise Unavailable(f"{' '.join(command[:4])}: exit code {process.returncode}: {words[-1][:300] if words else 'it said nothing'}")
    return {**json.loads(lines[-1]), "wall": time.monotonic() - begun, "peak": usage.ru_maxrss * 1024}


class Bench:
    def __init__(self, args):
        self.args, self.rows, self.notes = args, [], []
        self.peer_python = sys.executable
        probe = subprocess.run([self.peer_python, "-c", "import torch, transformers, peft, tokenizers"], capture_output=True, text=True)
        self.has_peer = probe.returncode == 0
        if not self.has_peer:
            self.note(f"no peer: {probe.stderr.strip().splitlines()[-1]} (deploy/interop_env.sh says why): our figures only")

    def note(self, text):
        self.notes.append(text)
        print(text, flush=True)

    def ours(self, *words):
        return run([os.path.join(BIN, "freshet"), "model", *map(str, words), "--json"])

    def peer(self, *words, wait="passive"):
        return run([self.peer_python, "tests/bench/trainer_peer.py", *map(str, words), "--threads", str(self.args.threads)],
                   OMP_NUM_THREADS=str(self.args.threads), OMP_WAIT_POLICY=wait, HF_HUB_OFFLINE="1", TRANSFORMERS_VERBOSITY="error")

    def alternate(self, name, sides):
        """{side: results of args.runs runs}, every second pair in the other order. A side that fails is said and left out."""
        results = {side: [] for side in sides}
        for index in range(self.args.runs):
            for side in list(sides) if index % 2 == 0 else reversed(list(sides)):
                try:
                    result = sides[side]()
                except Unavailable as reason:
                    self.note(f"{name} {side}: {reason}")
                    continue
                results[side].append(result)
                figures = ", ".join(f"{key} {value:.4g}" for key, value in result.items() if isinstance(value, (int, float)) and not isinstance(value, bool))
                print(f"{name} {side} {index + 1}/{self.args.runs}: {figures}", flush=True)
        return results

    def row(self, name, unit, ours, peer, better, goal):
        """`goal`: ("ratio" or "ours", the bound), to be reached from the better side."""
        ratio = ours / peer if ours is not None and peer else None
        measured = ratio if goal[0] == "ratio" else ours
        met = measured is not None and (measured >= goal[1] if better == "higher" else measured <= goal[1])
        sign = ">=" if better == "higher" else "<="
        self.rows.append({"name": name, "unit": unit, "ours": ours, "peer": peer, "better": better, "ratio": ratio,
                          "goal": f"{sign} {goal[1]:g}" + (" x" if goal[0] == "ratio" else f" {unit}"), "met": met})


def median(results, key):
    values = [result[key] for result in results if result.get(key) is not None]
    return statistics.median(values) if values else None


def in_mb(value):
    return None if value is None else value / MB


def finetune_words(folder, data, precision, *more):
    out = os.path.join(OUT, "adapter")
    return ["finetune", folder, "--data", data, "--out", out, "--init", os.path.join(folder, "lora"), "--batch", BATCH, "--window", WINDOW,
            "--lr", 1e-3, "--schedule", "constant", "--warmup", 0, "--clip", 0, "--weight-decay", 0, "--optimizer", "adamw",
            "--order", "sequential", "--precision", precision, "--force", *more]


def make_texts():
    """This project's own sources and documents: text that is there wherever the bench is. All of it, and what training gets."""
    parts = []
    for top in ("aggregation", "base", "cli", "coordinator", "crypto", "docs", "edge_node", "model", "protocol", "simulations", "storage",
                "tests", "trainer", "transport"):
        for at, folders, names in os.walk(os.path.join(ROOT, top)):
            folders.sort()
            for name in sorted(names):
                if name.endswith((".h", ".cpp", ".md", ".py")):
                    with open(os.path.join(at, name), encoding="utf-8") as file:
                        parts.append(file.read().replace("<|", "< |"))
    paths = os.path.join(OUT, "text.txt"), os.path.join(OUT, "train.txt")
    for path, text in zip(paths, ("".join(parts), "".join(parts)[:TRAIN_CHARS].strip())):
        with open(path, "w", encoding="utf-8", newline="") as file:
            file.write(text)
    return paths


def peer_settings(bench, folder, ids):
    """The peer's best: threads that wait passively or actively, the adapter in f32 (peft's default) or in bf16."""
    tried = {}
    for wait in ("passive", "active") if os.getloadavg()[0] < 1.5 else ("passive",):   # waiting actively on a busy machine takes for ever
        for words in ([], ["--bf16-adapter"]):
            try:
                tried[wait, tuple(words)] = bench.peer("train", folder, "--ids", ids, "--steps", 3, *words, wait=wait)["tokens_per_second"]
            except Unavailable as reason:
                bench.note(f"peer with {wait} threads: {reason}")
    if not tried:
        return "passive", []
    best = max(tried, key=tried.get)
    bench.note(f"the peer's threads wait {best[0]}ly, its adapter is {'bf16' if best[1] else 'f32'}: the best of "
               + ", ".join(f"{rate:.0f}" for rate in tried.values()) + " tokens/s")
    return best[0], list(best[1])


def train(bench, precision, folder, text, ids):
    threads = bench.args.threads
    sides = {"ours": lambda: bench.ours(*finetune_words(folder, text, precision, "--steps", STEPS, "--threads", threads))}
    if bench.has_peer:
        wait, words = bench.settings
        words = words if precision == "bf16" else []
        sides["peer"] = lambda: bench.peer("train", folder, "--ids", ids, "--steps", STEPS, "--precision", precision, *words, wait=wait)
    results = {"peer": [], **bench.alternate(precision, sides)}
    rates = {side: median(results[side], "tokens_per_second") for side in results}
    peaks = {side: in_mb(median(results[side], "peak")) for side in results}
    bench.row(f"135M {precision}, training", "tokens/s", rates["ours"], rates["peer"], "higher", ("ratio", 1.5))
    if precision == "bf16":
        bench.row("135M bf16, peak memory", "MB", peaks["ours"], peaks["peer"], "lower", ("ratio", 0.5))
        first = {side: median(results[side], "first_step_seconds") for side in results if results[side]}
        bench.note("start to first step where mostly the other side ran before: " + ", ".join(f"{side} {value:.2f} s" for side, value in first.items()))


def start(bench, folder, text, ids):
    """Each side after itself: a virtual machine gives memory back that a process freed, and has it cleared anew, page by page, when the next
    process touches it. After the peer's 3 GB that is most of a second of our start, and nothing of it is ours."""
    sides = {"ours": lambda: bench.ours(*finetune_words(folder, text, "bf16", "--steps", 1, "--threads", bench.args.threads))}
    if bench.has_peer:
        wait, words = bench.settings
        sides["peer"] = lambda: bench.peer("train", folder, "--ids", ids, "--steps", 1, "--precision", "bf16", *words, wait=wait)
    seconds = {"ours": [], "peer": []}
    for side, run_side in sides.items():
        run_side()
        seconds[side] = [run_side()["first_step_seconds"] for _ in range(bench.args.runs)]
        print(f"start {side}: " + ", ".join(f"{value:.2f}" for value in seconds[side]) + " s", flush=True)
    ours, peer = (statistics.median(seconds[side]) if seconds[side] else None for side in ("ours", "peer"))
    bench.row("135M bf16, start to first step", "s", ours, peer, "lower", ("ours", 2.0))


def losses(bench, folder, text, ids):
    ours = bench.ours(*finetune_words(folder, text, "f32", "--steps", LOSSES, "--losses", "--threads", bench.args.threads))["losses"]
    theirs = None
    if bench.has_peer:
        theirs = bench.peer("train", folder, "--ids", ids, "--steps", LOSSES, "--precision", "f32", wait=bench.settings[0])["losses"]
        if len(ours) != LOSSES:
            raise Unavailable(f"ours gave {len(ours)} losses")
    apart = None if theirs is None else max(abs(a - b) for a, b in zip(ours, theirs))
    if theirs is not None:
        bench.note(f"losses from {ours[0]:.4f} to {ours[-1]:.4f}, theirs to {theirs[-1]:.4f}")
    bench.row(f"first {LOSSES} losses in f32, apart from peft's", "nats", apart, None, "lower", ("ours", 1e-3))


def gpt2(bench, text):
    folder = random_model.make(os.path.join(OUT, "model-gpt2"), "gpt2")
    for batch, recorded in MOBILE_FINETUNER.items():
        words = finetune_words(folder, text, "auto", "--steps", 2 * STEPS, "--threads", bench.args.threads)
        words[words.index("--batch") + 1], words[words.index("--window") + 1] = batch, 128
        results = bench.alternate(f"gpt2 batch {batch}", {"ours": lambda words=words: bench.ours(*words)})["ours"]
        bench.row(f"GPT-2 small, batch {batch}, training (MobileFineTuner as recorded)", "tokens/s", median(results, "tokens_per_second"),
                  recorded["rate"], "higher", ("ratio", 2.0))
        bench.row(f"GPT-2 small, batch {batch}, peak memory (as recorded)", "MB", in_mb(median(results, "peak")), in_mb(recorded["peak"]),
                  "lower", ("ratio", 0.6))


def small_memory(bench, text):
    folder = random_model.make(os.path.join(OUT, "model-360M"), "360M")
    result = bench.ours(*finetune_words(folder, text, "auto", "--steps", 3, "--memory-max", "1500M", "--threads", bench.args.threads))
    chosen = {key: result.get(key) for key in ("precision", "micro_batch", "recompute")}
    bench.note(f"360M under 1500M: {result['tokens_per_second']:.0f} tokens/s with {chosen}, predicted "
               f"{result.get('predicted_peak_bytes', 0) / MB:.0f} MB")
    trained = result["steps"] == 3 and abs(result["last_loss"]) < 100
    bench.row("360M under --memory-max 1500M, peak memory", "MB", result["peak"] / MB if trained else None, None, "lower", ("ours", 1500))


def generate(bench, folder):
    threads = bench.args.threads
    prompt = ",".join(map(str, range(3, 19)))
    sides = {"ours": lambda: bench.ours("generate", folder, "--prompt-ids", prompt, "--max-tokens", 128, "--greedy",
                                        "--precision", "bf16", "--threads", threads)}
    if bench.has_peer:
        sides["peer"] = lambda: bench.peer("generate", folder, "--tokens", 128, wait=bench.settings[0])
    results = {"peer": [], **bench.alternate("generate", sides)}
    bench.row("135M bf16, greedy generation", "tokens/s", median(results["ours"], "tokens_per_second"),
              median(results["peer"], "tokens_per_second"), "higher", ("ratio", 2.0))


def our_tokenizer(path, text):
    program = os.path.join(BIN, "bench_tokenizer")
    if not os.path.exists(program):
        raise Unavailable("bench_tokenizer is not built (make bench-trainer builds it)")
    done = subprocess.run([program, path, text, "5"], capture_output=True, text=True, check=False)
    found = re.search(r"median ([0-9.]+) MB/s", done.stdout)
    if done.returncode != 0 or not found:
        raise Unavailable(f"bench_tokenizer: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    return {"megabytes_per_second": float(found[1])}


def tokenizers(bench, text):
    paths = {"byte-level BPE": os.path.join(ROOT, "models", "edge-slm", "tokenizer.json")}
    if bench.has_peer:
        paths = bench.peer("learn", OUT, "--text", text)["paths"]
    for name, path in paths.items():
        sides = {"ours": lambda path=path: our_tokenizer(path, text)}
        if bench.has_peer:
            sides["peer"] = lambda path=path: bench.peer("tokenize", path, "--text", text, "--steps", 3)
        results = {"peer": [], **bench.alternate(name, sides)}
        bench.row(f"{name}, one core", "MB/s", median(results["ours"], "megabytes_per_second"), median(results["peer"], "megabytes_per_second"),
                  "higher", ("ratio", 1.0))


def print_table(rows):
    print(f"\n{'':66} {'unit':>8} {'ours':>9} {'peer':>9} {'ratio':>6}  goal")
    for r in rows:
        ours, peer, ratio = ("-" if r[key] is None else f"{r[key]:.4g}" for key in ("ours", "peer", "ratio"))
        print(f"{r['name']:66} {r['unit']:>8} {ours:>9} {peer:>9} {ratio:>6}  {r['goal']}  {'met' if r['met'] else 'NOT MET'}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--only", nargs="+", choices=PARTS, default=PARTS)
    args = parser.parse_args()
    os.makedirs(OUT, exist_ok=True)
    load = os.getloadavg()[0]
    bench = Bench(args)
    if load > 0.5:
        bench.note(f"the machine is busy (load {load:.1f}): the times below compare little")
    (all_text, text), ids = make_texts(), os.path.join(OUT, "ids.json")
    folder = random_model.make(os.path.join(OUT, "model-135M"), "135M")
    if bench.has_peer:
        bench.peer("encode", os.path.join(folder, "tokenizer.json"), "--text", text, "--ids", ids)
        training = set(args.only) & {"bf16", "start", "f32", "losses", "generate"}
        bench.settings = peer_settings(bench, folder, ids) if training else ("passive", [])
    work = {"bf16": lambda: train(bench, "bf16", folder, text, ids), "start": lambda: start(bench, folder, text, ids),
            "f32": lambda: train(bench, "f32", folder, text, ids),
            "losses": lambda: losses(bench, folder, text, ids), "gpt2": lambda: gpt2(bench, text),
            "360M": lambda: small_memory(bench, text), "generate": lambda: generate(bench, folder),
            "tokenizers": lambda: tokenizers(bench, all_text)}
    for part in args.only:
        try:
            work[part]()
        except Unavailable as reason:
            bench.note(f"{part}: {reason}")
            bench.row(part, "", None, None, "lower", ("ours", 0))
    print_table(bench.rows)
    with open(os.path.join(OUT, "trainer.json"), "w", encoding="utf-8") as file:
        json.dump({"rows": bench.rows, "notes": bench.notes, "runs": args.runs, "threads": args.threads, "load_at_start": load}, file, indent=1)


main()
