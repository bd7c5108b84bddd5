"""Plug-ins: parts of other packages, registered by entry point, imported on use, and recorded with their versions."""

from keepsight.plugins.group import Group
from keepsight.plugins.packages import PlugIn, package_of, plug_in_versions
from keepsight.plugins.recorded import Part, Recorded

__all__ = ["Group", "Part", "PlugIn", "Recorded", "package_of", "plug_in_versions"]
