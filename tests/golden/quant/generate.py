"""Blocks of every stored number type, with the floats that the gguf package makes of them.

    python3 -m venv venv && venv/bin/pip install gguf numpy safetensors && venv/bin/python generate.py

Writes blocks.safetensors.  For each type TYPE:
    read.TYPE.bytes     (n, bytes of a block) uint8: random bytes; in the first blocks as they fall, so that scales are
                        NaN, infinite and subnormal too, in the others with scales of the size that models have, and
                        one block each with a scale of zero, the smallest and the largest subnormal half
    read.TYPE.floats    (n, elements of a block) float32: gguf.quants.dequantize
    write.TYPE.floats   (n, elements) float32: normal values, ties, constant blocks, zeros, tiny and large values
    write.TYPE.bytes    (n, bytes) uint8: gguf.quants.quantize
Versions: see versions.txt.
"""
import pathlib
import platform

import gguf
import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType as T
from safetensors.numpy import save_file

HERE = pathlib.Path(__file__).parent
READ = "F16 BF16 Q4_0 Q4_1 Q5_0 Q5_1 Q8_0 Q2_K Q3_K Q4_K Q5_K Q6_K IQ4_NL".split()
WRITE = "F16 BF16 Q8_0 Q4_0 Q4_1".split()
# Where the halves that scale a block stand.
HALVES = {"Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "Q8_0": [0], "IQ4_NL": [0], "Q2_K": [80, 82],
          "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
SPECIAL = [0x0000, 0x8000, 0x0001, 0x03FF, 0x8001, 0x7BFF, 0x7C00]


def read_blocks(rng, name):
    elements, size = GGML_QUANT_SIZES[T[name]]
    if elements == 1:
        return rng.integers(0, 256, (1024, size), dtype=np.uint8)
    wild, tame = 6, 6
    blocks = rng.integers(0, 256, (wild + tame + len(SPECIAL), size), dtype=np.uint8)
    for at in HALVES[name]:
        scales = (rng.standard_normal(tame) * 0.02).astype(np.float16).view(np.uint8).reshape(-1, 2)
        blocks[wild:wild + tame, at:at + 2] = scales
        blocks[wild + tame:, at:at + 2] = np.array(SPECIAL, np.uint16).view(np.uint8).reshape(-1, 2)
    return blocks


def write_blocks(rng):
    rows = [rng.standard_normal(32) * s for s in (1, 0.02, 1e-3, 1e-6, 1e-9, 300)]
    rows += [np.zeros(32), np.full(32, 0.75), np.full(32, -0.75), np.arange(32) - 15.5, np.arange(32) / 2 - 8]
    rows += [np.where(np.arange(32) % 2, 1.0, -1.0), np.where(np.arange(32) == 7, 127.0, np.arange(32) + 0.5)]
    rows += [np.abs(rng.standard_normal(32)), -np.abs(rng.standard_normal(32)), rng.standard_normal(32) * 1e4]
    return np.array(rows, np.float32)


def main():
    rng = np.random.default_rng(11)
    out = {}
    for name in READ:
        blocks = read_blocks(rng, name)
        with np.errstate(all="ignore"):
            floats = gguf.quants.dequantize(blocks, T[name])
        out[f"read.{name}.bytes"], out[f"read.{name}.floats"] = blocks, np.ascontiguousarray(floats, np.float32)
    for name in WRITE:
        floats = write_blocks(rng)
        data = np.ascontiguousarray(gguf.quants.quantize(floats, T[name])).view(np.uint8)
        out[f"write.{name}.floats"], out[f"write.{name}.bytes"] = floats, data
    save_file(out, HERE / "blocks.safetensors")
    versions = f"python {platform.python_version()}\ngguf 0.19.0\nnumpy {np.__version__}\n"
    (HERE / "versions.txt").write_text(versions)


main()
