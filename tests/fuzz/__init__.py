"""Hostile bytes for everything that is read: files and command lines.

`targets` says what is tried and which errors are allowed; hypothesis drives it in the suite
(`test_targets`), atheris for as long as one likes: `bash .ci/fuzz`.
"""
