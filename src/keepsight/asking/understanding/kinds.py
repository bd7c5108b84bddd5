"""What kind of answer a question wants, and which of several moments it prefers, by its words."""

from enum import Enum

from keepsight.asking.understanding.time_words import compiled


class Kind(Enum):
    """What kind of answer is wanted."""

    WHEN = "when"
    HOW_OFTEN = "how often"
    HOW_LONG = "how long"
    HOW_MANY = "how many"
    WHERE = "where"
    APPEARANCE = "appearance"
    WHAT_HAPPENED = "what happened"
    WHETHER = "whether"
    NOW = "now"
    """What there is, or goes on, at the time of asking."""
    OTHER = "other"


class Order(Enum):
    """Which of several matching moments is preferred."""

    FIRST = "first"
    LAST = "last"


AUXILIARY = "(?:did|do|does|was|were|is|are|has|have|had|will|would|can|could|should)"
_NEGATED = "(?:didn|don|doesn|wasn|weren|isn|aren|hasn|haven|hadn|can|couldn)[’']t"
_KINDS = tuple(
    (kind, compiled(pattern))
    for kind, pattern in (
        (Kind.WHETHER, rf"^(?:{AUXILIARY}|{_NEGATED}|any(?:one|body|thing)?|whether|if)\b"),
        (Kind.WHEN, r"\bhow (?:long|many \w+) ago\b|^when\b|\b(?:since|until|till) when\b|\bhow soon\b"),
        (
            Kind.WHEN,
            r"\b(?:what|which) (?:exact )?(?:time|point|stage|day|date|hour|moment|minute|month|year|weekday)\b",
        ),
        (Kind.WHEN, rf"\bwhen {AUXILIARY}\b"),
        (Kind.HOW_OFTEN, r"\bhow (?:often|frequently|regularly|many (?:\w+ )?times)\b|\bnumber of times\b"),
        (
            Kind.HOW_LONG,
            r"\bhow long\b|\bhow many (?:second|minute|hour|day|week)s\b|\bhow much time\b|\bduration of\b",
        ),
        (Kind.HOW_MANY, r"\bhow (?:many|much)\b|\bnumber of\b|^count\b"),
        (Kind.APPEARANCE, r"\b(?:what|which) (?:\w+ )?colou?rs?\b|\bcolou?rs? of\b|\blook(?:s|ed|ing)? like\b"),
        (
            Kind.APPEARANCE,
            rf"\b(?:what|which) (?:\w+ )?{AUXILIARY} [^?]{{1,80}}\bwear(?:ing)?\b|\bwhat\b[^?]{{0,40}} dressed",
        ),
        (Kind.APPEARANCE, r"\bhow (?:big|tall|large|small|old)\b|^describe (?!what)"),
        (
            Kind.WHERE,
            r"\bwhere\b|\b(?:which|what) (?:room|place|side|corner|location|direction|street|door|floor|way)\b",
        ),
        (
            Kind.WHAT_HAPPENED,
            r"\bwhat(?:[’']s| is| was| has| have| had| else)? (?:been )?(?:happen|going on|occur|took place)",
        ),
        (
            Kind.WHAT_HAPPENED,
            rf"\bwhat {AUXILIARY} [^?]{{1,80}} (?:do|doing|done|up to)\b|\bwhat (?:events?|changed)\b",
        ),
        (
            Kind.WHAT_HAPPENED,
            r"\bwhat (?:[a-z]+ ){1,4}(?:did|does)(?=$|[?.,])|^summ|^(?:give me )?an? (?:summary|recap)\b",
        ),
        (Kind.WHAT_HAPPENED, r"^recap|^describe what|^what[’']?s (?:up|new)\b"),
    )
)
_NOW = compiled(
    r"(?<!until )(?<!till )(?<!by )(?<!to )(?<!from )(?<!before )(?<!just )\bnow\b(?! and then)"
    r"|\bcurrently\b|\bat (?:the moment|present)\b|\bat this (?:very )?(?:moment|time|second|instant)\b"
)
_FIRST = compiled(
    r"\bfirst\b(?! (?:floor|aid|name|class|row))|\bearliest\b|\binitially\b"
    r"|\b(?:at|in) the (?:very )?(?:beginning|start|outset)\b"
)
_LAST = compiled(
    r"\blast\b(?! (?:floor|name|row))|\blatest\b|\bmost recent(?:ly)?\b|\brecently\b|\blately\b|\bfinally\b"
    r"|\beventually\b|\bjust now\b|\b(?:at|in) the (?:very )?end\b(?! of (?!the (?:video|clip|recording|film|stream)))"
    r"|\b(?:which|who) (?:\w+ ){1,3}later\b"
)
_IS_WHERE = compiled(r"\bwhere(?:[’']s| is| are)\b")


def kind_of(rest: str) -> Kind:
    """Kind of the first cue, the more special one of several at one place."""
    matches = [(match.start(), number) for number, (_, pattern) in enumerate(_KINDS) if (match := pattern.search(rest))]
    kind = _KINDS[min(matches)[1]][0] if matches else Kind.OTHER
    return Kind.NOW if kind in (Kind.WHAT_HAPPENED, Kind.OTHER) and _NOW.search(rest) else kind


def order_of(rest: str, kind: Kind) -> Order | None:
    """Preferred order: the last for the present, and for where something is; none if both are named."""
    if _NOW.search(rest) or (kind is Kind.WHERE and _IS_WHERE.search(rest)):
        return Order.LAST
    is_first = bool(_FIRST.search(rest))
    is_last = kind is not Kind.HOW_LONG and bool(_LAST.search(rest))  # "How long did it last?"
    if is_first == is_last:
        return None
    return Order.FIRST if is_first else Order.LAST
