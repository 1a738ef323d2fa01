"""Whole epochs of three ordinary models, beside torch and Keras where they are installed.

    python benchmarks/epochs.py [--rounds N] [--threads N] [--cases a,b,c] [--peers torch,keras]

One epoch of 2,560 sequences, batches shuffled, Adam: (a) Embedding(10000, 64), LSTM(64), softmax of 10, T = 80, B = 128; (b) LSTM(128), softmax
of 6, T = 50 of 16 features, B = 32; (c) LSTM(50, relu), Dropout(0.2), Dense(1), T = 10 of 1 feature, B = 32 (in torch with tanh: its LSTM has no
other). Every contender is a process of its own, which is stopped while another one's epoch is timed. A turn is an epoch that is not counted and
one that is; medians over turns are printed, with the ratio to lstmc. Keras runs on the backend that KERAS_BACKEND names. Last comes what lstmc
takes for one row through (c), trained, by the shortest and the median of many loops.
"""

import argparse
import os
import signal
import statistics
import subprocess
import sys
import time

import numpy as np

N = 2560
CASES = {"a": (80, 128), "b": (50, 32), "c": (10, 32)}


def data(case):
    rng, T = np.random.default_rng(0), CASES[case][0]
    if case == "a":
        return rng.integers(0, 10000, (N, T)), rng.integers(0, 10, N)
    x = rng.normal(size=(N, T, 16 if case == "b" else 1)).astype(np.float32)
    return x, np.eye(6, dtype=np.float32)[rng.integers(0, 6, N)] if case == "b" else x.sum(1)


def of_keras(case, package, layers):
    """An epoch of the model in lstmc or Keras, which have one text."""
    x, y = data(case)
    made = {
        "a": [layers.Embedding(10000, 64), layers.LSTM(64), layers.Dense(10, activation="softmax")],
        "b": [layers.LSTM(128), layers.Dense(6, activation="softmax")],
        "c": [layers.LSTM(50, activation="relu"), layers.Dropout(0.2), layers.Dense(1)],
    }[case]
    model = package.Sequential([package.Input(x.shape[1:]), *made])
    loss = {"a": "sparse_categorical_crossentropy", "b": "categorical_crossentropy", "c": "mse"}[case]
    model.compile("adam", loss, metrics=None if case == "c" else ["accuracy"])
    return lambda: model.fit(x, y, batch_size=CASES[case][1], epochs=1, verbose=0)


def of_lstmc(case, threads):
    import lstmc
    lstmc.set_num_threads(threads)
    return of_keras(case, lstmc, lstmc.layers)


def of_peer_keras(case, threads):
    import keras
    return of_keras(case, keras, keras.layers)


def of_torch(case, threads):
    import torch
    from torch import nn
    torch.set_num_threads(threads)
    x, y = (torch.from_numpy(np.ascontiguousarray(a)) for a in data(case))
    features, units, outputs = {"a": (64, 64, 10), "b": (16, 128, 6), "c": (1, 50, 1)}[case]

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = nn.Embedding(10000, 64) if case == "a" else nn.Identity()
            self.lstm, self.head = nn.LSTM(features, units, batch_first=True), nn.Linear(units, outputs)
            self.drop = nn.Dropout(0.2 if case == "c" else 0.0)

        def forward(self, x):
            return self.head(self.drop(self.lstm(self.table(x))[1][0][0]))

    net = Net()
    adam = torch.optim.Adam(net.parameters())
    loss = nn.MSELoss() if case == "c" else nn.CrossEntropyLoss()

    def epoch():
        order = torch.randperm(N)
        for at in range(0, N, CASES[case][1]):
            index = order[at:at + CASES[case][1]]
            p = net(x[index])
            adam.zero_grad()
            value = loss(p, y[index])
            value.backward()
            adam.step()
            value.item()
    return epoch


def child(peer, case, threads):
    """Run two epochs for every line that is read; print the seconds of the second: whoever was stopped finds its caches cold."""
    epoch = {"lstmc": of_lstmc, "torch": of_torch, "keras": of_peer_keras}[peer](case, threads)
    epoch()
    print("ready", flush=True)
    for _ in sys.stdin:
        epoch()
        start = time.perf_counter()
        epoch()
        print(time.perf_counter() - start, flush=True)


def one_row(threads, loops=400, calls=50):
    """Print what `predict` of one row takes."""
    import lstmc
    lstmc.set_num_threads(threads)
    x, y = data("c")
    model = lstmc.Sequential([lstmc.Input(x.shape[1:]), lstmc.layers.LSTM(50, activation="relu"), lstmc.layers.Dropout(0.2), lstmc.layers.Dense(1)])
    model.compile("adam", "mse")
    model.fit(x[:64], y[:64], verbose=0)
    row, taken = x[:1], []
    for _ in range(loops):
        start = time.perf_counter()
        for _ in range(calls):
            model.predict(row, verbose=0)
        taken.append((time.perf_counter() - start) / calls * 1e6)
    print(f"(c) predict of one row: {min(taken):.1f} us, median {statistics.median(taken):.1f} us")


def compare(case, peers, rounds, threads):
    command = [sys.executable, "-W", "ignore", __file__, "--threads", str(threads), "--child", case]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    running = {peer: subprocess.Popen([*command, peer], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
               for peer in ("lstmc", *peers)}
    for peer, process in running.items():
        if process.stdout.readline() != "ready\n":
            sys.exit(f"{peer} did not run case {case}")
        process.send_signal(signal.SIGSTOP)     # a pool spins on for a while after its work, on a core that another is timed on
    seconds = {peer: [] for peer in running}
    for _ in range(rounds):
        for peer, process in running.items():
            process.send_signal(signal.SIGCONT)
            process.stdin.write("\n")
            process.stdin.flush()
            seconds[peer].append(float(process.stdout.readline()))
            process.send_signal(signal.SIGSTOP)
    for process in running.values():
        process.send_signal(signal.SIGCONT)
        process.stdin.close()
        process.wait()
    found = {peer: statistics.median(s) for peer, s in seconds.items()}
    shown = [f"{peer} {s:.3f} s" + ("" if peer == "lstmc" else f" ({s / found['lstmc']:.2f}x)") for peer, s in found.items()]
    print(f"({case}) {', '.join(shown)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cases", default="a,b,c")
    parser.add_argument("--peers", default="torch")
    parser.add_argument("--child", nargs=2, metavar=("CASE", "PEER"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments.child[1], arguments.child[0], arguments.threads)
        return
    for case in arguments.cases.split(","):
        compare(case, [p for p in arguments.peers.split(",") if p], arguments.rounds, arguments.threads)
    one_row(arguments.threads)


if __name__ == "__main__":
    main()
