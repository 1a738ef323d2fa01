"""When training ends: the rule of scikit-learn's MLPClassifier, as a callback of `Sequential.fit`."""

import math

from lstmc.callbacks import Callback
from lstmc.console import say


class Stopping(Callback):
    """Ends training once the best result has not been beaten by `tol` for more than `n_iter_no_change` epochs in a row.

    The result is the training loss, or the score of validation data; after `restore`, the model has the weights of the best score.

    Parameters
    ----------
    tol : float
    n_iter_no_change : int
    score : callable, optional
        Gives the validation score of the model. The training loss counts if None.
    verbose : bool
    loss_curve, scores : list
        Receive the loss, and the score, of each epoch; what they hold already is from the training that goes on.
    """

    watches_loss = True     # and says so if it is not finite

    def __init__(self, tol, n_iter_no_change, score, verbose, loss_curve, scores):
        self.tol, self.patience, self.score, self.verbose = tol, n_iter_no_change, score, verbose
        self.loss_curve, self.scores = loss_curve, scores
        self.waited, self.best_weights, self.stopped = 0, None, False

    def on_train_begin(self, logs=None):
        if self.score and self.scores:
            self.best_weights = self.model.get_weights()

    def on_epoch_end(self, epoch, logs=None):
        loss = logs["loss"]
        if not math.isfinite(loss):
            raise ValueError(f"the training loss has become {loss}: X or y may hold large values that need scaling, or learning_rate_init may be too large")
        results, sign = (self.loss_curve, -1) if self.score is None else (self.scores, 1)
        best = max((sign * r for r in results), default=-math.inf)
        self.loss_curve.append(loss)
        text = f"Iteration {len(self.loss_curve)}, loss = {loss:.8f}"
        if self.score:
            self.scores.append(self.score(self.model))
            text += f", validation score = {self.scores[-1]:.6f}"
        if self.verbose:
            say(text)
        result = sign * results[-1]
        self.waited = self.waited + 1 if result < best + self.tol else 0
        if self.score and result > best:
            self.best_weights = self.model.get_weights()
        if self.waited > self.patience:
            self.stopped = self.model.stop_training = True
            if self.verbose:
                say(f"{'Validation score' if self.score else 'Training loss'} did not improve more than tol={self.tol} for {self.patience} "
                    "consecutive epochs. Stopping.")

    def restore(self):
        """Give the model the weights of the best score, if scores were taken."""
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
