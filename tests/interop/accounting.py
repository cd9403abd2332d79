"""Privacy ledgers checked by other accountants: Google's dp-accounting, and Opacus where it is there.

A ledger is written here byte by byte as storage/record_file.h and aggregation/privacy/ledger.cpp describe it, read with
`freshet privacy ledger --json`, and every figure in it is computed again from its charges. So is one that trainings wrote.
"""

import hashlib
import importlib
import json
import logging
import os
import struct
import subprocess
import tempfile

from checks import BIN, ROOT, Failed

CASES = (  # noise multiplier, sampling rate, rounds
    (1.0, 1.0, 5), (3.0, 1.0, 40), (1.5, 0.04, 2250), (0.8, 0.001, 100), (2.0, 0.2, 200), (1.0, 0.0064, 782))
DELTA = 1e-5


def privacy(*words):
    done = subprocess.run([os.path.join(BIN, "freshet"), "privacy", *map(str, words), "--json"], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, timeout=300, check=False)
    if done.returncode != 0:
        raise Failed(f"privacy {words[0]}: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
    return json.loads(done.stdout)


def digest(before, record):
    domain = b"freshet/record/v1"
    return hashlib.blake2b(bytes([len(domain)]) + domain + before + record, digest_size=32).digest()


def write_ledger(path, kind, records):
    data, last = b"freshet/records1", digest(b"", kind.encode())
    for record in records:
        last = digest(last, record)
        data += struct.pack("<II", len(record), len(record) ^ 0xFFFFFFFF) + last + record
    with open(path, "wb") as file:
        file.write(data)


def charge(number, multiplier, rate):
    sid = hashlib.blake2b(number.to_bytes(8, "little"), digest_size=32).digest()
    return struct.pack("<B32sQQddddQIIQ", 2, sid, 7, number, multiplier, rate, 0.0, 1000.0, 256 * 100, 30, 45, 10_000)


def event_of(dp, multiplier, rate):
    gaussian = dp.GaussianDpEvent(multiplier)
    return gaussian if rate == 1 else dp.PoissonSampledDpEvent(rate, gaussian)


def google_epsilons(charges, delta):
    """(Renyi, PLD), or a PLD of None where its own grid would be too large."""
    dp = importlib.import_module("dp_accounting")
    logging.disable(logging.WARNING)  # it leaves out orders whose series does not converge, and says so for each
    rdp = importlib.import_module("dp_accounting.rdp")
    pld = importlib.import_module("dp_accounting.pld")
    renyi, tight = rdp.RdpAccountant(), pld.PLDAccountant()
    for (multiplier, rate), times in charges.items():
        for accountant in (renyi, tight):
            accountant.compose(event_of(dp, multiplier, rate), times)
    return renyi.get_epsilon(delta), tight.get_epsilon(delta)


def opacus_epsilon(charges, delta):
    rdp = importlib.import_module("opacus.accountants.analysis.rdp")
    orders = [1 + tenths / 10 for tenths in range(1, 100)] + list(range(11, 64))
    total = sum(rdp.compute_rdp(q=rate, noise_multiplier=multiplier, steps=times, orders=orders)
                for (multiplier, rate), times in charges.items())
    return rdp.get_privacy_spent(orders=orders, rdp=total, delta=delta)[0]


def check_epsilons(checks, name, ours, charges, delta):
    renyi, tight = google_epsilons(charges, delta)
    # Their fractional orders add absolute values, a little more than the exact sum.
    checks.check(f"{name}: Renyi epsilon as dp-accounting", -5e-3 <= ours["epsilon"] / renyi - 1 <= 1e-6,
                 f"{ours['epsilon']:.6f}, theirs {renyi:.6f}")
    checks.check(f"{name}: PLD epsilon as dp-accounting", abs(ours["pld_epsilon"] / tight - 1) <= 2e-3,
                 f"{ours['pld_epsilon']:.6f}, theirs {tight:.6f}")
    try:
        theirs = opacus_epsilon(charges, delta)
    except ImportError as error:
        checks.skip(f"{name}: Renyi epsilon as Opacus", f"opacus is not there ({error.name})")
    else:
        checks.check(f"{name}: Renyi epsilon as Opacus", abs(ours["epsilon"] / theirs - 1) <= 1e-6,
                     f"{ours['epsilon']:.6f}, theirs {theirs:.6f}")


def ledgers(checks):
    written = [(1.5, 0.04)] * 20 + [(2.0, 0.1)] * 7 + [(4.0, 1.0)] * 3
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "privacy.ledger")
        records = [struct.pack("<Bdd", 1, 8.0, DELTA)] + [charge(i + 1, *each) for i, each in enumerate(written)]
        write_ledger(path, "campaign-privacy", records)
        report = privacy("ledger", path)
    charges = {}
    for each in report["charges"]:
        key = (each["noise_multiplier"], each["sampling_rate"])
        charges[key] = charges.get(key, 0) + 1
    checks.check("a ledger written here is read there", [report["owner"], sum(charges.values())] == ["campaign", 30] and
                 report["budget"] == {"epsilon": 8.0, "delta": DELTA}, f"{sum(charges.values())} charges")
    check_epsilons(checks, "a ledger", report, charges, DELTA)
    plain = {}
    for (multiplier, _), times in charges.items():
        plain[(multiplier, 1.0)] = plain.get((multiplier, 1.0), 0) + times
    without = {name: report[f"{name}_without_amplification"] for name in ("epsilon", "pld_epsilon")}
    check_epsilons(checks, "a ledger without amplification", without, plain, DELTA)


def trainings(checks):
    """The ledger of a machine's own trainings with privacy of every example, as `model finetune` writes it."""
    with tempfile.TemporaryDirectory() as folder:
        text, ledger = os.path.join(folder, "notes.txt"), os.path.join(folder, "node", "examples.ledger")
        with open(text, "w", encoding="utf-8") as file:
            file.writelines(f"line {i % 7} when the rivers rise the {'miller' if i % 3 else 'ferryman'} sleeps\n" for i in range(400))
        for number, noise in enumerate((1.1, 0.8)):
            done = subprocess.run(
                [os.path.join(BIN, "freshet"), "model", "finetune", os.path.join(ROOT, "tests", "trainer", "golden", "qwen3"), "--data",
                 text, "--out", os.path.join(folder, f"adapter-{number}"), "--rank", "2", "--window", "16", "--batch", "4", "--steps",
                 "30", "--dp-noise", str(noise), "--dp-folder", os.path.dirname(ledger), "--dp-budget", "50", "--json"],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300, check=False)
            if done.returncode != 0:
                raise Failed(f"model finetune --dp-noise {noise}: exit code {done.returncode}: {done.stderr.strip()[-300:]}")
        said = json.loads(done.stdout.splitlines()[-1])["privacy"]
        report = privacy("ledger", ledger)
    charges = {(each["noise_multiplier"], each["sampling_rate"]): each["steps"] for each in report["charges"]}
    checks.check("a ledger of trainings has what was trained", report["owner"] == "examples" and len(charges) == 2 and
                 abs(said["epsilon_of_all"] / report["epsilon"] - 1) < 1e-9, f"{charges}")
    check_epsilons(checks, "a ledger of trainings", report, charges, DELTA)


def run(checks):
    try:
        importlib.import_module("dp_accounting")
    except ImportError as error:
        checks.skip("accounting", f"dp-accounting is not there ({error.name})")
        return
    for multiplier, rate, rounds in CASES:
        ours = privacy("epsilon", "--multiplier", multiplier, "--rate", rate, "--rounds", rounds, "--delta", DELTA)
        check_epsilons(checks, f"noise {multiplier}, rate {rate}, {rounds} rounds", ours, {(multiplier, rate): rounds}, DELTA)
    ledgers(checks)
    trainings(checks)
