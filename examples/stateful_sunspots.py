"""Next year's sunspots, with a state that is kept from year to year: an LSTM with stateful=True.

The series of 1700 to 2008 (`data/README.md`) is one sequence. It is learned in pieces of 20 years: the state at the end of one is the one
the next begins with, and `reset_states()` begins anew at 1700. Afterwards the model goes on year by year, giving one number and taking what
really came.

Takes about 2 seconds on two cores; it is off by 14 sunspots, against 30 of who says that next year will be like this one. With `keras` in
place of `lstmc` in the imports it runs in Keras.
"""

from pathlib import Path

import numpy as np

from lstmc import Input, Sequential, layers
from lstmc.utils import set_random_seed

YEARS, SPOTS = np.loadtxt(Path(__file__).parent / "data" / "sunspots.csv", delimiter=",", skiprows=1).T
PIECE = 20
LEARNED = PIECE * 13        # years to learn from: up to 1960


def main(epochs: int = 80) -> tuple[float, float]:
    set_random_seed(0)
    scaled = np.sqrt(SPOTS) / 5 - 1
    x, y = scaled[:-1], scaled[1:]          # from each year to the next
    recurrent = layers.LSTM(24, stateful=True, return_sequences=True)
    model = Sequential([
        Input(batch_shape=(1, None, 1)),
        recurrent,
        layers.Dense(1),
    ])
    model.compile(optimizer="adam", loss="mse")
    pieces = x[:LEARNED].reshape(-1, PIECE, 1), y[:LEARNED].reshape(-1, PIECE, 1)
    for epoch in range(1, epochs + 1):
        recurrent.reset_states()
        history = model.fit(*pieces, batch_size=1, shuffle=False, verbose=0)
        if epoch % 20 == 0:
            print(f"epoch {epoch}: loss {history.history['loss'][0]:.4f}")

    recurrent.reset_states()
    model.predict(x[None, :LEARNED, None], batch_size=1, verbose=0)        # the state of 1960
    answers = np.array([model.predict(value.reshape(1, 1, 1), batch_size=1, verbose=0)[0, 0, 0] for value in x[LEARNED:]])
    said, truth = ((answers + 1) * 5) ** 2, SPOTS[LEARNED + 1:]
    print("year  measured, and forecast (*) a year before")
    for year, spots, forecast in zip(YEARS[LEARNED + 1:], truth, said, strict=True):
        bar = list("#" * int(spots / 4) + " " * 60)
        bar[int(forecast / 4)] = "*"
        print(f"{year:.0f}  {''.join(bar).rstrip()}")
    error, naive = (float(np.sqrt(np.mean((guess - truth) ** 2))) for guess in (said, SPOTS[LEARNED:-1]))
    print(f"off by {error:.1f} (who says that next year is like this one: {naive:.1f})")
    return error, naive


if __name__ == "__main__":
    main()
