"""Frames with their times: read from video files and folders of images, and written to video files."""
