"""Which of an answer's citations to show first.

For display only: an answer cites all captions that the model was given; if there are many, those that share the rarest
words with question and answer are shown.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", text.lower()))


def closest_captions(captions: Sequence[str], text: str, most: int) -> list[int]:
    """Indices of the captions that share most with a text, in their own order.

    A shared word weighs more the fewer captions have it; a word in all of them counts nothing. Ties go to the later
    caption.

    Args:
        captions: in time order.
        text: question and answer.
        most: maximum number of indices.
    """
    wanted = _words(text)
    shared = [_words(caption) & wanted for caption in captions]
    count = Counter(word for words in shared for word in words)
    weight = {word: math.log(len(captions) / times) for word, times in count.items()}
    # Sorted, since a float sum depends on its order and a set has none.
    scores = [sum(weight[word] for word in sorted(words)) for words in shared]
    best = sorted(range(len(captions)), key=lambda position: (scores[position], position), reverse=True)
    return sorted(best[: max(0, most)])
