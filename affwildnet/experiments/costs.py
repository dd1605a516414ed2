"""What the network of each experiment costs, as `costs.json` beside this file holds it.

`affwildnet.models.cost.write_experiment_costs` computes the file. It is kept so that listing an experiment need not
build its network.
"""

import json
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("costs.json")


@dataclass(frozen=True)
class Cost:
    """What a network costs.

    Attributes:
      weights: number of trainable weights.
      gflops: 10^9 floating-point operations per frame; a multiplication and its addition count as two.
    """

    weights: int
    gflops: float


def load(path: Path = FILE) -> dict[str, Cost]:
    """Return the cost of each experiment's network, by the experiment's name."""
    return {name: Cost(**fields) for name, fields in json.loads(path.read_text("utf-8")).items()}


def save(costs: dict[str, Cost], path: Path = FILE) -> None:
    """Write the file, one line per experiment."""
    lines = [f"  {json.dumps(name)}: {json.dumps(vars(cost))}" for name, cost in costs.items()]
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n", "utf-8")
