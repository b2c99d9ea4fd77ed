"""Lengths that suffice, proved in docs/theory.md; one file per cell: error, attention, layers."""

from bounds.registry.sufficient import (
    average_argmax_1,
    average_argmax_2,
    average_softmax_1,
    average_softmax_2,
    linf_argmax_1,
    linf_argmax_1_ties,
    linf_argmax_2,
    linf_softmax_1,
    linf_softmax_2,
    linf_softmax_deep,
)

FILES = (
    linf_argmax_1,
    linf_argmax_1_ties,
    linf_argmax_2,
    linf_softmax_1,
    linf_softmax_2,
    linf_softmax_deep,
    average_argmax_1,
    average_argmax_2,
    average_softmax_1,
    average_softmax_2,
)
