"""Lengths for two given one-layer models in infinite precision (softmax), certified.

`image` carries an input to a short one and bounds what each head's attention changes; `two_values`
looks at f − g as a function of one share; `instance` takes the better of both for every context
and finds the least length; `certificate` is what the user gets.
"""

from verify.certificates.softmax.certificate import SoftmaxCertificate, certify_softmax

__all__ = ["SoftmaxCertificate", "certify_softmax"]
