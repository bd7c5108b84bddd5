"""Settings declared once for flags, environment variables, files and requests."""

from keepsight.schema.compound import Many, Maybe
from keepsight.schema.fields import GROUPS, SettingGroup, Spec, check_fields, same_as, setting, specs_of
from keepsight.schema.kinds import Choice, Flag, Kind, Number, PathKind, Text, Whole, shown
from keepsight.schema.parts import Layers, PartName
from keepsight.schema.web_address import WebAddress

__all__ = [
    "GROUPS",
    "Choice",
    "Flag",
    "Kind",
    "Layers",
    "Many",
    "Maybe",
    "Number",
    "PartName",
    "PathKind",
    "SettingGroup",
    "Spec",
    "Text",
    "WebAddress",
    "Whole",
    "check_fields",
    "same_as",
    "setting",
    "shown",
    "specs_of",
]
