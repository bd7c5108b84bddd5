"""Nouns, colours, places and verbs of the toy world, and the image of each noun."""

NOUN_PICTURES: dict[str, str] = {
    "cat": "cat2",
    "dog": "dog2",
    "mouse": "mouse2",
    "rabbit": "rabbit2",
    "duck": "duck",
    "frog": "frog",
    "owl": "owl",
    "snail": "snail",
    "turtle": "turtle",
    "penguin": "penguin",
    "elephant": "elephant",
    "crab": "crab",
    "butterfly": "butterfly",
    "pig": "pig2",
    "cow": "cow2",
    "sheep": "sheep",
    "car": "car",
    "truck": "truck",
    "bus": "bus",
    "tractor": "tractor",
    "boat": "boat",
    "rocket": "rocket",
    "balloon": "balloon",
    "book": "closed_book",
    "umbrella": "umbrella",
    "shirt": "shirt",
    "scarf": "scarf",
    "flower": "tulip",
    "key": "key",
    "clock": "alarm_clock",
    "guitar": "guitar",
    "camera": "camera",
    "drum": "drum_with_drumsticks",
    "hat": "tophat",
    "ball": "soccer",
    "bear": "teddy_bear",
    "crown": "crown",
    "cup": "coffee",
    "apple": "apple",
    "banana": "banana",
    "pizza": "pizza",
    "cake": "cake",
    "carrot": "carrot",
}
"""Noun -> short name of its image in the Noto emoji set."""

NOUNS: tuple[str, ...] = tuple(NOUN_PICTURES)

COLOURS: dict[str, float] = {"red": 0.0, "yellow": 50.0, "green": 120.0, "blue": 215.0, "purple": 280.0}
"""Colour -> hue in degrees."""

COLOURS_OF: dict[str, tuple[str, ...]] = {
    **{noun: tuple(COLOURS) for noun in ("car", "balloon", "book", "umbrella", "shirt", "scarf", "flower")},
    "apple": ("red", "yellow", "green"),
}
"""Nouns that come in colours, and which."""

PLACES: dict[str, str] = {
    "kitchen": "fridge",
    "street": "house",
    "park": "tree",
    "beach": "palm",
    "bedroom": "bed",
    "bathroom": "bathtub",
    "desert": "cactus",
    "farm": "hut",
}
"""Place -> fixture that things hide behind."""

TOO_BIG_FOR_THE_BOX = frozenset({"elephant", "cow", "car", "truck", "bus", "tractor", "boat", "rocket"})

COUNT_WORDS: tuple[str, ...] = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")


def article(phrase: str) -> str:
    """Phrase with `a` or `an`, by its first letter."""
    return f"{'an' if phrase[0] in 'aeiou' else 'a'} {phrase}"


def location(place: str) -> str:
    """`in the kitchen`, `on the beach`."""
    return f"{'on' if place in ('beach', 'farm') else 'in'} the {place}"
