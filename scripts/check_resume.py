#!/usr/bin/env python3
"""Kills quantization or training jobs at random moments, goes on, and compares the outputs byte for byte.

    python3 scripts/check_resume.py --nibble build/release/nibble [--model assets/demo]
                                    [--times 50] [--disk] [--command quantize] [-- ITS OPTIONS]

COMMAND takes a model and an output: quantize, or finetune with --data.

Each round starts the job anew, sends SIGKILL after a random time up to the job's whole length, and
gives the same command again, which is killed as well in half of the rounds, until it ends by
itself. With --disk (as root) the output lies on a small tmpfs that is full at a random moment and
grows afterwards. Prints one line for each round that differs, and the score.
"""
import argparse
import hashlib
import pathlib
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time


def digest(output):
    files = [output] if output.is_file() else sorted(p for p in output.rglob("*") if p.is_file())
    total = hashlib.sha256()
    for file in files:
        total.update(file.name.encode() + b"\0" + hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()


def leftovers(folder, output):
    return [p.name for p in folder.iterdir() if p != output]


def killed_rounds(command, folder, output, expected, seconds, times, rng):
    good, resumed = 0, 0
    for turn in range(times):
        kills = 1 if rng.random() < 0.5 else rng.randint(2, 4)
        error = ""
        for _ in range(kills):
            job = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
            try:
                job.wait(rng.uniform(0, seconds))
            except subprocess.TimeoutExpired:
                job.send_signal(signal.SIGKILL)
            error += job.communicate()[1]
            if job.returncode == 0:
                break
        if job.returncode != 0:
            last = subprocess.run(command, capture_output=True, text=True)
            error += last.stderr
            if last.returncode != 0:
                print(f"round {turn}: exit code {last.returncode}: {last.stderr[-300:]}")
        resumed += "going on after" in error
        same = output.exists() and digest(output) == expected
        left = leftovers(folder, output)
        if same and not left:
            good += 1
        else:
            print(f"round {turn}: {'same bytes' if same else 'OTHER BYTES'}, left behind: {left}")
        for item in folder.iterdir():
            shutil.rmtree(item) if item.is_dir() else item.unlink()
    print(f"killed: {good} of {times} same; {resumed} went on from a journal")
    return good == times


def full_disk_rounds(command, folder, output, expected, bytes_needed, times, rng):
    good, failed = 0, 0
    for turn in range(times):
        size = rng.randint(bytes_needed // 50, 2 * bytes_needed)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", folder], check=True)
        try:
            first = subprocess.run(command, capture_output=True, text=True)
            failed += first.returncode != 0
            if first.returncode != 0 and "error:" not in first.stderr:
                print(f"round {turn}: no error was told: {first.stderr[-200:]}")
            subprocess.run(["mount", "-o", "remount,size=4g", folder], check=True)
            last = first
            if first.returncode != 0:
                if output.exists():
                    print(f"round {turn}: an output is there after a failure")
                last = subprocess.run(command, capture_output=True, text=True)
            same = last.returncode == 0 and digest(output) == expected
            left = leftovers(folder, output)
            if same and not left:
                good += 1
            else:
                print(f"round {turn}: {last.returncode}, same {same}, left {left}: {last.stderr[-300:]}")
        finally:
            subprocess.run(["umount", folder], check=True)
    print(f"full disk: {good} of {times} same afterwards; {failed} met a full disk")
    return good == times


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nibble", required=True)
    parser.add_argument("--model", default="assets/demo")
    parser.add_argument("--times", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--disk", action="store_true")
    parser.add_argument("--output", default="OUT")
    parser.add_argument("--command", default="quantize")
    parser.add_argument("options", nargs="*", help="of the command, after --")
    args = parser.parse_args()
    options = args.options or ["--samples", "16", "--seq-len", "256"]
    rng = random.Random(args.seed)
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch) / "work"
        folder.mkdir()
        output = folder / args.output
        command = [args.nibble, args.command, args.model, str(output), *options]
        start = time.monotonic()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seconds = time.monotonic() - start
        expected = digest(output)
        size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
        for item in folder.iterdir():
            shutil.rmtree(item) if item.is_dir() else item.unlink()
        print(f"the job takes {seconds:.1f} s and writes {size} bytes")
        if args.disk:
            good = full_disk_rounds(command, folder, output, expected, size, args.times, rng)
        else:
            good = killed_rounds(command, folder, output, expected, seconds, args.times, rng)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
