"""What calls cost beside the thread pools of torch and onnxruntime in one process.

    python benchmarks/pools.py [--threads N] [--rounds N] [--calls N]

Before every call that is timed each of the two (those that are installed) multiplies matrices on its own pool, which then looks for more work on every
core, in vain. The same call takes turns on one thread and on N, a fresh process a shape; its results are compared to the bit. Printed are the mean
times and their ratio: what the second thread costs where it finds no core, more than 1, or still gains.
"""

import argparse
import subprocess
import sys
import time

import numpy as np

SHAPES = {      # T, B, I, H
    "forward": ((100, 32, 64, 64), (100, 1, 256, 256)),
    "train": ((100, 32, 64, 64), (100, 32, 10, 50), (50, 32, 256, 256)),
}


def torch_pool(threads):
    import torch
    torch.set_num_threads(threads)
    a = torch.rand(512, 512)
    return lambda: a @ a


def onnxruntime_pool(threads):
    import onnx
    import onnxruntime
    like = {name: onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [512, 512]) for name in "ab"}
    graph = onnx.helper.make_graph([onnx.helper.make_node("MatMul", ["a", "a"], ["b"])], "square", [like["a"]], [like["b"]])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=9)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    a = np.random.default_rng(0).random((512, 512), np.float32)
    return lambda: session.run(None, {"a": a})


def pools(threads):
    found = {}
    for name, make in {"torch": torch_pool, "onnxruntime": onnxruntime_pool}.items():
        try:
            found[name] = make(threads)
        except ImportError:
            continue
    return found


def measure(kind, shape, threads, rounds, calls):
    """Print the times of one shape."""
    import lstmc
    steps, batch, inputs, units = shape
    m = lstmc.nn.LSTM(inputs, units, seed=0)
    x = np.random.default_rng(0).standard_normal((steps, batch, inputs), np.float32)
    ones = np.ones((steps, batch, units), np.float32)

    def call():
        if kind == "forward":
            return m(x)[0], {}
        y, _, tape = m.forward(x)
        return y, m.backward(tape, ones).params

    around, taken, results = pools(threads), {1: [], threads: []}, {}
    if not around:
        sys.exit("neither torch nor onnxruntime is installed")
    for _ in range(rounds):
        for n, times in taken.items():
            lstmc.set_num_threads(n)
            for _ in range(calls):
                for work in around.values():
                    work()
                start = time.perf_counter()
                y, grads = call()
                times.append(time.perf_counter() - start)
            results[n] = [y, *grads.values()]
    if any(a.tobytes() != b.tobytes() for a, b in zip(results[1], results[threads], strict=True)):
        sys.exit(f"{kind} {shape}: the number of threads changed a result")
    one, more = (np.mean(times) * 1e3 for times in taken.values())
    name = f"{kind} T{steps}-B{batch}-I{inputs}-H{units}"
    print(f"{name:28} one thread {one:7.2f} ms   {threads} threads {more:7.2f} ms   ratio {more / one:.2f}   beside {', '.join(around)}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--calls", type=int, default=15, help="calls a turn")
    parser.add_argument("--shape", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.threads < 2:
        parser.error("--threads: expected at least 2, for one thread is what they are compared with")
    if given.shape:
        measure(given.shape[0], SHAPES[given.shape[0]][int(given.shape[1])], given.threads, given.rounds, given.calls)
        return
    for kind, shapes in SHAPES.items():
        for i in range(len(shapes)):
            command = [sys.executable, "-W", "ignore", *sys.argv, "--shape", kind, str(i)]
            if subprocess.run(command).returncode:
                sys.exit(1)


if __name__ == "__main__":
    main()
