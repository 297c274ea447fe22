"""The examples of the API page are those of the docstrings, which run where they stand."""

collect_ignore = ["reference/api.md"]
