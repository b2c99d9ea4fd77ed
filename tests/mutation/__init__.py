"""Mutation testing: one change of the code at a time, and whether a test fails.

    python -m tests.mutation run --out DIR --jobs 2 --seconds 600 --only bounds/scope.py
    python -m tests.mutation report DIR/results.jsonl

`mutants` makes the changes, `coverage` finds the tests that run a line, `live` puts a change into
a process that has imported everything, `runner` forks one such process for each mutant.
"""
