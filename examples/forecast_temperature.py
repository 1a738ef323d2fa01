"""The sea's temperature of the next six months from that of the last 24: an LSTM over windows of a real series.

Monthly means off Peru, where El Nino begins, from 1950 on (`data/README.md`). The model sees 24 months and says the next 6. It is judged on
the years from 1990 on by the error (root of the mean square) beside that of two rules: the same as a year ago (seasonal naive), and as
always in that month (climate).

Takes about 2 seconds on two cores; its error is 0.98 °C, against 1.55 °C of the seasonal naive rule and 1.17 °C of the climate. With
`keras` in place of `lstmc` in the imports it runs in Keras (with TensorFlow installed, which Keras takes windows with).
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from lstmc import Input, Sequential, layers
from lstmc.utils import set_random_seed, timeseries_dataset_from_array

SEEN, AHEAD = 24, 6
YEARS = np.loadtxt(Path(__file__).parent / "data" / "elnino.csv", delimiter=",", skiprows=1)
FIRST_TEST = 12 * 40        # January 1990


def windows(series: np.ndarray, shuffle: bool = False) -> Iterable[tuple[np.ndarray, np.ndarray]]:
    """Batches of (24 months of temperature and season, the temperatures of the 12 months after)."""
    season = 2 * np.pi * np.arange(len(series)) / 12        # every series begins in January
    x = np.stack([series, np.sin(season), np.cos(season)], axis=1)
    y = np.lib.stride_tricks.sliding_window_view(series, AHEAD)[SEEN:]
    return timeseries_dataset_from_array(x[:-AHEAD], y, SEEN, batch_size=32, shuffle=shuffle, seed=0 if shuffle else None)


def draw(path: str, months: np.ndarray, truth: np.ndarray, forecasts: list[tuple[float, np.ndarray]]) -> None:
    """A picture of the forecasts that were made every December, if matplotlib is there."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        print("no picture: python -m pip install matplotlib")
        return
    figure = Figure((10, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(months, truth, color="0.6", label="measured")
    for i, (month, forecast) in enumerate(forecasts):
        axes.plot(month + np.arange(AHEAD) / 12, forecast, color="C3", label=None if i else "forecast made in December")
    axes.set(ylabel="°C", title="Surface temperature of the sea off Peru")
    axes.legend()
    figure.savefig(path)
    print(f"picture: {path}")


def main(epochs: int = 30, picture: str = "forecast.png") -> dict[str, float]:
    set_random_seed(0)
    celsius = YEARS[:, 1:].ravel()
    mean, std = celsius[:FIRST_TEST].mean(), celsius[:FIRST_TEST].std()
    scaled = (celsius - mean) / std
    train, test = windows(scaled[:FIRST_TEST], shuffle=True), windows(scaled[FIRST_TEST - SEEN:])

    model = Sequential([Input((SEEN, 3)), layers.LSTM(32), layers.Dense(AHEAD)])
    model.compile(optimizer="adam", loss="mse")
    model.fit(train, epochs=epochs, validation_data=test, verbose=2)

    forecast = model.predict(test, verbose=0) * std + mean
    truth = np.concatenate([y for _, y in test]) * std + mean
    start = FIRST_TEST + np.arange(len(truth))[:, None] + np.arange(AHEAD)
    climate = celsius[:FIRST_TEST].reshape(-1, 12).mean(0)
    errors = {name: float(np.sqrt(np.mean((said - truth) ** 2)))
              for name, said in (("this model", forecast), ("seasonal naive", celsius[start - 12]), ("climate", climate[start % 12]))}
    for name, error in errors.items():
        print(f"{name:16}is off by {error:.2f} °C")
    if picture:
        year = 1950 + FIRST_TEST / 12
        draw(picture, year + np.arange(len(celsius) - FIRST_TEST) / 12, celsius[FIRST_TEST:],
             [(year + i / 12, forecast[i]) for i in range(0, len(forecast), 12)])
    return errors


if __name__ == "__main__":
    main()
