#!/usr/bin/env python3
"""Writes tests/golden/prune/layer.json: one small layer pruned by each method, computed in float64 by other ways than the
program's. needs: pip install numpy

Weights and inputs come from a generator of integers that the test has too. SparseGPT without factors: what a column leaves to the
later ones is read from the inverse of the Hessian that is left, made anew for each column. The repair is a least-squares problem
over the inputs themselves, with rows for the damping.
"""
import json
from pathlib import Path

import numpy as np

OUT = Path(__file__).parent.parent / "tests/golden/prune/layer.json"
ROWS, COLUMNS, TOKENS, DAMPING, BLOCK = 4, 160, 400, 0.01, 128


def numbers(seed):
    """Multiples of 2^-24 in [-0.5, 0.5), exact in float32."""
    state = seed
    while True:
        state = (state * 1664525 + 1013904223) % 2**32
        yield (state >> 8) / 2**24 - 0.5


def layer():
    draw = numbers(1)
    weight = np.array([[next(draw) for _ in range(COLUMNS)] for _ in range(ROWS)])
    inputs = np.array([[next(draw) for _ in range(COLUMNS)] for _ in range(TOKENS)])
    for c in range(1, COLUMNS):  # neighbours go together, and columns differ in size; column 5 is dead
        inputs[:, c] = inputs[:, c - 1] * 0.5 + inputs[:, c] * (1 + c % 8) / 4
    inputs[:, 5] = 0
    return weight, np.float64(np.float32(inputs))


def drop(scores, count):
    """True where one of the `count` lowest is; of equal ones the first."""
    mask = np.zeros(scores.size, bool)
    mask[np.argsort(scores.ravel(), kind="stable")[:count]] = True
    return mask.reshape(scores.shape)


def by_pattern(scores, stay, of):
    runs = scores.reshape(-1, of)
    return np.array([drop(run, of - stay) for run in runs]).reshape(scores.shape)


def wanda(weight, hessian, sparsity, pattern):
    scores = np.abs(weight) * np.sqrt(np.diag(hessian))
    if pattern:
        return np.where(by_pattern(scores, *pattern), 0, weight)
    return np.array([np.where(drop(s, int(sparsity * COLUMNS)), 0, w) for s, w in zip(scores, weight)])


def magnitude(weight, sparsity, pattern):
    scores = np.abs(weight)
    gone = by_pattern(scores, *pattern) if pattern else drop(scores, int(sparsity * weight.size))
    return np.where(gone, 0, weight)


def damped(hessian):
    dead = np.diag(hessian) == 0
    result = hessian + DAMPING * np.mean(np.diag(hessian)) * np.eye(len(hessian))
    result[dead, dead] = 1
    return result, dead


def sparsegpt(weight, hessian, sparsity, pattern):
    hessian, dead = damped(hessian)
    weight = np.where(dead, 0, weight)
    left = [np.linalg.inv(hessian[j:, j:]) for j in range(COLUMNS)]
    pivots = np.array([inverse[0, 0] for inverse in left])
    gone = np.zeros(weight.shape, bool)
    for j in range(COLUMNS):
        if pattern and j % pattern[1] == 0:
            run = slice(j, j + pattern[1])
            scores = weight[:, run] ** 2 / pivots[run]
            gone[:, run] = [drop(s, pattern[1] - pattern[0]) for s in scores]
        if not pattern and j % BLOCK == 0:
            run = slice(j, min(j + BLOCK, COLUMNS))
            scores = weight[:, run] ** 2 / pivots[run]
            gone[:, run] = drop(scores, int(sparsity * scores.size))
        lost = np.where(gone[:, j], weight[:, j], 0)
        weight[:, j:] -= np.outer(lost, left[j][0] / pivots[j])
        weight[gone[:, j], j] = 0
    return weight


def units(weight, inputs, sections, unit, kept, repair):
    outputs = [inputs[:, u:u + unit] @ weight[:, u:u + unit].T for u in range(0, COLUMNS, unit)]
    norms = np.array([np.mean(np.sum(o * o, axis=1)) for o in outputs])
    each = len(norms) // sections
    gone = np.concatenate([drop(norms[s * each:(s + 1) * each], each - kept) for s in range(sections)])
    gone = np.repeat(gone, unit)
    result = np.where(gone, 0, weight)
    if repair:
        own = inputs[:, ~gone] / np.sqrt(TOKENS)
        # Of inputs that stay: the program takes the mean over those, and a dead one gets a diagonal of 1.
        square = np.mean(np.sum(own * own, axis=0))
        diagonal = np.where(np.sum(own * own, axis=0) == 0, 1, DAMPING * square)
        target = inputs[:, gone] @ weight[:, gone].T / np.sqrt(TOKENS)
        stacked = np.vstack([own, np.diag(np.sqrt(diagonal))])
        wanted = np.vstack([target, np.zeros((own.shape[1], ROWS))])
        result[:, ~gone] += np.linalg.lstsq(stacked, wanted, rcond=None)[0].T
    return result


def main():
    weight, inputs = layer()
    hessian = inputs.T @ inputs / TOKENS
    cases = []
    for sparsity, pattern in [(0.5, None), (0.3, None), (0, (2, 4)), (0, (1, 5))]:
        for name, result in [("magnitude", magnitude(weight.copy(), sparsity, pattern)),
                             ("wanda", wanda(weight, hessian, sparsity, pattern)),
                             ("sparsegpt", sparsegpt(weight.copy(), hessian, sparsity, pattern))]:
            cases.append({"method": name, "sparsity": sparsity, "pattern": pattern, "weight": result})
    for sections, unit, kept, repair in [(1, 16, 7, True), (1, 16, 7, False), (4, 8, 3, True), (1, 1, 96, True)]:
        result = units(weight, inputs, sections, unit, kept, repair)
        cases.append({"method": "units", "sections": sections, "unit": unit, "kept": kept, "repair": repair,
                      "weight": result})
    for case in cases:  # what stays as it was needs no number: only where zeros are
        changed = case["method"] == "sparsegpt" or case.get("repair", False)
        result = case.pop("weight")
        case["zeros"] = ["".join("0" if v == 0 else "1" for v in row) for row in result]
        case["weight"] = [[float(f"{v:.5g}") for v in row if v != 0] for row in result] if changed else None
    OUT.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"rows": ROWS, "columns": COLUMNS, "tokens": TOKENS, "damping": DAMPING, "cases": cases})
    OUT.write_text(text.replace('{"method"', '\n{"method"') + "\n")


if __name__ == "__main__":
    main()
