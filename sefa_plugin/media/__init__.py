"""Pictures as uint8 arrays ``[H, W, C]``: rows, captions, sheets and videos; measured changes between two.

In: arrays. Out: JPEG, PNG, MP4 and GIF files, and changes in numbers and words. NumPy, Pillow, ffmpeg; no torch, no
network.

Doors: ``pictures``, ``text``, ``sheet``, ``video``, ``mp4``, ``effect``, ``change``, ``frame_store``.
"""
