"""Split into yes-no and other questions: a blind model is right on about half of the former.

In RVS-Ego 48 % of answers are exactly yes or no, so its accuracy says little without this split.
"""


def is_yes_no(right_answer: str) -> bool:
    """Whether a correct answer is exactly yes or no, ignoring case and a final stop."""
    return right_answer.strip().rstrip(".").casefold() in {"yes", "no"}
