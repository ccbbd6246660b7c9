"""Which kinds of scene each category has; their order is part of the benchmark (scenes take turns)."""

from __future__ import annotations

from editeval.benchmarks.scenes.balance import BALANCE
from editeval.benchmarks.scenes.balloons import BALLOONS
from editeval.benchmarks.scenes.candles import CANDLES
from editeval.benchmarks.scenes.chess import CHESS
from editeval.benchmarks.scenes.circuit import CIRCUIT
from editeval.benchmarks.scenes.clocks import CLOCKS
from editeval.benchmarks.scenes.dominoes import DOMINOES
from editeval.benchmarks.scenes.falling import FALLING
from editeval.benchmarks.scenes.flags import FLAGS
from editeval.benchmarks.scenes.glasses import GLASSES
from editeval.benchmarks.scenes.lake import LAKE
from editeval.benchmarks.scenes.lamps import LAMPS
from editeval.benchmarks.scenes.pinboard import PINBOARD
from editeval.benchmarks.scenes.scale import SCALE
from editeval.benchmarks.scenes.scene import Kind
from editeval.benchmarks.scenes.seasons import SEASONS
from editeval.benchmarks.scenes.signals import SIGNALS
from editeval.benchmarks.scenes.signs import SIGNS
from editeval.benchmarks.scenes.street import STREET
from editeval.benchmarks.scenes.tanks import TANKS
from editeval.benchmarks.scenes.toy_shelf import TOY_SHELF
from editeval.benchmarks.scenes.window import VIEW

KINDS: dict[str, tuple[Kind, ...]] = {
    "physical": (FALLING, LAKE, TANKS, SCALE),
    "environmental": (VIEW, LAMPS, SEASONS, STREET),
    "cultural": (CLOCKS, SIGNALS, FLAGS, CHESS, SIGNS),
    "causal": (BALANCE, CIRCUIT, DOMINOES, GLASSES, CANDLES),
    "referential": (TOY_SHELF, PINBOARD, BALLOONS),
}
