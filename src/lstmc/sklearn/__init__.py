"""scikit-learn's face: classifiers and regressors of sequences, around `lstmc.Sequential`.

Reading order: `sequences.py` (what X may be), `network.py` (from parameters to a model), `stopping.py` (when training ends),
`base.py` (fit, and what scikit-learn expects to find), `classifiers.py`, `regressors.py`.
"""

try:
    from sklearn.utils.validation import validate_data  # noqa: F401 (new in 1.6, as are tags)
except ImportError as error:
    raise ImportError('lstmc.sklearn needs scikit-learn 1.6 or later: pip install "lstmc[sklearn]"') from error

from lstmc import names
from lstmc.sklearn.classifiers import GRUClassifier, LSTMClassifier
from lstmc.sklearn.regressors import GRURegressor, LSTMRegressor

__all__ = ["GRUClassifier", "GRURegressor", "LSTMClassifier", "LSTMRegressor"]

__getattr__, __dir__ = names.face(__name__, __all__)
