"""Small videos that are hard to read: dropped frames, damaged packets, odd times, turned, pixels that are not square.

The image of a frame carries the frame's number, so that a test sees which frame it was given.
"""

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS, BLOCK = 7, 32
SIZE = (BITS * BLOCK, 64)
TICKS = Fraction(1, 90_000)
WITH_PERIODS = ("mpeg4", "mjpeg", "mpeg2video")  # codecs whose clock ticks once a frame


def numbered(number):
    """(64, 224, 3): the number as seven white or black blocks."""
    image = np.zeros((SIZE[1], SIZE[0], 3), np.uint8)
    for bit in range(BITS):
        image[:, bit * BLOCK : (bit + 1) * BLOCK] = 255 * (number >> bit & 1)
    return image


def number_in(image):
    height, width = image.shape[:2]
    return sum(int(image[height // 2, int(width / BITS * (bit + 0.5))].mean() > 127) << bit for bit in range(BITS))


def at(fps, frames, start=0.0):
    """The times of frames of a fixed rate."""
    return [start + number / fps for number in range(frames)]


def write_video(path, times, *, codec="libx264", fps=30, without=(), reordered=0, group=1, sound=False, aspect=None,
                draw=numbered, options=None):  # fmt: skip
    """Write a video whose frame k, from 1, is shown at `times[k - 1]` seconds.

    Args:
      without: places of packets, from 0, that are not written.
      reordered: number of B-frames in a row.
      group: frames from one key frame to the next; 1 makes each frame decodable alone.
      sound: whether there is silence from 0 seconds on, or its codec.
      aspect: width of a pixel in its heights.
      draw: returns the image of a frame by its number.
      options: of the encoder.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=fps)
        first = draw(1)
        stream.height, stream.width = first.shape[:2]
        stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
        stream.gop_size = group
        stream.options = ({"bf": str(reordered)} if codec != "mjpeg" else {}) | (options or {})
        if aspect:
            stream.sample_aspect_ratio = stream.codec_context.sample_aspect_ratio = Fraction(aspect)
        clock = Fraction(1, fps) if codec in WITH_PERIODS or Path(path).suffix == ".avi" else TICKS
        stream.codec_context.time_base = stream.time_base = clock
        audio = container.add_stream("aac" if sound is True else sound, rate=48_000) if sound else None
        packets = []
        for number, time in enumerate(times, start=1):
            frame = av.VideoFrame.from_ndarray(draw(number), format="rgb24")
            frame.pts, frame.time_base = round(time / clock), clock
            packets += stream.encode(frame)
        packets += stream.encode(None)
        written = [packet for place, packet in enumerate(packets) if place not in without]
        if audio:
            written = sorted(
                written + _silence(audio, times[-1] + 0.1), key=lambda packet: packet.dts * packet.time_base
            )
        for packet in written:
            container.mux(packet)
    return path


def _silence(stream, seconds):
    sound = av.AudioFrame.from_ndarray(np.zeros((1, int(seconds * 48_000)), np.float32), format="fltp", layout="mono")
    sound.sample_rate, sound.pts, sound.time_base = 48_000, 0, Fraction(1, 48_000)
    packets = []
    for frame in av.AudioResampler(format=stream.format, layout=stream.layout, rate=48_000).resample(sound):
        packets += stream.encode(frame)
    return packets + stream.encode(None)


def damage(path, places):
    """Fill the packets at these places, from 0, with zeros."""
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(container.streams.video[0]) if packet.size]
    content, position = bytearray(path.read_bytes()), 0
    for place, packet in enumerate(packets):
        position = content.index(packet, position)
        if place in places:
            content[position : position + len(packet)] = bytes(len(packet))
        position += len(packet)
    path.write_bytes(content)
    return path


def cut_off(path, share):
    """Keep the first part of a file."""
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    return path


def turn(path):
    """Have an MP4 say that its frames are to be turned by 90 degrees clockwise."""
    content = bytearray(path.read_bytes())
    header = content.index(b"tkhd")
    matrix = content.index(struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30), header)
    content[matrix : matrix + 36] = struct.pack(">9i", 0, 1 << 16, 0, -(1 << 16), 0, 0, SIZE[1] << 16, 0, 1 << 30)
    path.write_bytes(content)
    return path
