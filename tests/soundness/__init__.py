"""End-to-end soundness: from weights to a claimed length, and from there to the truth.

`families` makes pairs of models and laws of inputs, `claims` asks `verify.measure` and
`bounds.required_length` as a user would, `counts` and `strings` find out by enumeration how far
f and g really are apart at each length, `runner` compares, `report` counts.
"""
