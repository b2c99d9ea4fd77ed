"""Second routes: relations that must hold between two ways to the same number.

One relation a file. Its docstring says it as a theorem, with a proof in a line, and whether it is
an equality or an inequality, and in which direction. Every file has a control: the same check of
a relation, or of a program, that is broken on purpose, which must fail.

`SECOND_ROUTES=100` multiplies the random cases; `bash .ci/routes` runs them so and counts what was
compared.
"""
