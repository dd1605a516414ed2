"""Video files and folders of images: reading frames with their times, and writing."""
