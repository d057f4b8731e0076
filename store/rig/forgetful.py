"""An nbdkit plugin: a disk with a write-back cache that forgets what was not flushed.

What is written stays in the cache until a flush; killing the server is the power cut. With mode=drop nothing of the
cache survives it. With mode=reorder random blocks of the cache reach the disk early, in any order, as a disk may do.
Parameters: image=PATH, mode=drop|reorder, seed=NUMBER. Deliberately absent: speed.
"""

import os
import random

import nbdkit

API_VERSION = 2
BLOCK = 512

image = None
mode = "drop"
chance = random.Random(0)
cache = {}


def config(key, value):
    global image, mode, chance
    if key == "image":
        image = os.open(value, os.O_RDWR)
    elif key == "mode" and value in ("drop", "reorder"):
        mode = value
    elif key == "seed":
        chance = random.Random(int(value))
    else:
        raise RuntimeError(f"{key}={value}: use image=PATH, mode=drop|reorder, seed=NUMBER")


def config_complete():
    if image is None:
        raise RuntimeError("image=PATH is missing")


def open(readonly):
    return 1


def get_size(handle):
    return os.fstat(image).st_size


def block_size(handle):
    return (BLOCK, 4096, 1 << 20)


def can_flush(handle):
    return True


def can_fua(handle):
    return nbdkit.FUA_EMULATE


def can_multi_conn(handle):
    return False


def pread(handle, buffer, offset, flags):
    buffer[:] = os.pread(image, len(buffer), offset)
    for at in range(0, len(buffer), BLOCK):
        block = cache.get(offset + at)
        if block is not None:
            buffer[at : at + BLOCK] = block


def pwrite(handle, buffer, offset, flags):
    if offset % BLOCK or len(buffer) % BLOCK:
        raise RuntimeError(f"{len(buffer)} bytes at {offset} are no whole blocks")
    for at in range(0, len(buffer), BLOCK):
        cache[offset + at] = bytes(buffer[at : at + BLOCK])
    if mode == "reorder" and cache and chance.random() < 0.3:
        for at in chance.sample(sorted(cache), chance.randint(1, len(cache))):
            os.pwrite(image, cache.pop(at), at)


def flush(handle, flags):
    for at, block in cache.items():
        os.pwrite(image, block, at)
    cache.clear()
