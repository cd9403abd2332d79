"""Every form of tokenizer.json that Freshet reads, made with the package `tokenizers`, and text that is hard on
them. Used by tests/interop/tokenizers.py and by tests/model/golden/make_tokenizer_forms.py."""

import json
import random

import tokenizers
from tokenizers import models, normalizers, pre_tokenizers, trainers

LLAMA3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
          r"|\s*[\r\n]+|\s+(?!\S)|\s+")
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
CL100K = (r"'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]++[\r\n]*|\s*[\r\n]"
          r"|\s+(?!\S)|\s+")
O200K = "|".join([
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?",
    r"\p{N}{1,3}", r" ?[^\s\p{L}\p{N}]+[\r\n/]*", r"\s*[\r\n]+", r"\s+(?!\S)", r"\s+"])
HAN_AND_KANA = "[一-龥\u0800-\u4e00]+"

BYTES = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
BARE_BYTES = dict(BYTES, use_regex=False)
MARK = "▁"
MARKED_DECODER = [{"type": "Replace", "pattern": {"String": MARK}, "content": " "}, {"type": "ByteFallback"},
                  {"type": "Fuse"}]
STRIP = {"type": "Strip", "content": " ", "start": 1, "stop": 0}
PREPEND = {"type": "Prepend", "prepend": MARK}
MARK_SPACES = {"type": "Replace", "pattern": {"String": " "}, "content": MARK}


def sequence(kind, parts):
    return {"type": "Sequence", kind: parts}


def split(pattern, behavior="Isolated", invert=False, regex=True):
    return {"type": "Split", "pattern": {"Regex" if regex else "String": pattern}, "behavior": behavior,
            "invert": invert}


def metaspace(scheme, cut):
    return {"type": "Metaspace", "replacement": MARK, "prepend_scheme": scheme, "split": cut}


def frame(before, after=()):
    """A TemplateProcessing from (token, id) pairs."""
    def put(pairs, kind):
        return [{"SpecialToken": {"id": token, "type_id": kind}} for token, _ in pairs]

    single = put(before, 0) + [{"Sequence": {"id": "A", "type_id": 0}}] + put(after, 0)
    return {"type": "TemplateProcessing", "single": single,
            "pair": single + put(before, 1) + [{"Sequence": {"id": "B", "type_id": 1}}] + put(after, 1),
            "special_tokens": {token: {"id": token, "ids": [number], "tokens": [token]}
                               for token, number in list(before) + list(after)}}


def train_bytes(texts, size):
    """The model of a byte-level tokenizer, as a dict."""
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    return json.loads(tokenizer.to_str())["model"]


def train_marked(texts, size):
    """The model of a SentencePiece-style tokenizer with byte fallback, as a dict: ids 0 <unk>, 1 <s>, 2 </s>."""
    tokenizer = tokenizers.Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Replace(" ", MARK)
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement=MARK, prepend_scheme="always")
    tokenizer.train_from_iterator(texts, trainers.BpeTrainer(
        vocab_size=size, show_progress=False, limit_alphabet=200, special_tokens=[
            "<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]))
    return json.loads(tokenizer.to_str())["model"]


def added(model, *tokens):
    """added_tokens: those that the vocabulary has first, then new ones behind it."""
    taken = dict(model["vocab"])
    entries = []
    for token in tokens:
        content, options = token if isinstance(token, tuple) else (token, {})
        if content not in taken:
            taken[content] = max(taken.values()) + 1
        entries.append({"id": taken[content], "content": content, "single_word": False, "lstrip": False,
                        "rstrip": False, "normalized": False, "special": True, **options})
    return sorted(entries, key=lambda entry: entry["id"])


PLAIN = {"special": False, "normalized": True}
RAW = {"special": False}
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", ("<tool_call>", RAW), ("----", PLAIN), ("  \t", PLAIN)]


def bytes_form(model, split_by, normalizer=None, tokens=TOKENS, around=(), **options):
    tokens = added(model, *tokens)
    number = {token["content"]: token["id"] for token in tokens}
    post = dict(BYTES, trim_offsets=False)
    if around:
        post = sequence("processors", [post, frame([(token, number[token]) for token in around])])
    return {"model": dict(model, **options), "added_tokens": tokens, "normalizer": normalizer,
            "pre_tokenizer": split_by, "post_processor": post, "decoder": BYTES}


def marked_form(model, normalizer=None, split_by=None, decoder=None, tokens=("<unk>", "<s>", "</s>"), **options):
    return {"model": dict(model, **options), "added_tokens": added(model, *tokens), "normalizer": normalizer,
            "pre_tokenizer": split_by, "post_processor": frame([("<s>", 1)]),
            "decoder": sequence("decoders", decoder or MARKED_DECODER + [STRIP])}


def with_bytes(model):
    """Forms around a byte-level model, by name."""
    nfc = {"type": "NFC"}
    digits = {"type": "Digits", "individual_digits": True}
    forms = {
        "gpt2": bytes_form(model, BYTES),
        "gpt2_prefix_space": bytes_form(model, dict(BYTES, add_prefix_space=True)),
        "gpt_neox": bytes_form(model, BYTES, nfc),
        "smollm2": bytes_form(model, sequence("pretokenizers", [digits, BYTES])),
        "digit_runs": bytes_form(model, sequence("pretokenizers", [dict(digits, individual_digits=False), BYTES])),
        "llama3": bytes_form(model, sequence("pretokenizers", [split(LLAMA3), BARE_BYTES]),
                             around=["<|endoftext|>"], ignore_merges=True),
        "qwen2": bytes_form(model, sequence("pretokenizers", [split(QWEN2), BARE_BYTES]), nfc),
        "cl100k": bytes_form(model, sequence("pretokenizers", [split(CL100K), BARE_BYTES])),
        "cl100k_removed_inverted": bytes_form(
            model, sequence("pretokenizers", [split(CL100K, "Removed", True), BARE_BYTES])),
        "o200k": bytes_form(model, sequence("pretokenizers", [split(O200K), BARE_BYTES])),
        "deepseek": bytes_form(model, sequence("pretokenizers", [
            split(r"\p{N}{1,3}"), split(HAN_AND_KANA), split(r"[\r\n]"), BYTES])),
        "strings": bytes_form(model, sequence("pretokenizers", [
            split(" ", "MergedWithNext", regex=False), split(".", "MergedWithPrevious", regex=False), BARE_BYTES])),
        "contiguous": bytes_form(model, sequence("pretokenizers", [split(r"\s", "Contiguous"), BARE_BYTES])),
        "removed": bytes_form(model, sequence("pretokenizers", [split(r"[aeiou]", "Removed"), BARE_BYTES])),
        "inverted": bytes_form(model, sequence("pretokenizers", [
            split(r"\p{L}+", "MergedWithNext", True), BARE_BYTES])),
        "empty_matches": bytes_form(model, sequence("pretokenizers", [split(r"(?=[A-Z])|x*"), BARE_BYTES])),
        "strips": bytes_form(model, BYTES, tokens=TOKENS + [
            ("<mask>", {"lstrip": True}), ("<right>", {"rstrip": True}), ("<both>", {"lstrip": True, "rstrip": True}),
            ("word", {"single_word": True, "special": False})]),
    }
    for name in ["NFD", "NFKC", "NFKD", "Lowercase"]:
        forms[name.lower()] = bytes_form(model, BYTES, {"type": name})
    forms["replace"] = bytes_form(model, BYTES, sequence("normalizers", [
        {"type": "Replace", "pattern": {"String": "''"}, "content": '"'},
        {"type": "Replace", "pattern": {"Regex": "[ \\t]+x"}, "content": "yy"}]))
    tokens = added(model, *TOKENS)
    end = [token["id"] for token in tokens if token["content"] == "<|im_end|>"][0]
    start = [token["id"] for token in tokens if token["content"] == "<|im_start|>"][0]
    forms["roberta"] = dict(bytes_form(model, BYTES), post_processor={
        "type": "RobertaProcessing", "sep": ["<|im_end|>", end], "cls": ["<|im_start|>", start],
        "trim_offsets": True, "add_prefix_space": False})
    return forms


def with_marks(model):
    """Forms around a SentencePiece-style model, by name."""
    normalizer = sequence("normalizers", [PREPEND, MARK_SPACES])
    tokens = ["<unk>", "<s>", "</s>", "[INST]", ("<fim>", {"lstrip": True, "rstrip": True}), ("- -", PLAIN)]
    first = metaspace("first", False)
    forms = {
        "llama2": marked_form(model, normalizer),
        "mistral_added": marked_form(model, normalizer, tokens=tokens),
        "llama2_first": marked_form(model, None, first, tokens=tokens),
        "always_split": marked_form(model, None, metaspace("always", True), tokens=tokens),
        "never": marked_form(model, None, metaspace("never", False), MARKED_DECODER),
        "never_split": marked_form(model, None, metaspace("never", True), MARKED_DECODER),
        "old_metaspace": marked_form(model, None, {"type": "Metaspace", "replacement": MARK, "add_prefix_space": True}),
        "gemma": marked_form(model, MARK_SPACES, split(" ", "MergedWithPrevious", regex=False), MARKED_DECODER),
        "unknown": marked_form(model, normalizer, byte_fallback=False),
        "unknown_unfused": marked_form(model, normalizer, byte_fallback=False, fuse_unk=False),
        "ignoring_merges": marked_form(model, normalizer, ignore_merges=True),
    }
    forms["metaspace_decoder"] = dict(forms["always_split"], decoder=metaspace("always", True))
    return forms


def writes_every_byte(path):
    """Whether a tokenizer.json loses no byte; a vocabulary of characters alone does."""
    tokenizer = json.loads(path.read_text())
    return bool(tokenizer["model"].get("byte_fallback")) or '"ByteLevel"' in json.dumps(tokenizer["decoder"])


def to_json(form):
    return json.dumps({"version": "1.0", "truncation": None, "padding": None, **form}, ensure_ascii=False)


SAMPLES = [
    "The river runs on, and its banks don't hold: it's 3,141.59 miles! ",
    "Шумит река за лесом, и ветер гонит листья по воде. ", "Το ποτάμι κυλά αργά προς τη θάλασσα. ",
    "הנהר זורם לאט אל הים. ", "يجري النهر ببطء نحو البحر ٣٤٥. ", "नदी धीरे-धीरे समुद्र की ओर बहती है १२३। ",
    "নদী ধীরে ধীরে সমুদ্রের দিকে বয়ে যায়। ", "நதி மெதுவாக கடலை நோக்கி ஓடுகிறது. ", "నది నెమ్మదిగా సముద్రం వైపు ప్రవహిస్తుంది. ",
    "ನದಿ ನಿಧಾನವಾಗಿ ಸಮುದ್ರದ ಕಡೆಗೆ ಹರಿಯುತ್ತದೆ. ", "നദി പതുക്കെ കടലിലേക്ക് ഒഴുകുന്നു. ", "แม่น้ำไหลช้าๆไปสู่ทะเล ", "ແມ່ນ້ຳໄຫຼຊ້າໆ ", "დინება ნელა მიდის ზღვისკენ. ",
    "Գետը դանդաղ հոսում է դեպի ծով։ ", "ወንዙ ቀስ ብሎ ወደ ባሕር ይፈስሳል። ", "មេឃពណ៌ខៀវ ", "မြစ်သည် ပင်လယ်သို့ စီးဆင်းသည်။ ",
    "川はゆっくりと海へ流れる。カタカナも。", "河水慢慢流向大海，一二三。", "강은 천천히 바다로 흐른다. ", "Dòng sông chảy chậm ra biển. ",
    "ꦏꦭꦶ 𐍈𐌰𐌹 𝒜𝓑 ", "Straße ÅNGSTRÖM İstanbul ǅ ﬁ ŉ ſ's 'ſ 'S 'LL ",
]

NASTY = [
    "", " ", "   ", "\n", "\r\n", "\t \n  \r\n\r\n x", "a", " a", "a ", "  a  b   c    ", "It's they'll WE'VE I'M 'D 's'", "''' '' 'sx",
    "1", "12", "123", "1234", "12345678", "a1b22c333 4444", "٣٤ ४५ Ⅷ² ½ 𝟘𝟙 ⑩ 一二", "café cafe\u0301 e\u0301\u0323 a\u0323\u0301 \u0301start",
    "한국 \u1112\u1161\u11ab \uac00\u11a8", "\u212b \ufb01 \u2126 \u00c5 \u1e9b\u0323 \u0130 \u03a3\u03a3", "👩‍👧‍👦 🏳️‍🌈 👍🏽 🇩🇪 1️⃣ 😀😀", "\u00a0x\u00a0\u00a0y\u2003z\u3000\u0085w\u180ev\u200bu\ufeff",
    "\x00\x01\x02 \x1b[0m \x7f", "\u2028line\u2029para\x0b\x0c", "<|endoftext|><|im_start|>user\nhi<|im_end|>\n",
    "<|endoftext|", " <|im_start|> x <tool_call> ---- ----- -- -", "a  \tb", "<s>x</s><unk> <s> </s>", "[INST] hi [/INST]<fim>  x  <fim>- -", "▁x▁▁y ▁ <0x41>",
    "a <mask> b<mask>c\n\n<mask>", "a <right> b<right>  c <both> d  <both>  <mask> <right>", "word words sword (word) word",
    "wordé éword word_ _word word1 word", "xxAxBxx XxX AA", "don''t  ''  stop", "HTTPServer camelCase ÀÉ éÀ Aáb", "def f(x):\n    return x  # y\n\n\n\tz",
    "....!!!???\n\n...", " \u0301 ", "a\u0300\u0301\u0302\u0303", "ﷺ", "\U0010ffff \ue000 \ufffd \ufffe",
    "a" * 70, " " * 60, "ab" * 40, "é" * 40, "日本" * 30, "\n" * 30 + "x", "1" * 40, "." * 40, "'s" * 20,
] + [sample.strip() for sample in SAMPLES]


def mixed_text(seed, bytes_min):
    """Text in all scripts of SAMPLES with everything of NASTY between."""
    rng = random.Random(seed)
    words = [word for sample in SAMPLES for word in sample.split()]
    parts, size = [], 0
    while size < bytes_min:
        kind = rng.randrange(10)
        if kind < 5:
            part = rng.choice(SAMPLES)
        elif kind < 8:
            part = " ".join(rng.choice(words) for _ in range(rng.randrange(1, 12))) + rng.choice([" ", "\n", "\r\n", "\t"])
        elif kind < 9:
            part = rng.choice(NASTY)
        else:
            part = "".join(chr(code) for code in (rng.randrange(0x20, 0x3000) for _ in range(rng.randrange(1, 8))))
        parts.append(part)
        size += len(part.encode())
    return "".join(parts)
