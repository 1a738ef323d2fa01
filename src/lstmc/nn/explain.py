"""What `explain` of a module says: the kernels that a module runs on, and what the cost model decides for it.

The plans shown are asked from the cost model itself (kernels/plan.pyx), not told from memory.
"""

from lstmc.kernels import contention, core, plan
from lstmc.kernels.cells import weight_counts

STEPS = 100                     # of the sequences whose plan is shown
BATCHES = (1, 4, 32)
NORMS = {"haste": "haste", "tfa": "TensorFlow Addons"}


def explain(m):
    """Several lines of text on module m."""
    I, H, P, D, L = m.input_size, m.hidden_size, m.proj_size, m.num_directions, m.num_layers
    itemsize, n, isa = m.dtype.itemsize, core.max_threads(), core.isa()
    w, u = (n * itemsize for n in weight_counts(m.cell, I, H, P, itemsize))
    lines = [
        f"{m!r}: {L * D} fused {type(m).__name__} kernel(s) in {m.dtype}",
        f"instruction set: {isa} (usable here: {', '.join(core.usable_isas())})",
        f"tiles: {core.tile_rows()} rows x {_tile(m)}, cell update while its sums are in the first-level cache",
        f"weights of a direction of the first layer: {w / 1024:.4g} KiB, {u / 1024:.4g} of them recurrent",
        "packed weights: made once, again only after a change",
        f"threads: up to {n}: {_why()}",
        *_for_now(n),
    ]
    for B in BATCHES:
        lines.append(f"  {STEPS} steps, batch {B}: {_sequence(m, B, False)}")
    lines.append(f"  training, {STEPS} steps, batch {BATCHES[-1]}: {_sequence(m, BATCHES[-1], True)}")
    if D == 1:
        lines.append(f"  a session's step, batch 1: {_step(m)}")
    if isa == "baseline":
        lines.append("slow path: no fused multiply-add on this machine (or LSTMC_ISA=baseline); bits differ from the others")
    if m.layer_norm:
        lines.append(f"layer normalisation as in {NORMS[m.layer_norm]}: W x and U h end in whole rows, each of which is normalised by one thread")
    if P:
        lines.append("projection: a second product per step, which waits for the first")
    if m.cell == "gru_before":
        lines.append("reset_after=False: a second product per step, on r h, which waits for the first")
    stages = _plan(m, 1, False)["stages"]
    if stages > 1:
        lines.append(f"threads that divide units meet {stages} times a step: that pays for one row from {plan.SHARE_STAGED_ABOVE_BYTES // 1024} KiB of "
                     f"weights beside W on, for B rows from sqrt(B) times {plan.NEAR_BYTES // 1024} KiB on")
    if m.recurrent_dropout:
        lines.append("recurrent_dropout, in training: h is masked for each gate by itself, so there is a product for each gate, forward and "
                     "backward; threads do not divide units then")
    lines.append("none of these choices changes a bit of a result, and bands follow from shapes alone; constants and reasons: "
                 "lstmc/kernels/plan.pyx, schedule.pyx")
    return "\n".join(lines)


def _tile(m):
    return "4 blocks of units" if m.cell in ("rnn", "gru_before") else "all gates"


def _why():
    if not core.has_openmp():
        return "built without OpenMP"
    if core.forked():
        return "this is a forked child process, whose parent's threads are gone"
    return (f"each must find work for about {plan.FLOPS_PER_THREAD / 1e6:g} million operations; rows of the batch are divided, "
            f"or units of all rows where there are fewer than {plan.SHARE_BELOW_ROWS} rows a thread and more than "
            f"{plan.SHARE_ABOVE_BYTES // 1024} KiB of recurrent weights (fewer than {plan.SHARE_FAR_BELOW_ROWS} where all weights of a "
            f"direction exceed {plan.SHARE_FAR_ABOVE_BYTES // 1024} KiB)")


def _for_now(n):
    most = contention.limit()
    if most is not None and most < n:
        yield (f"slow path, for now: {most} thread(s), because calls have just waited for threads whose cores others had; more are tried again "
               "within a second")


def _plan(m, B, train):
    return plan.choose(m.cell, STEPS, B, m.input_size, m.hidden_size, m.proj_size, m.num_directions, m.dtype.itemsize,
                       core.tile_rows(), train=train, normed=m.layer_norm is not None, dropped=train and m.recurrent_dropout > 0)


def _sequence(m, B, train):
    p = _plan(m, B, train)
    n, who, bands, directions = p["threads"], "one thread", p["bands"], m.num_directions
    if n > 1:
        what = "stage" if p["stages"] > 1 else "step"
        meet = "divide the units and " + (f"begin each {what} with what is there of h" if p["eager"] else f"meet after each {what}")
        who = f"{n} threads " + (meet if p["shared"] else "divide the rows")
    if bands * directions > 1:
        what = ["directions"] * (directions > 1) + ["two bands of rows"] * (bands > 1)
        once = "one after the other" if p["at_once"] == 1 else "at the same time" if p["at_once"] == bands * directions else "two at a time"
        who = f"{' and '.join(what)}, {once}, for each {who}"
    z = p["z_steps"]
    return f"{who}; W x {'fused with U h' if not z else 'apart from U h' if z == 1 else f'of {z} steps at once'}"


def _step(m):
    reads = m.input_size, *[m.output_size] * (m.num_layers - 1)
    weights = sum(weight_counts(m.cell, i, m.hidden_size, m.proj_size, m.dtype.itemsize)[0] for i in reads)
    parts = 1 if m.layer_norm else -(-m.hidden_size * m.dtype.itemsize // 64)
    n, late = (plan.choose_step(2.0 * weights, weights * m.dtype.itemsize, parts, awake) for awake in (True, False))
    if n == late:
        return f"{n} threads divide the units" if n > 1 else "one thread"
    return (f"{n} threads divide the units if the last step was less than {plan.AWAKE_SECONDS * 1e3:g} ms ago, "
            f"else {late}: waking one costs more than it saves")
