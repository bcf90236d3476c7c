#!/usr/bin/env python3
"""Writes tests/golden/base/exact_normal.json: the bits of normal numbers, computed with exact fractions.
needs: nothing but Python

Each operation of src/base/exact_normal.cc is done on fractions and rounded once to a double, as IEEE 754 asks; the
generator is SplitMix64.
"""
import itertools
import json
import math
import struct
from fractions import Fraction
from pathlib import Path

OUT = Path(__file__).parent.parent / "tests/golden/base/exact_normal.json"
SEEDS, COUNT, MASK = (0, 1, 1234567), 64, (1 << 64) - 1


def rounded(fraction):
    return fraction.numerator / fraction.denominator  # of integers: to the nearest, ties to even


def fma(a, b, c):
    return rounded(Fraction(a) * Fraction(b) + Fraction(c))


def product(a, b):
    return fma(a, b, 0)


def quotient(a, b):
    return rounded(Fraction(a) / Fraction(b))


def uniforms(seed):
    while True:
        seed = (seed + 0x9E3779B97F4A7C15) & MASK
        z = ((seed ^ seed >> 30) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ z >> 27) * 0x94D049BB133111EB) & MASK
        yield rounded(Fraction((z ^ z >> 31) >> 11, 1 << 53))


def logarithm(x):
    m, exponent = math.frexp(x)
    if m < 0.707106781186547524401:
        m, exponent = 2 * m, exponent - 1
    z = quotient(rounded(Fraction(m) - 1), rounded(Fraction(m) + 1))
    square, series = product(z, z), 0.0
    for k in range(11, -1, -1):
        series = fma(series, square, quotient(1, 2 * k + 1))
    return fma(exponent, 0.693147180559945309417, product(product(2, z), series))


def normals(seed):
    numbers = uniforms(seed)
    while True:
        u, v = fma(2, next(numbers), -1), fma(2, next(numbers), -1)
        square = fma(u, u, product(v, v))
        if 0 < square < 1:
            factor = math.sqrt(quotient(product(-2, logarithm(square)), square))
            yield product(u, factor)
            yield product(v, factor)


if __name__ == "__main__":
    bits = {str(seed): [f"{struct.unpack('<Q', struct.pack('<d', x))[0]:016x}"
                        for x in itertools.islice(normals(seed), COUNT)] for seed in SEEDS}
    OUT.write_text(json.dumps(bits, indent=1) + "\n")
