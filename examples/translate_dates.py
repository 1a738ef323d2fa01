"""Dates as people write them to dates as computers write them: an encoder and a decoder that begins with the encoder's states.

"26 November 2026" becomes "2026-11-26", character by character. The decoder learns with the right answer before its eyes, one character
late; to use it, two more models are made of the same layers: one gives the states of a text, the other goes on by one character.

Takes about 15 seconds on two cores; 99 % or more of new dates are right in every character. With `keras` in place of `lstmc` in the imports
it runs in Keras.
"""

import datetime
from collections.abc import Sequence

import numpy as np

from lstmc import Input, Model, layers
from lstmc.optimizers import Adam
from lstmc.utils import set_random_seed

STYLES = "%d %B %Y", "%B %d, %Y", "%d %b %Y", "%b %d, %Y", "%d/%m/%Y"
ANSWER = "\t\n-0123456789"      # \t begins an answer, \n ends it
LENGTH = len("2026-11-26\n")


def load(count: int) -> tuple[list[str], list[str]]:
    """`count` dates of 1900 to 2099, in a style by chance, and as they should be."""
    rng, first = np.random.default_rng(0), datetime.date(1900, 1, 1)
    dates = [first + datetime.timedelta(days) for days in rng.integers(0, 73000, count).tolist()]
    return [date.strftime(STYLES[style]) for date, style in zip(dates, rng.integers(0, len(STYLES), count), strict=True)], list(map(str, dates))


def one_hot(texts: Sequence[str], characters: Sequence[str], length: int) -> np.ndarray:
    y = np.zeros((len(texts), length, len(characters)), np.float32)
    for i, text in enumerate(texts):
        for t, c in enumerate(text):
            y[i, t, characters.index(c)] = 1
    return y


def main(epochs: int = 6, count: int = 12000, units: int = 128, rate: float = 0.005) -> float:
    set_random_seed(0)
    texts, answers = load(count)
    characters = sorted(set("".join(texts)))
    n = count * 9 // 10
    source = one_hot(texts, characters, max(map(len, texts)))
    before = one_hot(["\t" + a for a in answers], ANSWER, LENGTH)
    after = one_hot([a + "\n" for a in answers], ANSWER, LENGTH)

    # To learn
    encoder_inputs, decoder_inputs = Input((None, len(characters))), Input((None, len(ANSWER)))
    _, state_h, state_c = layers.LSTM(units, return_state=True)(encoder_inputs)
    encoder_states = [state_h, state_c]
    decoder_lstm = layers.LSTM(units, return_sequences=True, return_state=True)
    decoder_outputs, _, _ = decoder_lstm(decoder_inputs, initial_state=encoder_states)
    decoder_dense = layers.Dense(len(ANSWER), activation="softmax")
    model = Model([encoder_inputs, decoder_inputs], decoder_dense(decoder_outputs))
    model.compile(optimizer=Adam(rate), loss="categorical_crossentropy", metrics=["accuracy"])
    model.fit([source[:n], before[:n]], after[:n], batch_size=64, epochs=epochs,
              validation_data=([source[n:], before[n:]], after[n:]), verbose=2)

    # To use, with the same layers
    encoder_model = Model(encoder_inputs, encoder_states)
    states_inputs = [Input((units,)), Input((units,))]
    decoder_outputs, state_h, state_c = decoder_lstm(decoder_inputs, initial_state=states_inputs)
    decoder_model = Model([decoder_inputs, *states_inputs], [decoder_dense(decoder_outputs), state_h, state_c])

    def translate(source: np.ndarray) -> list[str]:
        states = encoder_model.predict(source, verbose=0)
        last, found = one_hot("\t" * len(source), ANSWER, 1), []
        for _ in range(LENGTH):
            scores, *states = decoder_model.predict([last, *states], verbose=0)
            found.append(scores[:, 0].argmax(-1))
            last = np.eye(len(ANSWER), dtype=np.float32)[found[-1]][:, None]
        return ["".join(ANSWER[i] for i in row).partition("\n")[0] for row in np.transpose(found)]

    found = translate(source[n:])
    for text, answer, truth in list(zip(texts[n:], found, answers[n:], strict=True))[:8]:
        print(f"  {text:30}{answer}  {'right' if answer == truth else 'wrong'}")
    right = float(np.mean([a == b for a, b in zip(found, answers[n:], strict=True)]))
    print(f"of {len(found)} dates it has not seen {right:.1%} are right")
    return right


if __name__ == "__main__":
    main()
