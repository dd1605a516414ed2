"""Which settings of an evaluation's windows go together, known without a corpus: a wrong one is seen at once."""

from affwildnet.experiments.config import EvaluationConfig
from tfrecords_tools.errors import UserError


def check(config: EvaluationConfig) -> None:
    """Raise a `UserError` if windows cannot share so many frames.

    A frame that two windows share is passed to the network twice, which a state that is carried must not see. Windows
    that share all their frames would never get to the end of a video.
    """
    if config.carry_state and config.overlap:
        raise UserError(
            "`evaluation.overlap` must be 0 with `evaluation.carry_state`: a frame that is passed twice would change "
            f"the state twice. Received: overlap={config.overlap}. Choose one of the two."
        )
    if not config.carry_state and not 0 <= config.overlap < config.window:
        raise UserError(
            f"`evaluation.overlap` must be from 0 to below `evaluation.window`, {config.window}. Received: "
            f"{config.overlap}"
        )
