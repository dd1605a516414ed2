"""Faces and their 68 landmarks: detection, association, tracks, and the crop."""
