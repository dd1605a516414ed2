"""Annotate videos in the browser: continuous valence and arousal by joystick, mouse, touch or keys."""
