"""Faces in frames: detected, given 68 landmarks, followed as tracks through a video, and cut out as crops."""
