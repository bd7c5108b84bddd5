"""What a question asks: its kind, time scope, order, the event it is tied to, and its words. English only."""

from keepsight.asking.understanding.kinds import Kind, Order
from keepsight.asking.understanding.question import Anchor, Side, Understood, understand
from keepsight.asking.understanding.time_scope import Scope
from keepsight.asking.understanding.wall_points import WallTimes

__all__ = ["Anchor", "Kind", "Order", "Scope", "Side", "Understood", "WallTimes", "understand"]
