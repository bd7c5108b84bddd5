"""How files and other people's words are shown in an error."""


def one_line(text: object) -> str:
    """A text on one line that cannot steer a terminal: what is not printable is written as an escape, `\\n` and so on.

    File names may hold any character but the slash and NUL.
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in str(text)
    )
