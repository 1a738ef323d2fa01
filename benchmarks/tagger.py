"""One imported tagger, end to end: sentences in, tags out; lstmc beside onnxruntime and torch.

    python benchmarks/tagger.py [--rounds N] [--threads N] [--batches 1,32] [--peers torch,onnxruntime]

torch makes the model: Embedding(20000, 100), a bidirectional LSTM of 2 layers of 128 units, Linear over 50 tags. lstmc takes its weights;
onnxruntime runs the ONNX file that `to_onnx` of that model writes. 256 sentences of 3 to 60 words go through in batches, in the order in which
they come: each engine gets a list of arrays of word numbers and gives a list of arrays of scores, and does what it needs in between (padding,
packing) inside the time that is measured. Before that, all must give the same scores within 2e-5. Every contender is a process of its own,
which is stopped while another one is timed; medians of rounds that take turns are printed, with the ratio to lstmc. torch is run twice, with
packed sequences and on padded ones without lengths, which is no answer (the reverse direction reads padding) but what is often done.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

WORDS, WIDTH, UNITS, TAGS, N = 20000, 100, 128, 50, 256
PEERS = ("torch", "torch-padded", "onnxruntime")


def sentences():
    """Word numbers of sentences whose lengths are distributed as those of written English: about 20 words, some very long."""
    rng = np.random.default_rng(0)
    lengths = np.clip(np.rint(rng.lognormal(2.9, 0.55, N)), 3, 60).astype(int)
    return [rng.integers(1, WORDS, n) for n in lengths]


def padded(batch):
    """(words (B, T), 0 after the ends; lengths)."""
    lengths = np.array([len(s) for s in batch])
    words = np.zeros((len(batch), lengths.max()), np.int64)
    for row, s in zip(words, batch, strict=True):
        row[:len(s)] = s
    return words, lengths


def cut(scores, lengths):
    """(B, T, TAGS) as a list of (n, TAGS)."""
    return [s[:n] for s, n in zip(scores, lengths, strict=True)]


# Contenders: a function of a batch of sentences that gives a list of scores ----------------------------------------


def of_torch(weights, threads, packed=True):
    import torch
    from torch.nn.utils import rnn
    torch.set_num_threads(threads)
    net = torch_model()
    net.load_state_dict({name: torch.from_numpy(w.copy()) for name, w in weights.items()})
    table, lstm, head = net["table"], net["lstm"], net["head"]

    @torch.inference_mode()
    def scores(batch):
        words, lengths = padded(batch)
        x = table(torch.from_numpy(words))
        if packed:
            y = lstm(rnn.pack_padded_sequence(x, torch.from_numpy(lengths), batch_first=True, enforce_sorted=False))[0]
            y = rnn.pad_packed_sequence(y, batch_first=True)[0]
        else:
            y = lstm(x)[0]
        return cut(head(y).numpy(), lengths)

    return scores


def torch_model():
    import torch
    torch.manual_seed(0)
    return torch.nn.ModuleDict({"table": torch.nn.Embedding(WORDS, WIDTH), "head": torch.nn.Linear(2 * UNITS, TAGS),
                                "lstm": torch.nn.LSTM(WIDTH, UNITS, 2, bidirectional=True, batch_first=True)})


def lstmc_model(weights):
    """The tagger with Keras' face: its layers hold one level of the LSTM each."""
    import lstmc
    from lstmc.layers import LSTM, Bidirectional, Dense, Embedding, Input
    model = lstmc.Sequential([Input((None,), name="words"), Embedding(WORDS, WIDTH), *(Bidirectional(LSTM(UNITS, return_sequences=True)) for _ in range(2)),
                              Dense(TAGS)])
    model.build()
    table, *levels, head = model.layers
    table.set_weights([weights["table.weight"]])
    head.set_weights([weights["head.weight"].T, weights["head.bias"]])
    for n, level in enumerate(levels):
        own = {name.replace(f"_l{n}", "_l0"): w for name, w in weights.items() if f"_l{n}" in name}
        arrays = {name.removeprefix("lstm."): w.copy() for name, w in own.items()}
        for way in ("", "_reverse"):        # Keras has one bias
            arrays[f"bias_ih_l0{way}"] += arrays[f"bias_hh_l0{way}"]
            arrays[f"bias_hh_l0{way}"][...] = 0
        level.module.load_state_dict(arrays)
    return model


def of_lstmc(weights, threads):
    import lstmc
    lstmc.set_num_threads(threads)
    model = lstmc_model(weights)
    return lambda batch: model.predict(batch, batch_size=len(batch), verbose=0)


def of_onnxruntime(weights, threads):
    import onnxruntime
    onnxruntime.set_default_logger_severity(3)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tagger.onnx"
        lstmc_model(weights).to_onnx(path)
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    name = session.get_outputs()[0].name

    def scores(batch):
        words, lengths = padded(batch)
        return cut(session.run([name], {"words": words, "lengths": lengths.astype(np.int32)})[0], lengths)

    return scores


CONTENDERS = {"lstmc": of_lstmc, "torch": of_torch, "torch-padded": lambda weights, threads: of_torch(weights, threads, packed=False),
              "onnxruntime": of_onnxruntime}


# Rounds --------------------------------------------------------------------------------------------------------


def child(peer, folder, threads):
    """Write the scores of all sentences; then tag them in batches of the size that is read, and print the seconds."""
    scores = CONTENDERS[peer](dict(np.load(folder / "weights.npz")), threads)
    data = sentences()
    np.save(folder / f"{peer}.npy", np.concatenate([s for at in range(0, N, 32) for s in scores(data[at:at + 32])]))
    print("ready", flush=True)
    for line in sys.stdin:
        size = int(line)
        start = time.perf_counter()
        tags = [s.argmax(-1) for at in range(0, N, size) for s in scores(data[at:at + size])]
        print(time.perf_counter() - start, flush=True)
        assert len(tags) == N


def compare(peers, batches, rounds, threads, folder):
    import torch  # noqa: F401  its absence is said before anything runs
    np.savez(folder / "weights.npz", **{name: w.numpy() for name, w in torch_model().state_dict().items()})
    command = [sys.executable, "-W", "ignore", __file__, "--threads", str(threads), "--child"]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    running = {}
    for peer in ("lstmc", *peers):
        process = subprocess.Popen([*command, peer, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
        if process.stdout.readline() != "ready\n":
            sys.exit(f"{peer} did not run")
        process.send_signal(signal.SIGSTOP)     # a pool spins on for a while after its work, on a core that another is timed on
        running[peer] = process
    wanted = np.load(folder / "lstmc.npy")
    for peer in peers:
        d = float(np.abs(np.load(folder / f"{peer}.npy") - wanted).max())
        if peer != "torch-padded" and d > 2e-5:
            sys.exit(f"{peer} gives other scores: they differ by {d}")
        print(f"{peer}: scores differ by {d:.1e} at most", flush=True)
    for size in batches:
        seconds = {peer: [] for peer in running}
        for n in range(rounds + 1):
            for peer, process in running.items():
                process.send_signal(signal.SIGCONT)
                process.stdin.write(f"{size}\n")
                process.stdin.flush()
                found = float(process.stdout.readline())
                process.send_signal(signal.SIGSTOP)
                seconds[peer] += [found] * (n > 0)      # the first round warms up
        medians = {peer: statistics.median(s) for peer, s in seconds.items()}
        shown = [f"{peer} {1e3 * s / N:.3f} ms" + ("" if peer == "lstmc" else f" ({s / medians['lstmc']:.2f}x)") for peer, s in medians.items()]
        print(f"batches of {size}, a sentence: {', '.join(shown)}", flush=True)
    for process in running.values():
        process.send_signal(signal.SIGCONT)
        process.stdin.close()
        process.wait()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batches", default="1,32")
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--child", nargs=2, metavar=("PEER", "FOLDER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child[0], Path(arguments.child[1]), arguments.threads)
        return
    with tempfile.TemporaryDirectory() as folder:
        compare([p for p in arguments.peers.split(",") if p], [int(n) for n in arguments.batches.split(",")], arguments.rounds, arguments.threads, Path(folder))


if __name__ == "__main__":
    main()
