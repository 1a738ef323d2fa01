"""Odd years by an autoencoder: when was the sea off Peru not as it used to be?

An LSTM turns the 12 months of a year into one number, RepeatVector and a second LSTM turn that into 12 months again. They learn it from the
years 1950 to 1969; what is repeated badly afterwards is not like these. Nobody tells the model what El Nino is, and yet it should name the
two strongest events of the century, 1982-83 and 1997-98, before all others. The series is described in `data/README.md`.

Takes about a second; the four years of the two events are the oddest. With `keras` in place of `lstmc` in the imports it runs in Keras.
"""

from pathlib import Path

import numpy as np

from lstmc import Input, Sequential, layers
from lstmc.utils import set_random_seed

YEARS = np.loadtxt(Path(__file__).parent / "data" / "elnino.csv", delimiter=",", skiprows=1)
LEARNED = 20        # years
EL_NINO = {1972, 1973, 1982, 1983, 1997, 1998}


def main(epochs: int = 30) -> list[int]:
    set_random_seed(0)
    years, celsius = YEARS[:, 0].astype(int), YEARS[:, 1:]
    std = celsius[:LEARNED].std()
    scaled = (celsius - celsius[:LEARNED].mean(0)) / std        # beside the usual temperature of the month
    x = np.lib.stride_tricks.sliding_window_view(scaled[:LEARNED].ravel(), 12)[..., None]       # every 12 months in a row
    model = Sequential([
        Input((12, 1)),
        layers.LSTM(16),
        layers.Dense(1),
        layers.RepeatVector(12),
        layers.LSTM(16, return_sequences=True),
        layers.TimeDistributed(layers.Dense(1)),
    ])
    model.compile(optimizer="adam", loss="mse")
    model.fit(x, x, batch_size=32, epochs=epochs, verbose=2)

    calendar = scaled[..., None]
    errors = np.abs(model.predict(calendar, verbose=0) - calendar).mean((1, 2)) * std
    for year, error in zip(years[LEARNED:], errors[LEARNED:], strict=True):
        print(f"{year} {error:.2f} °C {'#' * round(40 * error)}{' El Nino' if year in EL_NINO else ''}")
    oddest = sorted(int(years[i]) for i in LEARNED + np.argsort(-errors[LEARNED:])[:4])
    print(f"the oddest years: {', '.join(map(str, oddest))}")
    return oddest


if __name__ == "__main__":
    main()
