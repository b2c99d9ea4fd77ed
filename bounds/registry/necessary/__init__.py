"""Lengths that are necessary, each proved by an explicit pair; one file per cell."""

from bounds.registry.necessary import (
    average_argmax_1,
    average_argmax_2,
    average_softmax_1,
    average_softmax_2,
    linf_argmax_1,
    linf_argmax_1_ties,
    linf_argmax_2,
    linf_softmax_1,
    linf_softmax_2,
)

FILES = (
    linf_argmax_1,
    linf_argmax_1_ties,
    linf_argmax_2,
    linf_softmax_1,
    linf_softmax_2,
    average_argmax_1,
    average_argmax_2,
    average_softmax_1,
    average_softmax_2,
)
