#!/usr/bin/env python3
"""Writes types.gguf: a tensor of every type that Freshet reads, beside each the F32 values that the
gguf package (0.19) makes of it, and metadata of every type.   python3 make_types.py"""

import gguf
import numpy as np
from gguf import GGMLQuantizationType as T, GGUFValueType as V

random = np.random.default_rng(7)
writer = gguf.GGUFWriter("types.gguf", "none")

for name, kind, value in [
    ("u8", V.UINT8, 200), ("i8", V.INT8, -100), ("u16", V.UINT16, 60000), ("i16", V.INT16, -30000),
    ("u32", V.UINT32, 4000000000), ("i32", V.INT32, -2000000000), ("f32", V.FLOAT32, 0.5),
    ("bool", V.BOOL, True), ("text", V.STRING, "sch\u00f6n"), ("u64", V.UINT64, 2**63 - 1),
    ("huge", V.UINT64, 2**63), ("i64", V.INT64, -(2**63)), ("f64", V.FLOAT64, 0.1),
]:
    writer.add_key_value("one." + name, value, kind)
writer.add_array("many.i32", [1, -2, 3])
writer.add_array("many.f32", [0.5, -0.25])
writer.add_array("many.text", ["", "a", "\u00e9"])
writer.add_array("many.bool", [True, False])


def add(name, kind, data):  # data: bytes of two rows of 256 values
    writer.add_tensor(name, data, raw_dtype=kind)
    values = gguf.quants.dequantize(data, kind).astype(np.float32).reshape(2, 256)
    writer.add_tensor(name + ".values", values)


def halves(count):  # scales of all sizes, subnormal ones too
    return (random.standard_normal(count) * 10.0 ** random.integers(-7, 3, count)).astype(np.float16)


plain = random.standard_normal((2, 256)).astype(np.float32)
plain[0, :4] = [0, -0.0, 1e-7, 65504]
add("F32", T.F32, plain)
with_specials = plain.astype(np.float16)
with_specials[1, :3] = [np.inf, -np.inf, 6e-8]
writer.add_tensor("F16", with_specials, raw_dtype=T.F16)
writer.add_tensor("F16.values", with_specials.astype(np.float32))
add("BF16", T.BF16, gguf.quants.quantize(plain, T.BF16))

for kind, scales in [(T.Q8_0, 1), (T.Q4_0, 1), (T.Q4_1, 2), (T.Q5_0, 1), (T.Q5_1, 2)]:
    block = gguf.GGML_QUANT_SIZES[kind][1]
    blocks = random.integers(0, 256, (16, block), dtype=np.uint8)
    blocks[:, : 2 * scales] = halves(16 * scales).reshape(16, scales).view(np.uint8)
    add(kind.name, kind, blocks.reshape(2, -1))
for kind, at in [(T.Q4_K, (0, 2)), (T.Q5_K, (0, 2)), (T.Q6_K, (208,))]:
    block = gguf.GGML_QUANT_SIZES[kind][1]
    blocks = random.integers(0, 256, (2, block), dtype=np.uint8)
    for place in at:
        blocks[:, place : place + 2] = halves(2).reshape(2, 1).view(np.uint8)
    add(kind.name, kind, blocks)

source = random.standard_normal((2, 256)).astype(np.float32)
source[0, :32] = 0
source[1, 32:64] = np.arange(32) - 15.5  # halves
writer.add_tensor("quantised.source", source)
writer.add_tensor("quantised", gguf.quants.quantize(source, T.Q8_0), raw_dtype=T.Q8_0)

writer.write_header_to_file()
writer.write_kv_data_to_file()
writer.write_tensors_to_file()
writer.close()
