"""Why a number is not the published number.

Given predictions and a claim, the grid of known conventions (normaliser, threshold and AUC rule,
averaging, points, visible points, constant offset, order of points, subset, unit …) is measured
with up to two of them changed, and those that land on the claim are named, the simplest first, each
with what it would mean. Beside it: the constant offset that fits best, the error by part of the
face, and the reference rows that the predictions approach, with the reason why they are not equal.
Nothing here becomes a score.
"""

from .convention_grid import Claim
from .explain_number import Explanation, explain_predictions
from .known_factors import guess_factors
from .text_and_json import explanation_to_json, format_explanation, format_guesses

__all__ = [
    "Claim",
    "Explanation",
    "explain_predictions",
    "explanation_to_json",
    "format_explanation",
    "format_guesses",
    "guess_factors",
]
