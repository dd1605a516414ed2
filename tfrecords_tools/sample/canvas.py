"""Where a portrait lies on its canvas, and the axes along which its face moves.

All lengths on a face are in units of the distance between the outer corners of the eyes, which is EYE_DISTANCE pixels.
"""

CANVAS = (560, 460)  # width, height in pixels
EYES = (280.0, 150.0)  # where the point between the eyes lies on the canvas
EYE_DISTANCE = 80.0
FACE_LEFT, FACE_TOP, FACE_WIDTH, FACE_HEIGHT = 144, 32, 272, 320  # the part of the canvas that expressions move
AXES = ("smile", "frown", "lids", "open", "brow", "pucker", "yaw", "pitch")
