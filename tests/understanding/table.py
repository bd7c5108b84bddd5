"""Questions and what they ask, written by hand: of a live stream in Berlin, and of a file of two hours.

The live stream began on Monday, 2026-11-23 at 06:00 and is asked on Wednesday, the 25th, at 15:30. Its scopes are
written as day and time of that November, those of the file in seconds.
"""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from keepsight.asking.understanding import Kind, Order, Side

BERLIN = ZoneInfo("Europe/Berlin")
BEGAN = datetime(2026, 11, 23, 6, tzinfo=BERLIN)
LIVE_SECONDS = 57.5 * 3600
FILE_SECONDS = 7200.0
UNPLACED = "unplaced"

Where = tuple[float | str, float | str] | str | None


@dataclass(frozen=True)
class Row:
    """A question with everything that should be understood; `scope` is None, UNPLACED, or its ends."""

    question: str
    kind: Kind
    order: Order | None
    scope: Where
    words: str
    anchor: tuple[Side, str] | None = None
    is_live: bool = True

    @property
    def now_seconds(self) -> float:
        """Stream time of asking."""
        return LIVE_SECONDS if self.is_live else FILE_SECONDS

    @property
    def span(self) -> tuple[float, float] | None:
        """Scope in stream seconds."""
        if self.scope is None or isinstance(self.scope, str):
            return None
        start, end = self.scope
        return _seconds(start), _seconds(end)


def _seconds(end: float | str) -> float:
    if isinstance(end, float | int):
        return float(end)
    day, clock = end.split()
    moment = datetime.fromisoformat(f"2026-11-{day}T{clock}").replace(tzinfo=BERLIN)
    return (moment - BEGAN).total_seconds()


def file(
    question: str, kind: Kind, order: Order | None, scope: Where, words: str, anchor: tuple[Side, str] | None = None
) -> Row:
    """A question about the file."""
    return Row(question, kind, order, scope, words, anchor, is_live=False)


live = Row
WHEN, OFTEN, LONG, MANY, WHERE = Kind.WHEN, Kind.HOW_OFTEN, Kind.HOW_LONG, Kind.HOW_MANY, Kind.WHERE
LOOK, HAPPENED, WHETHER, AT_PRESENT, OTHER = Kind.APPEARANCE, Kind.WHAT_HAPPENED, Kind.WHETHER, Kind.NOW, Kind.OTHER
FIRST, LAST = Order.FIRST, Order.LAST
BEFORE, AFTER, WHILE = Side.BEFORE, Side.AFTER, Side.WHILE
NOW, START = "25 15:30", "23 06:00"

TOY_WORLD = (
    file("What colour was the car?", LOOK, None, None, "car"),
    file("What color was the ball?", LOOK, None, None, "ball"),
    file("Where was the dog last seen?", WHERE, LAST, None, "dog"),
    file("Where is the dog?", WHERE, LAST, None, "dog"),
    file("Where did the cat go?", WHERE, None, None, "cat go"),
    file("What did the dog do last?", HAPPENED, LAST, None, "dog"),
    file("What did the dog do first?", HAPPENED, FIRST, None, "dog"),
    file("What went into the box last?", OTHER, LAST, None, "went box"),
    file("What hid behind the sofa last?", OTHER, LAST, None, "hid behind sofa"),
    file("How many times did the dog come?", OFTEN, None, None, "dog come"),
    file("Which came first, the dog or the car?", OTHER, FIRST, None, "came dog car"),
    file("Which came later, the dog or the car?", OTHER, LAST, None, "came dog car"),
    file("Was there a dog?", WHETHER, None, None, "dog"),
    file("Did you see an apple?", WHETHER, None, None, "apple"),
    file("Did the dog leave?", WHETHER, None, None, "dog leave"),
    file("Did the dog go into the box?", WHETHER, None, None, "dog go box"),
    file("What is there now?", AT_PRESENT, LAST, None, ""),
    file("What can you see now?", AT_PRESENT, LAST, None, ""),
)

KINDS = (
    file("When did the dog come?", WHEN, None, None, "dog come"),
    file("At what time did the man leave?", WHEN, None, None, "man leave"),
    file("What time was it when the bell rang?", WHEN, None, None, "", (WHILE, "the bell rang")),
    file("On which day was the window opened?", WHEN, None, None, "window opened"),
    file("Can you tell me when the dog came?", WHEN, None, None, "dog came"),
    file("How long ago did the bus leave?", WHEN, None, None, "bus leave"),
    file("Since when is the door open?", WHEN, None, None, "door open"),
    file("How often did the cat jump?", OFTEN, None, None, "cat jump"),
    file("How long was the man in the kitchen?", LONG, None, None, "man kitchen"),
    file("How long did the rain last?", LONG, None, None, "rain"),
    file("How many minutes did she sleep?", LONG, None, None, "sleep"),
    file("How many dogs were there?", MANY, None, None, "dogs"),
    file("Count the people in the room.", MANY, None, None, "people room"),
    file("What did the woman look like?", LOOK, None, None, "woman"),
    file("What was the boy wearing?", LOOK, None, None, "boy wearing"),
    file("Describe the man in the red shirt", LOOK, None, None, "man red shirt"),
    file("Describe what happened.", HAPPENED, None, None, ""),
    file("Please summarise the video", HAPPENED, None, None, ""),
    file("What is the man doing?", HAPPENED, None, None, "man"),
    file("What's happening right now?", AT_PRESENT, LAST, None, ""),
    file("Is the door open now?", WHETHER, LAST, None, "door open"),
    file("Where is the cat right now?", WHERE, LAST, None, "cat"),
    file("Who was the first person to enter the room?", OTHER, FIRST, None, "person enter room"),
    file("In which room is the piano?", WHERE, None, None, "room piano"),
    file("Why did the boy cry?", OTHER, None, None, "boy cry"),
    file("Has anyone been in the garden so far?", WHETHER, None, None, "garden far"),
    file("Did anybody come until now?", WHETHER, None, None, "come"),
    file("Hello, where are my keys?", WHERE, LAST, None, "keys"),
    file("When did the postman come for the first time?", WHEN, FIRST, None, "postman come"),
    file("When was the latest delivery?", WHEN, LAST, None, "delivery"),
    file("What did he do at the end?", HAPPENED, LAST, None, ""),
    file("What stands at the end of the street?", OTHER, None, None, "stands street"),
    file("What did he do in the beginning?", HAPPENED, FIRST, None, ""),
    file("Who lives on the first floor?", OTHER, None, None, "lives floor"),
)

NO_TIMES = (
    live("Did two dogs come?", WHETHER, None, None, "two dogs come"),
    live("What happened in room 12?", HAPPENED, None, None, "room 12"),
    live("When did bus 42 leave?", WHEN, None, None, "bus 42 leave"),
    live("Where are the 3 red cars?", WHERE, LAST, None, "3 red cars"),
    live("May I see the man?", OTHER, None, None, "may man"),
    live("Did the sun set over the sea?", WHETHER, None, None, "sun set sea"),
    live("Did they march to the gate?", WHETHER, None, None, "march gate"),
    live("Where was the man who sat at 3 tables?", WHERE, None, None, "man sat 3 tables"),
    live("How many came before 5 people left?", MANY, None, None, "came", (BEFORE, "5 people left")),
    live("Was the second dog brown?", WHETHER, None, None, "dog brown"),
    live("Did the score reach 3 to 2?", WHETHER, None, None, "score reach 3 2"),
    live("How many cars come in ten minutes?", MANY, None, None, "cars come ten"),
    live("Did he run for two hours?", WHETHER, None, None, "run two"),
    live("How many cars pass per hour?", MANY, None, None, "cars pass per"),
    live("Do foxes come at night?", WHETHER, None, None, "foxes come night"),
    live("Was she in an evening dress?", WHETHER, None, None, "evening dress"),
    live("Which midnight blue car was there?", OTHER, None, None, "midnight blue car"),
    live("Did 2026 balloons rise?", WHETHER, None, None, "2026 balloons rise"),
    live("Which 42 march to the gate?", OTHER, None, None, "42 march gate"),
    live("Which 12 may see the sun?", OTHER, None, None, "12 may sun"),
    live("Did gate 5 open?", WHETHER, None, None, "gate 5 open"),
    live("Who took the last 2 apples?", OTHER, LAST, None, "took 2 apples"),
    live("Was the first hundred metres fast?", WHETHER, FIRST, None, "hundred metres fast"),
    live("Did 10 to 20 people come?", WHETHER, None, None, "10 20 people come"),
)

RELATIVE = (
    live("What happened in the last ten minutes?", HAPPENED, None, ("25 15:20", NOW), ""),
    live("Who came in the past hour?", OTHER, None, ("25 14:30", NOW), "came"),
    live("Did anyone come within the last 30s?", WHETHER, None, ("25 15:29:30", NOW), "come"),
    live("How many cars over the last two and a half hours?", MANY, None, ("25 13:00", NOW), "cars"),
    live("Anyone here in the last half hour?", WHETHER, None, ("25 15:00", NOW), ""),
    live("What has happened in the last few minutes?", HAPPENED, None, ("25 15:25", NOW), ""),
    live("What happened in the last 24 hours?", HAPPENED, None, ("24 15:30", NOW), ""),
    live("What happened in the last week?", HAPPENED, None, (START, NOW), ""),
    live("What did the dog do an hour ago?", HAPPENED, None, ("25 14:24", "25 14:36"), "dog"),
    live("Who was there ten minutes ago?", OTHER, None, ("25 15:19", "25 15:21"), ""),
    live("Was the light on half an hour ago?", WHETHER, None, ("25 14:57", "25 15:03"), "light"),
    live("Who came between 20 and 10 minutes ago?", OTHER, None, ("25 15:10", "25 15:20"), "came"),
    live("What changed since an hour ago?", HAPPENED, None, ("25 14:30", NOW), "changed"),
    live("Did someone come more than two hours ago?", WHETHER, None, (START, "25 13:30"), "come"),
    live("Did someone come less than 5 minutes ago?", WHETHER, None, ("25 15:25", NOW), "come"),
    file("What happens in the last minute?", HAPPENED, None, (7140, 7200), ""),
    file("What happens in the last ten minutes of the video?", HAPPENED, None, (6600, 7200), ""),
)

POSITIONS = (
    file("What happened in the first ten minutes?", HAPPENED, None, (0, 600), ""),
    file("Did the cat come in the first half hour?", WHETHER, None, (0, 1800), "cat come"),
    file("How many goals in the second half hour?", MANY, None, (1800, 3600), "goals"),
    file("What happens in the third minute?", HAPPENED, None, (120, 180), ""),
    file("What happens in the 12th minute?", HAPPENED, None, (660, 720), ""),
    file("Who is seen 5 min into the video?", OTHER, None, (290, 310), ""),
    file("What does he say at minute 5?", OTHER, None, (290, 310), ""),
    file("What is shown at the 10-minute mark?", OTHER, None, (590, 610), "shown"),
    file("What happens after 90 seconds?", HAPPENED, None, (90, 7200), ""),
    file("What happens from minute 5 to minute 10?", HAPPENED, None, (300, 600), ""),
    file("What happens between minutes 5 and 10?", HAPPENED, None, (300, 600), ""),
    file("What happens between 5 and 10 minutes?", HAPPENED, None, (300, 600), ""),
    file("Who appears in the first half of the video?", OTHER, None, (0, 3600), ""),
    file("Who appears in the second half of the clip?", OTHER, None, (3600, 7200), ""),
    file("Who scored in the second half?", OTHER, None, None, "scored half"),
    file("What is there at 1:30?", OTHER, None, (80, 100), ""),
    file("What is there at 1:30:00?", OTHER, None, (5390, 5410), ""),
    file("What happens between 1:30 and 2:45?", HAPPENED, None, (90, 165), ""),
    file("What happens after 75:30?", HAPPENED, None, (4530, 7200), ""),
    file("What happens at 14:00?", HAPPENED, None, (830, 850), ""),
    file("What happens at 3:00:00?", HAPPENED, None, UNPLACED, ""),
    file("What happened at 2 pm?", HAPPENED, None, UNPLACED, ""),
    file("What happened yesterday evening?", HAPPENED, None, UNPLACED, ""),
    file("Did she come on 3 May?", WHETHER, None, UNPLACED, "come"),
    file("Did she come at 3?", WHETHER, None, UNPLACED, "come"),
    live("What happened in the first hour?", HAPPENED, None, (START, "23 07:00"), ""),
)

CLOCKS = (
    live("What happened at 14:00?", HAPPENED, None, ("25 13:55", "25 14:05"), ""),
    live("What happened at 14:07?", HAPPENED, None, ("25 14:06", "25 14:08"), ""),
    live("What happened at 14:07:30?", HAPPENED, None, ("25 14:07:20", "25 14:07:40"), ""),
    live("What happened at 18:00?", HAPPENED, None, ("24 17:55", "24 18:05"), ""),
    live("Who came at 2 pm?", OTHER, None, ("25 13:55", "25 14:05"), "came"),
    live("Who came at 2:30 p.m. today?", OTHER, None, ("25 14:29", "25 14:31"), "came"),
    live("What happened at 3?", HAPPENED, None, ("25 14:55", "25 15:05"), ""),
    live("What happened at 3:30?", HAPPENED, None, ("25 15:29", NOW), ""),
    live("What happened at 03:30?", HAPPENED, None, ("25 03:29", "25 03:31"), ""),
    live("What happened at 9?", HAPPENED, None, ("25 08:55", "25 09:05"), ""),
    live("What happened around noon?", HAPPENED, None, ("25 11:45", "25 12:15"), ""),
    live("Was it dark at half past three?", WHETHER, None, ("25 15:29", NOW), "dark"),
    live("Was it dark at a quarter to five?", WHETHER, None, ("25 04:44", "25 04:46"), "dark"),
    live("Who rang at eight o'clock in the morning?", OTHER, None, ("25 07:55", "25 08:05"), "rang"),
    live("Who rang at 8 in the evening?", OTHER, None, ("24 19:55", "24 20:05"), "rang"),
    live("Who came between 2 and 4 pm?", OTHER, None, ("25 14:00", NOW), "came"),
    live("Who came between 11 and 1 pm?", OTHER, None, ("25 11:00", "25 13:00"), "came"),
    live("Who came from 10 to 2?", OTHER, None, ("25 10:00", "25 14:00"), "came"),
    live("Who came from 22:00 to 2:00?", OTHER, None, ("24 22:00", "25 02:00"), "came"),
    live("Who came between 10 pm and 2 am?", OTHER, None, ("24 22:00", "25 02:00"), "came"),
    live("How many cars came 14:00-15:00?", MANY, None, ("25 14:00", "25 15:00"), "cars came"),
    live("How many cars came since noon?", MANY, None, ("25 12:00", NOW), "cars came"),
    live("Did anyone come after 3 pm?", WHETHER, None, ("25 15:00", NOW), "come"),
    live("Did anyone come before 9 am?", WHETHER, None, (START, "25 09:00"), "come"),
    live("Did anyone come before 5 pm?", WHETHER, None, (START, NOW), "come"),
    live("Did anyone come by 10:00?", WHETHER, None, (START, "25 10:00"), "come"),
    live("Did anyone come at midnight?", WHETHER, None, ("24 23:55", "25 00:05"), "come"),
    live("What happened at 13:00 UTC?", HAPPENED, None, ("25 13:55", "25 14:05"), ""),
    live("What happened at 14:00 CET?", HAPPENED, None, ("25 13:55", "25 14:05"), ""),
    live("What happened at 14:00 PST?", HAPPENED, None, UNPLACED, ""),
)

DAYS = (
    live("What happened today?", HAPPENED, None, ("25 00:00", NOW), ""),
    live("What happened yesterday evening?", HAPPENED, None, ("24 17:00", "25 00:00"), ""),
    live("Yesterday, did anyone come between 2 and 4 pm?", WHETHER, None, ("24 14:00", "24 16:00"), "come"),
    live("Who came yesterday at 3?", OTHER, None, ("24 14:55", "24 15:05"), "came"),
    live("Who came yesterday evening at 7?", OTHER, None, ("24 18:55", "24 19:05"), "came"),
    live("Who came at 14:00 yesterday?", OTHER, None, ("24 13:55", "24 14:05"), "came"),
    live("Who came yesterday after 5 pm?", OTHER, None, ("24 17:00", "25 00:00"), "came"),
    live("Who came on Monday?", OTHER, None, (START, "24 00:00"), "came"),
    live("Who came on Monday at 8 pm?", OTHER, None, ("23 19:55", "23 20:05"), "came"),
    live("Who came on Wednesday?", OTHER, None, ("25 00:00", NOW), "came"),
    live("Who came last Friday?", OTHER, None, UNPLACED, "came"),
    live("Who came from Monday to Tuesday?", OTHER, None, (START, "25 00:00"), "came"),
    live("Was it Monday or Tuesday?", WHETHER, None, (START, "25 00:00"), ""),
    live("Who came the day before yesterday?", OTHER, None, (START, "24 00:00"), "came"),
    live("Who came two days ago?", OTHER, None, (START, "24 00:00"), "came"),
    live("What happened last night?", HAPPENED, None, ("24 18:00", "25 06:00"), ""),
    live("Who came last night at 2?", OTHER, None, ("25 01:55", "25 02:05"), "came"),
    live("What happened this morning?", HAPPENED, None, ("25 05:00", "25 12:00"), ""),
    live("What happened in the evening?", HAPPENED, None, ("24 17:00", "25 00:00"), ""),
    live("Yesterday, what happened in the morning?", HAPPENED, None, ("24 05:00", "24 12:00"), ""),
    live("Will it rain tomorrow?", WHETHER, None, UNPLACED, "rain"),
    live("What happened tonight?", HAPPENED, None, UNPLACED, ""),
    live("What happened since yesterday?", HAPPENED, None, ("24 00:00", NOW), ""),
    live("What happened until yesterday?", HAPPENED, None, (START, "25 00:00"), ""),
    live("What happened before yesterday?", HAPPENED, None, (START, "24 00:00"), ""),
    live("What happened on 24 November?", HAPPENED, None, ("24 00:00", "25 00:00"), ""),
    live("What happened on Nov 24th, 2026 at 14:30?", HAPPENED, None, ("24 14:29", "24 14:31"), ""),
    live("What happened on the 24th?", HAPPENED, None, ("24 00:00", "25 00:00"), ""),
    live("What happened on 3 May?", HAPPENED, None, UNPLACED, ""),
    live("What happened at 2026-11-24T14:30:00?", HAPPENED, None, ("24 14:29:50", "24 14:30:10"), ""),
    live("What happened on 2026-11-24?", HAPPENED, None, ("24 00:00", "25 00:00"), ""),
    live("What happened on 11/24/2026?", HAPPENED, None, ("24 00:00", "25 00:00"), ""),
    live("What happened this week?", HAPPENED, None, (START, NOW), ""),
    live("What happened in November?", HAPPENED, None, (START, NOW), ""),
    live("What happened last week?", HAPPENED, None, UNPLACED, ""),
    live("Who came from 10 pm on Monday to 3 am on Tuesday?", OTHER, None, ("23 22:00", "24 03:00"), "came"),
    live("Who came between 23 and 24 November?", OTHER, None, (START, "25 00:00"), "came"),
    live("On Sat, did the cat come?", WHETHER, None, UNPLACED, "cat come"),
)

ANCHORS = (
    file("Where was the ball before the dog came?", WHERE, None, None, "ball", (BEFORE, "the dog came")),
    file("Before the dog came, where was the ball?", WHERE, None, None, "ball", (BEFORE, "the dog came")),
    file("What did the man do after the phone rang?", HAPPENED, None, None, "man", (AFTER, "the phone rang")),
    file("After the phone rang what did the man do?", HAPPENED, None, None, "man", (AFTER, "the phone rang")),
    file("What was the cat doing while the man slept?", HAPPENED, None, None, "cat", (WHILE, "the man slept")),
    file("When the bell rang, who stood up?", OTHER, None, None, "stood", (WHILE, "the bell rang")),
    file("What happened when the man opened the door?", HAPPENED, None, None, "", (WHILE, "the man opened the door")),
    file("How often did it ring since the man left?", OFTEN, None, None, "ring", (AFTER, "the man left")),
    file("Was the light on until she came home?", WHETHER, None, None, "light", (BEFORE, "she came home")),
    file("Who talked during the meal?", OTHER, None, None, "talked", (WHILE, "the meal")),
    file("How long after the dog left did the cat come?", LONG, None, None, "cat come", (AFTER, "the dog left")),
    file("Did anyone look after the baby?", WHETHER, None, None, "baby"),
    file("Who was there before?", OTHER, None, None, ""),
    live(
        "Who came after the dog left yesterday?", OTHER, None, ("24 00:00", "25 00:00"), "came", (AFTER, "the dog left")
    ),
    live("When did the man come after 3 pm?", WHEN, None, ("25 15:00", NOW), "man come"),
)

FOUND_LATER = (
    live("Was anybody in the kitchen around 7 this morning?", WHETHER, None, ("25 06:45", "25 07:15"), "kitchen"),
    live("Did someone ring at 8 or 9 this morning?", WHETHER, None, ("25 08:00", "25 09:00"), "ring"),
    live("How many were there at 3 and at 4?", MANY, None, ("25 15:00", NOW), ""),
    file("From the 3rd minute on, what is he doing?", HAPPENED, None, (120, 7200), ""),
    file("What happened after the first ten minutes?", HAPPENED, None, (600, 7200), ""),
    file("What happened before the last five minutes?", HAPPENED, None, (0, 6900), ""),
    file("At what point does the chef add salt?", WHEN, None, None, "chef add salt"),
    live("Who left right after the meeting?", OTHER, None, None, "left", (AFTER, "the meeting")),
    live("What did the guard do half an hour before midnight?", HAPPENED, None, ("24 23:25", "24 23:35"), "guard"),
    live("Who came ten minutes after noon yesterday?", OTHER, None, ("24 12:05", "24 12:15"), "came"),
    live("How many trucks passed after 10pm last night?", MANY, None, ("24 22:00", "25 06:00"), "trucks passed"),
    live("Was it closed before 6 in the evening yesterday?", WHETHER, None, ("24 00:00", "24 18:00"), "closed"),
    live("What happened this Monday?", HAPPENED, None, (START, "24 00:00"), ""),
    live("What happened this Friday?", HAPPENED, None, UNPLACED, ""),
    live("What happened late last night?", HAPPENED, None, ("24 18:00", "25 06:00"), ""),
    live("What happened at 14h?", HAPPENED, None, ("25 13:55", "25 14:05"), ""),
    live("What happened at 14h30?", HAPPENED, None, ("25 14:29", "25 14:31"), ""),
    live("What happened at 1400 hours?", HAPPENED, None, ("25 13:55", "25 14:05"), ""),
    live("Is the level at 14.3 metres?", WHETHER, None, None, "level 14 3 metres"),
    live("what happened at 2:30am", HAPPENED, None, ("25 02:29", "25 02:31"), ""),
    live("What happened at 2026-11-24T13:30Z?", HAPPENED, None, ("24 14:29", "24 14:31"), ""),
    live("What happened at 2026-11-24 14:30+02:00?", HAPPENED, None, ("24 13:29", "24 13:31"), ""),
    live("What happened a few minutes ago?", HAPPENED, None, ("25 15:20", NOW), ""),
    live("What happened a couple of hours ago?", HAPPENED, None, ("25 11:30", NOW), ""),
    file("What happens from 90 to 120 seconds?", HAPPENED, None, (90, 120), ""),
    file("What happens in minute 5?", HAPPENED, None, (240, 300), ""),
    live("Is my son home yet?", WHETHER, None, None, "son home"),
    live("Has he left?", WHETHER, None, None, "left"),
    live("Is a man in a car?", WHETHER, None, None, "man car"),
    file("What is he doing between the 3rd and the 5th minute?", HAPPENED, None, (120, 300), ""),
    live("Did he win by 3 to 2?", WHETHER, None, None, "win 3 2"),
    live("Did they come at five past ten?", WHETHER, None, ("25 10:04", "25 10:06"), "come"),
    live("Who came 8-10pm on Monday?", OTHER, None, ("23 20:00", "23 22:00"), "came"),
    live("What happened at 25:00?", HAPPENED, None, UNPLACED, ""),
    live("What happened on 31 February?", HAPPENED, None, UNPLACED, ""),
)

OTHER_LANGUAGES = (
    live("Was ist um 14:00 passiert?", OTHER, None, None, "was ist um 14 00 passiert"),
    live("Wann kam er um 15:00 her?", OTHER, None, None, "wann kam er um 15 00 her"),
    live("¿Has visto al perro?", OTHER, None, None, "has visto al perro"),
    live("Was de hond of de kat in de kamer?", OTHER, None, None, "was de hond of kat in kamer"),
    live("Combien de minutes ?", OTHER, None, None, "combien de minutes"),
    live("Où est le chien ?", OTHER, None, None, "où est le chien"),
    live("¿Dónde está el perro?", OTHER, None, None, "dónde está el perro"),
    live("狗在哪里？", OTHER, None, None, "狗在哪里"),
)

ROWS = (
    *TOY_WORLD, *KINDS, *NO_TIMES, *RELATIVE, *POSITIONS, *CLOCKS, *DAYS, *ANCHORS, *FOUND_LATER, *OTHER_LANGUAGES,
)  # fmt: skip
