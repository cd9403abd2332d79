"""Turns the text of unpacked Debian packages into documents of running English prose.

usage: extract.py SOURCES.tsv UNPACKED OUTDIR

SOURCES.tsv has one line a source: package, kind of text, share of the bytes that it may fill, globs below
the package's root. Writes OUTDIR/train/NAME.txt and OUTDIR/valid/NAME.txt with `<|endoftext|>` on a line of its own
after every document, and the sizes in OUTDIR/sizes.tsv. Which document is held out depends on its content alone.
"""

import glob
import gzip
import hashlib
import html
import os
import re
import sys

END = "<|endoftext|>\n"
DOCUMENT_MIN = 500          # bytes: what is shorter teaches little about running text
DOCUMENT_MAX = 60_000       # bytes: longer ones are cut between paragraphs
HELD_OUT_OF = 240           # one document in so many is held out

COMMON = set(
    "the of to and a in is that for it as be with on by this are or an from not you if can will was which at have has"
    " but they their he his we all one when there would who what more so its were other been may no any do only such"
    " than then some these them into should use used must also how because your out up my me her she him i our".split())

BIBLE = re.compile(
    r"--\s*(?:[1-3I]{0,3}\.?\s*)?(?:Gen|Ex|Exod|Lev|Num|Deut|Josh|Judg|Judges|Ruth|Sam|Kings|Chron|Ezra|Neh|Esth|Esther|Job|Ps"
    r"|Psalms?|Prov|Eccl|Eccles|Ecclus|Cant|Song of Sol|Isa|Is|Jer|Lam|Ezek|Dan|Hos|Joel|Amos|Jonah|Mic|Micah|Nah|Hab"
    r"|Zeph|Hag|Zech|Mal|Matt|Mark|Luke|John|Acts|Rom|Cor|Gal|Eph|Phil|Col|Thess|Tim|Titus|Philem|Heb|James|Jas"
    r"|Pet|Jude|Rev|Bible|Douay|Wyclif|Tyndale)\b\.?", re.I)

ASCII = {ord(k): v for k, v in {
    "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2013": "-", "\u2014": " - ", "\u2026": "...",
    "\u00a0": " ", "\u2212": "-", "\u00ad": "", "\u200b": "", "\ufeff": "", "\u2010": "-", "\u2011": "-",
    "\u2192": "->", "\u2022": "*"}.items()}


def is_prose(paragraph, common_min=0.16, words_min=8):
    """True for sentences; False for menus, tables, code and lists of names."""
    words = re.findall(r"[A-Za-z']+", paragraph)
    if len(words) < words_min:
        return False
    letters = sum(c.isalpha() or c in " \n" for c in paragraph)
    if letters < 0.86 * len(paragraph):
        return False
    if sum(ord(c) > 126 for c in paragraph) > 0.03 * len(paragraph):
        return False
    if sum(len(w) > 24 for w in paragraph.split()) > 1:
        return False
    return sum(w.lower() in COMMON for w in words) >= common_min * len(words)


def read(path):
    opener = gzip.open if path.endswith((".gz", ".dz")) else open
    with opener(path, "rb") as file:
        return file.read().decode("utf-8", "replace").translate(ASCII)


def squeeze(text):
    return re.sub(r"\s+", " ", text).strip()


# One function a kind: path -> list of documents, a document being a list of paragraphs.

def from_html(path):
    text = read(path)
    body = re.search(r"<(body|main)\b.*", text, re.S | re.I)
    text = body.group(0) if body else text
    for tag in ("script", "style", "nav", "header", "footer", "table", "svg", "math", "select", "button"):
        text = re.sub(rf"<{tag}\b.*?</{tag}>", "\n\n", text, flags=re.S | re.I)
    text = re.sub(r"<pre\b.*?</pre>", "\n\n", text, flags=re.S | re.I)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.S)
    text = re.sub(r"</?(p|div|h[1-6]|li|ul|ol|dl|dt|dd|blockquote|section|article|hr|center)\b[^>]*>", "\n\n",
                  text, flags=re.I)
    text = re.sub(r"<[^>]*>", "", text)
    text = html.unescape(text).translate(ASCII)
    return [[squeeze(p) for p in re.split(r"\n[ \t\r]*\n", text)]]


def from_mallard(path):
    text = re.sub(r"<(info|screen|code|table|links|media)\b.*?</\1>", "\n\n", read(path), flags=re.S)
    text = re.sub(r"</?(p|item|title|section|note|steps|list|page)\b[^>]*>", "\n\n", text)
    text = html.unescape(re.sub(r"<[^>]*>", "", text)).translate(ASCII)
    return [[squeeze(p) for p in re.split(r"\n[ \t\r]*\n", text)]]


def strip_inline(paragraph):
    paragraph = re.sub(r":[a-z:+]+:`~?([^`<]*?)\s*(?:<[^`]*>)?`", r"\1", paragraph)
    paragraph = re.sub(r"`([^`<]*?)\s*<[^`]*>`__?", r"\1", paragraph)
    paragraph = re.sub(r"``(.+?)``", r"\1", paragraph)
    paragraph = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", paragraph)
    return re.sub(r"\*\*|__|`_?|(?<!\w)[*_](?=[\w\"'.(])|(?<=[\w.,!?\"')])[*_](?!\w)", "", paragraph)


def from_plain(path):
    """reStructuredText, Markdown, AsciiDoc and plain text: paragraphs at the margin or little indented."""
    kept = []
    for paragraph in re.split(r"\n[ \t\r]*\n", read(path)):
        lines = [line.rstrip() for line in paragraph.strip("\n").split("\n")]
        lines = [re.sub(r"^(>\s?)+", "", line) for line in lines]
        indent = min((len(l) - len(l.lstrip()) for l in lines if l.strip()), default=99)
        first = lines[0].strip()
        if indent > 4 or first.startswith(("..", ":", "#", "|", "+--", "//", "```", "$", ">>>", "<")):
            continue
        lines = [line[indent:] for line in lines if not re.fullmatch(r"\s*([=~\-^\"'*#+.`:_])\1{2,}\s*", line)]
        kept.append(strip_inline("\n".join(l.strip() if indent else l for l in lines)).strip())
    return [kept]


def from_wml(path):
    """Stories and dialogue of The Battle for Wesnoth: its translatable strings, in order."""
    found = re.findall(r'_\s*"((?:[^"]|"")*)"', read(path))
    return [[squeeze(re.sub(r"<[^>]*>", "", s.replace('""', '"'))) for s in found]]


def from_crawl(path):
    text = re.sub(r"%%%%\n[^\n]*\n", "\n\n", read(path))
    return [[p.strip() for p in re.split(r"\n[ \t]*\n", text) if not p.lstrip().startswith(("{{", ":", "#", "<"))]]


def in_groups(entries, size):
    return [entries[i:i + size] for i in range(0, len(entries), size)]


def from_gcide(path):
    entries = []
    for entry in re.split(r"\n(?=\S)", read(path)):
        entry = re.sub(r"\[(?:1913 Webster|PJC|WordNet [\d.]+|Webster[^\]]*|GCIDE[^\]]*|[A-Z]{2,5}|"
                       r"\+?[A-Za-z0-9 .]*Suppl?\.?)[^\]]*\]", "", entry)
        parts = re.split(r"\n[ \t]*\n", entry)
        if re.search(r"jargon|foldoc|dictionary of computing", entry, re.I):
            continue
        parts = [squeeze(re.sub(r"[{}]", "", p)) for p in parts if not BIBLE.search(squeeze(p))]
        head = re.sub(r"\\[^\\]*\\", "", parts[0]) if parts else ""
        for _ in range(3):                                  # etymologies, which nest
            head = re.sub(r"\s*\[[^\[\]]*\]\s*", " ", head)
        head = re.sub(r"^([^\[]{0,40})\[?[^\[\]]*\]", r"\1", head).replace(" ,", ",").replace(" .", ".")
        text = "\n".join([head] + [p for p in parts[1:] if len(p) > 20])
        if len(text) > 60:
            entries.append(text)
    return in_groups(entries, 30)


def from_wordnet(path):
    kinds = {"n": "noun", "v": "verb", "adj": "adjective", "adv": "adverb"}
    entries, seen = [], set()
    for entry in re.split(r"\n(?=\S)", read(path))[1:]:
        head, _, body = entry.partition("\n")
        for sense in re.split(r"\n\s+(?=(?:(?:n|v|adj|adv) )?\d+: )", "\n" + body):
            match = re.match(r"\s*(?:(n|v|adj|adv) )?\d+: (.*)", sense, re.S)
            if not match:
                continue
            gloss = squeeze(re.sub(r"\[(?:syn|ant|also):.*?\]", "", match.group(2), flags=re.S)).replace("{", "").replace("}", "")
            if len(gloss) < 30 or gloss in seen:
                continue
            seen.add(gloss)
            kind = kinds.get(match.group(1), "")
            entries.append(f"{head}{', ' + kind if kind else ''}: {gloss}.")
    return in_groups(entries, 40)


KINDS = {"html": from_html, "mallard": from_mallard, "plain": from_plain, "wml": from_wml, "crawl": from_crawl,
         "gcide": from_gcide, "wordnet": from_wordnet}
DICTIONARIES = ("gcide", "wordnet")


def documents(kind, paths, seen):
    """Every document once, without the paragraphs that an earlier one had."""
    for path in paths:
        for paragraphs in KINDS[kind](path):
            kept, size = [], 0
            for paragraph in paragraphs:
                if kind in DICTIONARIES:
                    if not is_prose(paragraph, common_min=0.08, words_min=6):
                        continue
                elif not is_prose(paragraph, words_min=3 if kind == "wml" else 8):
                    continue
                key = hashlib.blake2b(squeeze(paragraph).lower().encode(), digest_size=8).digest()
                if key in seen:
                    continue
                seen.add(key)
                kept.append(paragraph)
                size += len(paragraph)
                if size > DOCUMENT_MAX:
                    yield "\n\n".join(kept) + "\n"
                    kept, size = [], 0
            text = "\n\n".join(kept) + "\n"
            if len(text.encode()) >= DOCUMENT_MIN:
                yield text


def main():
    sources, unpacked, out = sys.argv[1:4]
    rows = [line.rstrip("\n").split("\t") for line in open(sources) if line.strip() and not line.startswith("#")]
    for part in ("train", "valid"):
        os.makedirs(f"{out}/{part}", exist_ok=True)
        for old in glob.glob(f"{out}/{part}/*.txt"):
            os.remove(old)
    seen, totals = set(), {}
    for package, kind, limit, globs in rows:
        paths = sorted({p for g in globs.split() for p in glob.glob(f"{unpacked}/{package}/{g}", recursive=True)
                        if os.path.isfile(p) and not os.path.islink(p)})
        if not paths:
            sys.exit(f"extract.py: {package} has no file for '{globs}': is the package's version another one?")
        docs = list(documents(kind, paths, seen))
        docs.sort(key=lambda d: hashlib.sha256(d.encode()).digest())
        train, valid, size, held = [], [], 0, 0
        for doc in docs:
            digest = hashlib.sha256(doc.encode()).digest()
            if int.from_bytes(digest[8:12], "big") % HELD_OUT_OF == 0:
                valid.append(doc)
                held += len(doc.encode())
            elif size < float(limit) * 1e6:
                train.append(doc)
                size += len(doc.encode())
        name = package.replace(".", "_")
        for part, kept in (("train", train), ("valid", valid)):
            if kept:
                with open(f"{out}/{part}/{name}.txt", "w", encoding="utf-8") as file:
                    file.write("".join(d + END for d in kept))
        totals[package] = (size, held, len(train))
        print(f"{package:28} {size / 1e6:7.2f} MB train, {held / 1e3:7.1f} KB held out, {len(train)} documents", flush=True)
    whole = sum(t[0] for t in totals.values())
    with open(f"{out}/sizes.tsv", "w") as file:
        for package, (size, held, count) in totals.items():
            file.write(f"{package}\t{size}\t{held}\t{count}\t{100 * size / whole:.1f}\n")
    print(f"in all {whole / 1e6:.1f} MB train, {sum(t[1] for t in totals.values()) / 1e3:.0f} KB held out")


main()
